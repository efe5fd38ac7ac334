"""Stage 60: what scientists asked for is brought to a PROCESSING location, and they are told.

In: StagingJob active and not completed.
Out: one Staging operation for each package of a job; the job's status follows its operations; a mail when it is done.
Safe to repeat because: a job has one operation for a package (constraint), planned under a lock on the job. Two jobs that want the
same package at the same place take turns (one open operation for package and place): the second finds it and links it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from ccatdc.common.states import OPEN_STATUSES, Status, transition
from datamgmt.models import RawDataPackage
from transfer.managers.base import StageManager
from transfer.models import Staging, StagingJob, StagingJobLog
from transfer.routes import staging_origin
from transfer.waits import Waits

logger = logging.getLogger(__name__)


class StagingManager(StageManager[StagingJob]):
    """One job at a time, oldest first."""

    name = "stage"

    def find_work(self) -> Iterable[StagingJob]:
        """Jobs to serve or to follow."""
        jobs = StagingJob.objects.unfinished().filter(
            Q(status__in=OPEN_STATUSES) | Q(stagings__status__in=OPEN_STATUSES)
        )
        return (
            jobs.select_related("destination_location__site", "requested_by")
            .distinct()
            .order_by("created_at")
        )

    def plan(self, work: StagingJob) -> int:
        """Operations for packages that have none and whose turn it is; then the job's own status."""
        job = StagingJob.objects.select_for_update(of=("self",)).get(pk=work.pk)
        location = work.destination_location
        if not location.active:
            raise Waits(
                f"{location.full_name} is switched off.",
                code="location.inactive",
                remedy="Switch it on, or cancel the job.",
            )
        planned = 0
        asked = RawDataPackage.objects.filter(staging_jobs=job)
        for package in asked.exclude(stagings__staging_job=job).oldest_first():
            if Staging.objects.open().filter(raw_data_package=package, location=location).exists():
                continue
            origin = staging_origin(package.pk, location)
            operation = Staging.objects.create(
                staging_job=job,
                raw_data_package=package,
                location=location,
                origin_location=origin.data_location if origin is not None else None,
                total_bytes=package.size,
            )
            planned += self.submit(operation)
        follow_job(job)
        return planned


def follow_job(job: StagingJob) -> None:
    """Bring the job's status in line with its operations."""
    counts = (
        Staging.objects.non_polymorphic()
        .filter(staging_job=job)
        .aggregate(
            all=Count("pk"),
            completed=Count("pk", filter=Q(status=Status.COMPLETED)),
            failed=Count("pk", filter=Q(status=Status.FAILED)),
        )
    )
    asked = job.raw_data_packages.count()
    if counts["completed"] == asked:
        _move(
            job, Status.COMPLETED, f"All {asked} packages are staged.", finished_at=timezone.now()
        )
        transaction.on_commit(lambda: tell_requester(job))
    elif counts["failed"] and counts["failed"] + counts["completed"] == asked:
        message = f"{counts['failed']} of {asked} packages could not be staged."
        _move(job, Status.FAILED, message, failure_error_message=message)
        transaction.on_commit(lambda: tell_requester(job))
    elif job.status == Status.PENDING and counts["all"]:
        _move(job, Status.IN_PROGRESS, f"{counts['all']} of {asked} packages are being staged.")


def _move(job: StagingJob, to: str, message: str, **fields: Any) -> None:
    if job.status == to:
        return
    transition(job, to, **fields)
    StagingJobLog.objects.create(staging_job=job, status=to, message=message)


def tell_requester(job: StagingJob) -> None:
    """Mail the requester where the data is, or that it is not. A mail server that is away is logged; the page says the same."""
    user = job.requested_by
    if not user.email:
        return
    location: Any = job.destination_location.get_real_instance()
    done = job.status == Status.COMPLETED
    folder = f"{location.path.rstrip('/')}/{job.folder_key}"
    lines = [
        f"{job}: {job.get_status_display().lower()}.",
        f"Your data is in {folder} until {job.expires_at:%Y-%m-%d %H:%M} UTC."
        if done
        else job.failure_error_message,
        f"Follow or extend it at {settings.PORTAL_URL}/staging/jobs/{job.pk}/",
    ]
    try:
        send_mail(f"[CCAT] {lines[0]}", "\n\n".join(lines), None, [user.email])
    except (SMTPException, OSError):
        logger.exception("mail about staging job %s to %s was not sent", job.pk, user)
        return
    StagingJob.objects.filter(pk=job.pk).update(notified_at=timezone.now())
