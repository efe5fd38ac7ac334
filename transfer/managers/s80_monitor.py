"""Stage 80: every registered location is looked at regularly.

In: locations whose last check is older than their interval. Out: one LocationCheck each; checks of more than a day ago
are forgotten with their logs (their findings are on the location and in the metrics). Safe to repeat because: a location has one open
check (constraint).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from transfer.engine.worker.logs import remove_logs
from transfer.managers.base import StageManager
from transfer.models import LocationCheck

KEEP_CHECKS = timedelta(days=1)


class MonitorManager(StageManager[DataLocation]):
    name = "monitor"

    def find_work(self) -> Iterable[DataLocation]:
        """Those that are due and have no check under way."""
        busy = LocationCheck.objects.non_polymorphic().open().values("location")
        due = DataLocation.objects.active().with_site().due_for_check(timezone.now())
        found: Iterable[DataLocation] = due.exclude(pk__in=busy)
        return found

    def plan(self, work: DataLocation) -> int:
        old = LocationCheck.objects.non_polymorphic().filter(
            location=work, status__in=(Status.COMPLETED, Status.FAILED), finished_at__lt=timezone.now() - KEEP_CHECKS
        )
        remove_logs(old.values_list("pk", "claims"))
        old.delete()
        return self.submit(LocationCheck.objects.create(location=work, priority=1, max_attempts=1))
