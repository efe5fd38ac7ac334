"""Stage 64: ask a backend how its jobs are, and stop those that somebody cancelled.

In: jobs that are with the backend. Out: their states, the log of what they said, and times of their runs. Short: nobody holds a
worker while a run goes on. Safe to repeat because: it only looks, and cancelling twice harms nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from ccatdc.common.states import transition
from datamgmt.models import DataLocation, ProcessingRun, RunStatus
from datamgmt.storage import storage_for
from transfer.backends import backend_of
from transfer.backends.base import JobFolder, JobReport, JobState, log_of
from transfer.models import ProcessingJob, RunBackend, RunFollowing
from transfer.models.runs import AT_BACKEND, MAX_SUBMISSIONS, JobStatus
from transfer.operations.base import StageOperation

_OVER: Final = (JobState.COMPLETED, JobState.FAILED, JobState.LOST)


class FollowRuns(StageOperation[RunFollowing]):
    """Asks once about all jobs of one backend."""

    def prepare(self) -> None:
        """Which of them are still there to be asked about."""
        self.backend_row = RunBackend.objects.get(pk=self.operation.run_backend_id)
        self.storage = storage_for(DataLocation.objects.get(pk=self.operation.location_id))
        self.storage.check_identity()
        self.jobs = list(ProcessingJob.objects.at_backend().filter(pk__in=self.operation.jobs))
        self.folders = {job.pk: JobFolder(job.submission_name, self.storage, job.folder_key) for job in self.jobs}
        self.reports: dict[int, JobReport] = {}
        self.logs: dict[int, str] = {}

    def work(self) -> None:
        backend = backend_of(self.backend_row.backend, self.backend_row.run_parameters)
        cancelled = [self.folders[job.pk] for job in self.jobs if job.cancel_requested_at is not None]
        if cancelled:
            backend.cancel(cancelled)
        by_name = backend.reports(list(self.folders.values()))
        for job in self.jobs:
            self.lease.check()
            folder = self.folders[job.pk]
            self.reports[job.pk] = by_name[folder.name]
            self.logs[job.pk] = _keep_log(job, folder)

    def record(self) -> None:
        """Each job for itself, unless somebody else moved it meanwhile."""
        super().record()
        locked = ProcessingJob.objects.select_for_update(of=("self",)).filter(pk__in=self.reports).order_by("pk")
        for job in locked.select_related("processing_run"):
            name = self.folders[job.pk].name
            if job.status in AT_BACKEND and job.submission_name == name:
                self._move(job, self.reports[job.pk])

    def _move(self, job: ProcessingJob, report: JobReport) -> None:
        if report.started_at is not None or report.state in (JobState.RUNNING, JobState.COMPLETED):
            _begin(job.processing_run, report)
        measured: dict[str, Any] = {"log_name": self.logs[job.pk]}
        if report.state == JobState.RUNNING and job.status == JobStatus.SUBMITTED:
            transition(job, JobStatus.RUNNING, **measured)
        if report.state not in _OVER:
            ProcessingJob.objects.filter(pk=job.pk).update(message=report.message, log_name=self.logs[job.pk])
            return
        measured |= {"wall_seconds": report.wall_seconds, "peak_bytes": report.peak_bytes, "message": report.message}
        if report.state == JobState.COMPLETED:
            # Cancelled too late: it is done, and well.
            transition(job, JobStatus.COLLECTING, **measured)
            return
        if report.exit_code is not None:
            ProcessingRun.objects.filter(pk=job.processing_run_id).update(exit_code=report.exit_code)
        measured["finished_at"] = timezone.now()
        if job.cancel_requested_at is not None:
            transition(job, JobStatus.CANCELLED, **measured)
        elif report.state == JobState.FAILED:
            transition(job, JobStatus.FAILED, error_code="run.command_failed", **measured)
        elif job.submissions < MAX_SUBMISSIONS:
            again = f"Submission {job.submissions} was lost and it is submitted again. {report.message}"
            self.log.warning("%s: %s", job, again)
            measured |= {"finished_at": None, "message": again, "submissions": job.submissions + 1, "backend_id": ""}
            transition(job, JobStatus.READY, **measured)
        else:
            measured["message"] = f"It was lost {job.submissions} times. {report.message}"
            transition(job, JobStatus.FAILED, error_code="run.lost", **measured)


def _begin(run: ProcessingRun, report: JobReport) -> None:
    """The run began, at the latest now."""
    if run.status == RunStatus.PENDING:
        now = timezone.now()
        start = now if report.started_at is None else datetime.fromtimestamp(max(0.0, report.started_at), UTC)
        transition(run, RunStatus.RUNNING, start_time=min(start, now))


def _keep_log(job: ProcessingJob, folder: JobFolder) -> str:
    """What it said so far, in the storage of logs, so that the portal can show it wherever it runs."""
    name = f"runs/{job.processing_run_id}/{job.submissions}.log"
    storage = storages["logs"]
    if storage.exists(name):
        storage.delete(name)
    saved: str = storage.save(name, ContentFile(log_of(folder).encode()))
    return saved
