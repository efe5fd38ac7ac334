"""Mails about staging jobs: beside the flow and never in it.

They are put into the queue in the transaction that ends the job, and sent by ``run_notifications``, at least once.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from notifications.queueing import queue_mail
from transfer.models import StagingJob
from transfer.models.jobs import WARN_BEFORE


def tell_requester(job: StagingJob) -> None:
    """Where the data is, or that it is not. Once for each end of a job: one that was retried ends again. Inputs of a run are
    nobody's news.
    """
    if job.processing_jobs.exists():
        return
    location: Any = DataLocation.objects.with_site().get(pk=job.destination_location_id)
    folder = f"{location.path.rstrip('/')}/{job.folder_key}"
    what = f"{job}: {job.get_status_display().lower()}."
    lines = [
        " ".join(what.split()),
        f"Your data is in {folder} until {job.expires_at:%Y-%m-%d %H:%M} UTC."
        if job.status == Status.COMPLETED
        else job.failure_error_message,
        f"Follow or extend it at {settings.PORTAL_URL}/staging/jobs/{job.pk}/",
    ]
    key = f"staging_job {job.pk} {job.finished_at}"
    address = StagingJob.objects.values_list("requested_by__email", flat=True).get(pk=job.pk)
    if job.status == Status.COMPLETED and job.expires_at <= timezone.now() + WARN_BEFORE:
        # This mail says it: no second one at the same moment.
        StagingJob.objects.filter(pk=job.pk).update(warned_of=job.expires_at)
    if queue_mail(address, what, "\n\n".join(lines), dedup_key=key):
        StagingJob.objects.filter(pk=job.pk).update(notified_at=Now())


def warn_requester(job: StagingJob) -> None:
    """That the data goes soon. Once for each end: a job that was extended gets a new warning before its new end."""
    if not StagingJob.objects.to_be_warned().filter(pk=job.pk).exists():
        return
    location: Any = DataLocation.objects.with_site().get(pk=job.destination_location_id)
    text = (
        f"{' '.join(str(job).split())}: your data in {location.path.rstrip('/')}/{job.folder_key} stays until"
        f" {job.expires_at:%Y-%m-%d %H:%M} UTC, and goes then. The packages stay in the archive.\n\n"
        f"Keep it longer, or cancel it if you are done: {settings.PORTAL_URL}/staging/jobs/{job.pk}/"
    )
    key = f"staging_job {job.pk} until {job.expires_at.isoformat()}"
    address = StagingJob.objects.values_list("requested_by__email", flat=True).get(pk=job.pk)
    queue_mail(address, f"{job}: its data goes on {job.expires_at:%Y-%m-%d}.", text, dedup_key=key)
    StagingJob.objects.filter(pk=job.pk).update(warned_of=job.expires_at)
