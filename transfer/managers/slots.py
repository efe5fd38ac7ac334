"""Slots that passed without an observation are missed. Beside the stages.

In: slots that are planned and over, in which nothing is observed any more. Out: their status. One in which an
observation ends later is done (planning/scheduling/progress.py). Safe to repeat because: a slot that is not planned any
more is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from ccatdc.common.states import transition_all
from planning.models import PreScheduledSlot, SlotStatus
from transfer.managers.base import StageManager

PER_PASS = 1000


class SlotManager(StageManager[tuple[int, ...]]):
    name = "slots"

    def find_work(self) -> Iterable[tuple[int, ...]]:
        """All at once: one statement for any number."""
        keys = tuple(PreScheduledSlot.objects.passed(timezone.now()).values_list("pk", flat=True)[:PER_PASS])
        return [keys] if keys else []

    def plan(self, work: tuple[int, ...]) -> int:
        transition_all(PreScheduledSlot.objects.filter(pk__in=work), SlotStatus.MISSED)
        return 0
