"""Stage 70: copies that nothing needs any more go, in batches.

In: copies at SOURCE, BUFFER and PROCESSING locations whose package is archived (or whose bundle is unpacked) and for which
``reasons_to_keep`` finds nothing.
Out: Deletion batches; DELETION_POSSIBLE for raw files that only retention keeps; DELETION_PENDING where an operator has to approve.
Safe to repeat because: a copy enters one batch (its own status), and the operation asks again before it touches anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from ccatdc.common.states import Status, transition_all
from datamgmt.models import DataLocation, DeletionMode, LocationType, PhysicalCopy
from datamgmt.models.copies import CopyType
from datamgmt.states import PackageState, PhysicalCopyStatus
from transfer.deletions import BATCH, schedule
from transfer.managers.base import StageManager
from transfer.models import DataTransfer
from transfer.retention import ONLY_TIME, reasons_to_keep
from transfer.retention_facts import facts_about

#: Copies judged at one location in one pass.
PASS_LIMIT = 5000


class DeletionManager(StageManager[DataLocation]):
    """One location at a time. Long-term archives are not even looked at."""

    name = "delete"

    def __init__(self) -> None:
        super().__init__()
        # Where the next look at each location starts: copies that must stay do not hide those behind them.
        self._after: dict[int, int] = {}

    def find_work(self) -> Iterable[DataLocation]:
        """Active locations where copies may be deleted."""
        found = DataLocation.objects.active().of_type(
            LocationType.SOURCE, LocationType.BUFFER, LocationType.PROCESSING
        )
        return found.with_site().exclude(deletion_mode=DeletionMode.OFF).by_priority()

    def plan(self, work: DataLocation) -> int:
        """Batches of what may go; marks for what waits only for time or for approval."""
        copies = self._candidates(work)
        free: list[PhysicalCopy] = []
        only_time: list[int] = []
        for facts in facts_about(copies):
            reasons = {reason.code for reason in reasons_to_keep(facts)}
            if not reasons:
                free.append(facts.copy)
            elif reasons <= ONLY_TIME and facts.copy.type == CopyType.RAW_DATA_FILE:
                only_time.append(facts.copy.pk)
        self._mark(only_time, PhysicalCopyStatus.DELETION_POSSIBLE)
        if work.deletion_mode == DeletionMode.APPROVAL:
            self._mark([copy.pk for copy in free], PhysicalCopyStatus.DELETION_PENDING)
            return 0
        return sum(bool(schedule(work, batch)) for batch in _batches(free))

    def _candidates(self, location: DataLocation) -> list[PhysicalCopy]:
        """The next copies here that an index says may go; the rule itself is asked about each."""
        archived = Q(raw_data_package__state=PackageState.ARCHIVED) | Q(
            raw_data_file__raw_data_package__state=PackageState.ARCHIVED
        )
        if not location.under_pressure:
            # What is marked as waiting for time only need not be judged again before its time.
            until = timezone.now() - timedelta(days=location.effective_retention_days)
            archived &= ~Q(status=PhysicalCopyStatus.DELETION_POSSIBLE) | Q(
                raw_data_file__raw_data_package__archived_at__lte=until
            )
        unpacked = Q(type=CopyType.DATA_TRANSFER_PACKAGE) & Exists(
            DataTransfer._base_manager.filter(
                data_transfer_package=OuterRef("data_transfer_package"),
                status__in=(Status.COMPLETED, Status.FAILED),
            )
        )
        rows = PhysicalCopy.objects.at(location).deletable_states().filter(archived | unpacked)
        after = self._after.get(location.pk, 0)
        page = list(rows.filter(pk__gt=after).with_subjects().order_by("pk")[:PASS_LIMIT])
        self._after[location.pk] = page[-1].pk if len(page) == PASS_LIMIT else 0
        return page

    @staticmethod
    def _mark(ids: Sequence[int], status: str) -> None:
        if ids:
            transition_all(PhysicalCopy.objects.non_polymorphic().filter(pk__in=ids), status)


def _batches(copies: Sequence[PhysicalCopy]) -> Iterable[list[PhysicalCopy]]:
    rest = iter(copies)
    while batch := list(islice(rest, BATCH)):
        yield batch
