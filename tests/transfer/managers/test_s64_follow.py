"""When a backend is asked about its jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories.transfer import ProcessingJobFactory
from transfer.managers.s64_follow import FollowManager
from transfer.models import RunBackend, RunFollowing
from transfer.models.runs import JobStatus

pytestmark = pytest.mark.django_db


def test_one_question_for_all_jobs_of_a_backend() -> None:
    jobs = [ProcessingJobFactory.create(status=status) for status in (JobStatus.SUBMITTED, JobStatus.RUNNING)]
    ProcessingJobFactory.create(status=JobStatus.READY)
    for _ in range(2):
        FollowManager().run_once()
    assert RunFollowing.objects.get().jobs == [job.pk for job in jobs]


@pytest.mark.parametrize(("seconds", "asked"), [(5, 0), (60, 1)])
def test_not_before_its_interval_is_over(seconds: int, asked: int) -> None:
    job = ProcessingJobFactory.create(status=JobStatus.RUNNING)
    RunBackend.objects.update(followed_at=timezone.now() - timedelta(seconds=seconds), follow_seconds=30)
    assert FollowManager().run_once() == asked
    assert RunFollowing.objects.filter(jobs=[job.pk]).count() == asked


def test_a_backend_without_jobs_is_left_alone() -> None:
    ProcessingJobFactory.create(status=JobStatus.COLLECTING)
    assert FollowManager().run_once() == 0
