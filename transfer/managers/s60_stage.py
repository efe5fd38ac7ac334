"""Stage 60: what scientists asked for is brought to a PROCESSING location.

In: StagingJob active and not completed. Out: one Staging operation for each package of a job; the job's status follows
its operations. Safe to repeat because: a job has one operation for a package
(constraint), planned under a lock on the job. Two jobs that want the same package at the same place take turns (one
open operation for package and place): the second finds it and links it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone

from ccatdc.common.errors import Blocked
from ccatdc.common.states import OPEN_STATUSES, Status, transition
from datamgmt.models import DataLocation, RawDataPackage
from transfer.managers.base import StageManager
from transfer.models import Staging, StagingJob, StagingJobLog
from transfer.routing.routes import require_receiving, staging_origin
from transfer.staging.mail import tell_requester, warn_requester

#: Operations planned for one job in one pass: a large job does not keep the other stages waiting.
PASS_LIMIT = 100


class StagingManager(StageManager[StagingJob]):
    """One job at a time, oldest first; then those whose data goes soon."""

    name = "stage"

    def find_work(self) -> Iterable[StagingJob]:
        """Jobs to serve or to follow: a failed one only when something of it was tried again."""
        stagings = Staging.objects.non_polymorphic().filter(staging_job=OuterRef("pk"))
        is_tried_again = Exists(stagings.open()) | ~Exists(stagings.failed())
        jobs = StagingJob.objects.unfinished().filter(Q(status__in=OPEN_STATUSES) | is_tried_again)
        return [*jobs.order_by("created_at", "id"), *StagingJob.objects.to_be_warned().order_by("expires_at", "id")]

    def plan(self, work: StagingJob) -> int:
        """Operations for packages that have none and whose turn it is; then the job's own status."""
        job = StagingJob.objects.select_for_update(of=("self",)).get(pk=work.pk)
        if job.status == Status.COMPLETED:
            warn_requester(job)
            return 0
        try:
            place = DataLocation.objects.with_site().get(pk=job.destination_location_id)
            planned = self._plan_packages(job, require_receiving(place))
        except Blocked as reason:
            self.wait(job, reason)
            planned = 0
        follow_job(job)
        return planned

    def _plan_packages(self, job: StagingJob, place: DataLocation) -> int:
        asked = RawDataPackage.objects.filter(staging_jobs=job).exclude(stagings__staging_job=job)
        others = Staging.objects.non_polymorphic().open().filter(location=place)
        busy = set(others.values_list("raw_data_package_id", flat=True))
        planned = 0
        for package in asked.oldest_first():
            if planned == PASS_LIMIT:
                break
            if package.pk in busy:
                continue
            origin = staging_origin(package.pk, place)
            if origin is None:
                self.wait(f"package {package} for {job}", _nowhere_to_read(package))
                continue
            operation = Staging.objects.create(
                staging_job=job,
                raw_data_package=package,
                location=place,
                origin_location=origin.data_location,
                total_bytes=package.size,
            )
            planned += self.submit(operation)
        return planned


def _nowhere_to_read(package: RawDataPackage) -> Blocked:
    return Blocked(
        f"No active archive has a good copy of {package}.",
        code="staging.no_archive_copy",
        remedy="Look at its archive copies; switch an archive on or have the copy verified.",
    )


def follow_job(job: StagingJob) -> None:
    """Bring the job's status in line with its operations. Who asked is told when it is over."""
    stagings = Staging.objects.non_polymorphic().filter(staging_job=job)
    counts = stagings.aggregate(
        begun=Count("pk"),
        completed=Count("pk", filter=Q(status=Status.COMPLETED)),
        failed=Count("pk", filter=Q(status=Status.FAILED)),
    )
    asked = job.raw_data_packages.count()
    if counts["completed"] + counts["failed"] < asked:
        if counts["begun"]:
            message = f"{counts['begun']} of {asked} packages are being staged."
            _move(job, Status.IN_PROGRESS, message, finished_at=None, failure_error_message="")
        return
    if counts["failed"]:
        to, message = Status.FAILED, f"{counts['failed']} of {asked} packages could not be staged."
        fields = {"failure_error_message": message}
    else:
        to, message, fields = Status.COMPLETED, f"All {asked} packages are staged.", {}
    if job.status == Status.FAILED != to:
        transition(job, Status.IN_PROGRESS, failure_error_message="")
    if _move(job, to, message, finished_at=timezone.now(), **fields):
        tell_requester(job)


def _move(job: StagingJob, to: str, message: str, **fields: Any) -> bool:
    if job.status == to:
        return False
    transition(job, to, **fields)
    StagingJobLog.objects.create(staging_job=job, status=to, message=message)
    return True
