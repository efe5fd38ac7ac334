"""Stage 70: copies that nothing needs any more go, in batches.

In: copies at SOURCE, BUFFER and PROCESSING locations whose package is archived (or whose bundle is unpacked) and for
which ``reasons_to_keep`` finds nothing. Out: Deletion batches; DELETION_POSSIBLE for raw files that only retention
keeps; DELETION_PENDING where an operator has to approve; marks taken back when a reason to keep appears. Where only a
full read of archive copies is lacking, stage 90 is asked for it first. Whether they are there is looked at by the
operation. Safe to repeat because: a copy enters one batch (its own status), and the operation asks again before it
touches anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from ccatdc.common.states import Status, transition_all
from datamgmt.copies.recording import want_check
from datamgmt.models import DataLocation, DeletionMode, LocationType, PhysicalCopy
from datamgmt.models.copies import CopyType
from datamgmt.states import PackageState, PhysicalCopyStatus, WantedCheck
from transfer.managers.base import StageManager
from transfer.models import DataTransfer, StagingJob
from transfer.retention.deletions import BATCH, MARKS, put_back, schedule
from transfer.retention.facts import facts_about
from transfer.retention.rules import ONLY_TIME, lasting, reasons_to_keep, to_check

#: Copies of a location that are read at once.
PAGE = 5000
#: Where a location has more copies than that, a look takes about so long, and after one in vain the next one begins so
#: much later: what is deletable there has waited for days, and the other stages should not wait for it.
LOOK_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 10.0


@dataclass
class Walk:
    """How far the look at a location has come: copies in the order of their ids, again and again."""

    after: int = 0
    not_before: float = 0.0


class DeletionManager(StageManager[DataLocation]):
    """One location at a time. Long-term archives are not even looked at."""

    name = "delete"

    def __init__(self) -> None:
        super().__init__()
        self._walks: dict[int, Walk] = {}

    def find_work(self) -> Iterable[DataLocation]:
        """Active locations where copies may be deleted and a look is due."""
        found = DataLocation.objects.active().of_type(LocationType.SOURCE, LocationType.BUFFER, LocationType.PROCESSING)
        now = time.monotonic()
        for location in found.with_site().exclude(deletion_mode=DeletionMode.OFF).by_priority():
            if self._walks.setdefault(location.pk, Walk()).not_before <= now:
                yield location

    def plan(self, work: DataLocation) -> int:
        """Batches of what may go; marks for what waits only for time or for approval."""
        walk = self._walks.setdefault(work.pk, Walk())
        began_at, until = walk.after, time.monotonic() + LOOK_SECONDS
        copies = _candidates(work, _next_page(work, walk))
        while walk.after and not copies and time.monotonic() < until:
            copies = _candidates(work, _next_page(work, walk))
        batches = self._judge(work, copies)
        if not batches and (began_at or walk.after):
            walk.not_before = time.monotonic() + LOOK_AGAIN_SECONDS
        return batches

    def _judge(self, location: DataLocation, copies: Sequence[PhysicalCopy]) -> int:
        free: list[int] = []
        to_read: set[int] = set()
        only_time: list[int] = []
        needed: list[int] = []
        # An approval may take days: what it allows is read when it is given.
        reads_first = location.deletion_mode != DeletionMode.APPROVAL
        for facts in facts_about(copies):
            copy, reasons = facts.copy, reasons_to_keep(facts)
            stays_for = {reason.code for reason in lasting(reasons)}
            unread = to_check(reasons, WantedCheck.READ) if reads_first else set()
            if not stays_for and not unread:
                free.append(copy.pk)
            elif not stays_for:
                to_read |= unread
            elif (
                stays_for <= ONLY_TIME
                and copy.type == CopyType.RAW_DATA_FILE
                and copy.status != PhysicalCopyStatus.DELETION_PENDING
            ):
                only_time.append(copy.pk)
            elif copy.status in MARKS:
                needed.append(copy.pk)
        put_back(needed)
        want_check(to_read, WantedCheck.READ)
        rows = PhysicalCopy.objects.non_polymorphic()
        transition_all(rows.filter(pk__in=only_time), PhysicalCopyStatus.DELETION_POSSIBLE)
        if location.deletion_mode == DeletionMode.APPROVAL:
            transition_all(rows.filter(pk__in=free), PhysicalCopyStatus.DELETION_PENDING)
            return 0
        return sum(schedule(location, batch) is not None for batch in _batches(free))


def _next_page(location: DataLocation, walk: Walk) -> list[int]:
    """The ids of the next copies here that may be deleted at all; ends the walk at the last one."""
    rows = PhysicalCopy.objects.non_polymorphic().at(location).deletable_states()
    page = rows.filter(pk__gt=walk.after).order_by("pk").values_list("pk", flat=True)[:PAGE]
    ids = list(page)
    walk.after = ids[-1] if len(ids) == PAGE else 0
    return ids


def _candidates(location: DataLocation, ids: Sequence[int]) -> list[PhysicalCopy]:
    """Of these copies those about which it is worth to ask the rule: a query knows the plainest of its reasons, and
    spares thousands of rows.
    """
    archived = Q(raw_data_package__state=PackageState.ARCHIVED)
    archived |= Q(raw_data_file__raw_data_package__state=PackageState.ARCHIVED)
    # Those are asked about in any case: the mark must go when a reason to keep appears.
    is_pending = Q(status=PhysicalCopyStatus.DELETION_PENDING)
    rows = PhysicalCopy.objects.filter(pk__in=ids).filter(
        is_pending | (archived & ~_waits(location)) | _is_sent_bundle()
    )
    return list(rows.with_subjects().order_by("pk"))


def _waits(location: DataLocation) -> Q:
    """For time, for the package in the buffer, or for a staging job."""
    in_buffer = PhysicalCopy.objects.non_polymorphic().existing()
    in_buffer = in_buffer.of_type_of_location(LocationType.BUFFER).filter(
        data_location__site=location.site, raw_data_package=OuterRef("raw_data_file__raw_data_package")
    )
    jobs = StagingJob.objects.active().filter(
        raw_data_packages=OuterRef("raw_data_package"), destination_location=location
    )
    waits = Q(Exists(in_buffer), raw_data_file__isnull=False) | Q(Exists(jobs))
    if not location.under_pressure and location.location_type != LocationType.PROCESSING:
        until = timezone.now() - timedelta(days=location.effective_retention_days)
        waits |= Q(raw_data_package__archived_at__gt=until)
        # Files that are not marked yet are asked about once, and marked.
        waits |= Q(status=PhysicalCopyStatus.DELETION_POSSIBLE, raw_data_file__raw_data_package__archived_at__gt=until)
    return waits


def _is_sent_bundle() -> Q:
    transfers: Any = DataTransfer.objects.non_polymorphic().filter(
        data_transfer_package=OuterRef("data_transfer_package"), status__in=(Status.COMPLETED, Status.FAILED)
    )
    return Q(Exists(transfers), type=CopyType.DATA_TRANSFER_PACKAGE)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(ids), BATCH):
        yield ids[first : first + BATCH]
