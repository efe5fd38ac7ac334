"""Stage 62: runs that were asked for get their inputs, and are handed over to a backend.

In: processing jobs before their submission. Out: a staging job for the inputs, then one RunSubmission for each submission. Safe to
repeat because: a job is planned under its lock, a submission has one operation (constraint), and the operation
submits under a name that the backend knows again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from ccatdc.common.errors import Blocked, RequestError
from ccatdc.common.states import OPEN_STATUSES, Status, transition
from datamgmt.models import DataLocation, RawDataPackage
from transfer.managers.base import StageManager
from transfer.models import ProcessingJob, RunBackend, RunSubmission, StagingJob
from transfer.models.jobs import MAX_KEEP_DAYS
from transfer.models.runs import AT_BACKEND, JobStatus
from transfer.staging.requests import request_staging

#: Refusals of a staging request that pass by themselves, or when an operator has done something.
_WAITS: Final = frozenset(
    {"staging.no_room", "staging.not_archived", "staging.no_good_copy", "staging.location_inactive"}
)


class SubmitManager(StageManager[ProcessingJob]):
    """One job at a time, the most urgent first."""

    name = "submit"

    def find_work(self) -> Iterable[ProcessingJob]:
        """All that are not with a backend yet."""
        jobs = ProcessingJob.objects.before_submission().for_listing()
        return jobs.order_by("processing_run__priority", "created_at", "pk")

    def plan(self, work: ProcessingJob) -> int:
        """The next step of the job."""
        job = ProcessingJob.objects.select_for_update(of=("self",)).for_listing().get(pk=work.pk)
        step = {JobStatus.PENDING: self._stage, JobStatus.STAGING: self._look, JobStatus.READY: self._submit}
        submission = RunSubmission.objects.filter(processing_job=job, submission=job.submissions).first()
        if job.cancel_requested_at is not None and (submission is None or submission.status not in OPEN_STATUSES):
            transition(
                job, JobStatus.CANCELLED, finished_at=timezone.now(), message="Cancelled before it was submitted."
            )
            return 1
        return step[JobStatus(job.status)](job, submission)

    def _stage(self, job: ProcessingJob, _submission: RunSubmission | None) -> int:
        run = job.processing_run
        packages = set(run.input_packages.order_by().values_list("pk", flat=True))
        of_products = RawDataPackage.objects.filter(raw_data_files__data_product__in=run.input_products.all())
        packages.update(of_products.order_by().values_list("pk", flat=True))
        executions = list(run.input_observations.order_by().values_list("pk", flat=True))
        try:
            with transaction.atomic():
                staging_job = request_staging(
                    job.requester, packages, job.pipeline.run_backend.location, f"Run {run.pk}", executions=executions
                )
        except RequestError as error:
            if error.code in _WAITS:
                raise Blocked(f"The inputs of {job}: {error.message}", code=error.code, remedy=error.remedy) from error
            return _fail(job, code=error.code, message=f"Its inputs cannot be staged: {error}")
        until = timezone.now() + timedelta(days=MAX_KEEP_DAYS)
        StagingJob.objects.filter(pk=staging_job.pk).update(expires_at=until)
        transition(job, JobStatus.STAGING, staging_job=staging_job)
        return 1

    def _look(self, job: ProcessingJob, _submission: RunSubmission | None) -> int:
        staging_job = job.staging_job
        if staging_job is None or not staging_job.active:
            return _fail(
                job, code="run.inputs_not_staged", message="Its inputs were given up: their staging job is over."
            )
        if staging_job.status == Status.FAILED:
            return _fail(job, code="run.inputs_not_staged", message=f"Its inputs: {staging_job.failure_error_message}")
        if staging_job.status != Status.COMPLETED:
            return 0
        transition(job, JobStatus.READY)
        return 1

    def _submit(self, job: ProcessingJob, submission: RunSubmission | None) -> int:
        if submission is not None:
            if submission.status == Status.FAILED:
                return _fail(job, code=submission.error_code, message=submission.error_message)
            return 0
        backend = RunBackend.objects.select_for_update(of=("self",)).get(pk=job.pipeline.run_backend_id)
        _require_turn(backend)
        location = DataLocation.objects.with_site().get(pk=backend.location_id)
        return self.submit(
            RunSubmission.objects.create(processing_job=job, submission=job.submissions, location=location)
        )


def _require_turn(backend: RunBackend) -> None:
    """Blocked while the backend is off, or has enough to do."""
    if not backend.active:
        raise Blocked(f"{backend} is switched off.", code="run.backend_off", remedy="Switch it on in the portal.")
    at_once = backend.run_parameters.at_once
    there = ProcessingJob.objects.filter(pipeline__run_backend=backend, status__in=AT_BACKEND).count()
    on_the_way = RunSubmission.objects.non_polymorphic().open().filter(location=backend.location_id).count()
    if there + on_the_way >= at_once:
        raise Blocked(
            f"{backend} has {at_once} runs at once, as many as it may.",
            code="run.backend_busy",
            remedy="It goes on when one of them is over.",
        )


def _fail(job: ProcessingJob, *, code: str, message: str) -> int:
    transition(job, JobStatus.FAILED, finished_at=timezone.now(), error_code=code, message=message)
    return 1
