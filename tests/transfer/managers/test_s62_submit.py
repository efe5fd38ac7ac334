"""Which run is handed over when; the whole way is in tests/transfer/test_runs.py."""

from __future__ import annotations

import pytest

from ccatdc.common.states import Status
from datamgmt.models import RunStatus
from tests.factories.transfer import ProcessingJobFactory, RunSubmissionFactory
from transfer.managers.s62_submit import SubmitManager
from transfer.models import ProcessingJob, RunSubmission
from transfer.models.runs import JobStatus

pytestmark = pytest.mark.django_db


def planned(job: ProcessingJob) -> ProcessingJob:
    SubmitManager().run_once()
    job.refresh_from_db()
    return job


def test_a_ready_job_gets_one_submission() -> None:
    job = ProcessingJobFactory.create(status=JobStatus.READY)
    for _ in range(2):
        assert planned(job).status == JobStatus.READY
    submission = RunSubmission.objects.get()
    assert (submission.processing_job, submission.submission) == (job, 1)
    assert submission.location == job.pipeline.run_backend.location


def test_after_a_lost_node_the_next_number_is_submitted() -> None:
    job = ProcessingJobFactory.create(status=JobStatus.READY, submissions=2)
    RunSubmissionFactory.create(processing_job=job, completed=True)
    planned(job)
    assert sorted(RunSubmission.objects.values_list("submission", "status")) == [
        (1, Status.COMPLETED),
        (2, Status.SCHEDULED),
    ]


def test_a_submission_that_failed_ends_job_and_run() -> None:
    job = ProcessingJobFactory.create(status=JobStatus.READY)
    RunSubmissionFactory.create(processing_job=job, failed=True)
    assert planned(job).status == JobStatus.FAILED
    assert job.error_code
    job.processing_run.refresh_from_db()
    assert job.processing_run.status == RunStatus.FAILED
