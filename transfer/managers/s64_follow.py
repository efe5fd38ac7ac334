"""Stage 64: backends are asked how their jobs are, all jobs of a backend in one question.

In: backends with jobs whose last question is older than their interval. Out: one short RunFollowing each; those of more than an
hour ago are forgotten with their logs. Safe to repeat because: a backend has one open question (constraint).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.utils import timezone

from ccatdc.common.states import Status
from transfer.engine.worker.logs import remove_logs
from transfer.managers.base import StageManager
from transfer.models import ProcessingJob, RunBackend, RunFollowing

KEEP: Final = timedelta(hours=1)


class FollowManager(StageManager[RunBackend]):
    name = "follow"

    def find_work(self) -> Iterable[RunBackend]:
        """Those that are due and are not asked at this moment."""
        busy = RunFollowing.objects.non_polymorphic().open().values("run_backend")
        due = RunBackend.objects.due(timezone.now()).exclude(pk__in=busy)
        return due.select_related("location__site")

    def plan(self, work: RunBackend) -> int:
        old = RunFollowing.objects.non_polymorphic().filter(
            run_backend=work, status__in=(Status.COMPLETED, Status.FAILED), finished_at__lt=timezone.now() - KEEP
        )
        remove_logs(old.values_list("pk", "claims"))
        old.delete()
        jobs = ProcessingJob.objects.at_backend().filter(pipeline__run_backend=work)
        RunBackend.objects.filter(pk=work.pk).update(followed_at=timezone.now())
        return self.submit(
            RunFollowing.objects.create(
                run_backend=work,
                jobs=list(jobs.order_by("pk").values_list("pk", flat=True)),
                location=work.location,
                priority=1,
                max_attempts=1,
            )
        )
