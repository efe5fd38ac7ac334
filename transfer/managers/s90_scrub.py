"""Stage 90: what somebody needs to know about copies, and what nobody has read for long, is looked at or read.

In: copies that a deletion waits for (looks, then reads, largest first: what frees most room); once a day bad ones,
since what a store answers may pass; package copies at BUFFER and archive whose evidence is older than the location's
scrub period, the oldest first. Out: one Verification of a kind at a location at a time, of about as many bytes as one
package has at most, so that a lost worker loses little. Safe to repeat because: a location has one open verification of
a kind (constraint), and reading changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.utils import timezone

from datamgmt.models import DataLocation, LocationType, PhysicalCopy
from datamgmt.models.packages import PACKAGE_MAX_BYTES
from datamgmt.states import WantedCheck
from transfer.managers.base import StageManager
from transfer.models import Verification

#: Copies in one verification: of looks, a request each; of reads, besides the bytes.
MOST_LOOKS: Final = 500
MOST_READS: Final = 200
#: How long a verdict against a copy stands before it is asked again.
DOUBT: Final = timedelta(days=1)
#: Reading what nobody waits for never goes before other work.
SCRUB_PRIORITY: Final = 9
WANTED_PRIORITY: Final = 4


@dataclass(frozen=True, slots=True)
class Check:
    """Copies of one location that one verification takes."""

    location: DataLocation
    kind: str
    copies: tuple[int, ...]
    size: int
    priority: int

    def __str__(self) -> str:
        return f"{len(self.copies)} copies at {self.location.full_name}"


class ScrubManager(StageManager[Check]):
    name = "scrub"

    def find_work(self) -> Iterable[Check]:
        """At most one look and one read for each location."""
        places = DataLocation.objects.active().of_type(LocationType.BUFFER, LocationType.LONG_TERM_ARCHIVE)
        running = Verification.objects.non_polymorphic().open()
        busy = set(running.values_list("subject", flat=True))
        for location in places.with_site().by_priority():
            for check in _checks(location):
                if f"{check.kind}@{location.pk}" not in busy:
                    yield check
                    busy.add(f"{check.kind}@{location.pk}")

    def plan(self, work: Check) -> int:
        operation = Verification.objects.create(
            location=work.location,
            kind=work.kind,
            copies=list(work.copies),
            total_bytes=work.size if work.kind == WantedCheck.READ else None,
            priority=work.priority,
        )
        return self.submit(operation)


def _checks(location: DataLocation) -> Iterator[Check]:
    here = PhysicalCopy.objects.non_polymorphic().at(location)
    looks = here.wanted(WantedCheck.LOOK).order_by("pk").values_list("pk", flat=True)[:MOST_LOOKS]
    if looks:
        yield Check(location, WantedCheck.LOOK, tuple(looks), 0, WANTED_PRIORITY)
    wanted = here.wanted(WantedCheck.READ).order_by("-size", "pk")
    if copies := list(wanted.values_list("pk", "size")[:MOST_READS]):
        yield _read(location, copies, WANTED_PRIORITY)
    in_doubt = here.in_doubt(timezone.now() - DOUBT)
    if copies := list(in_doubt.values_list("pk", "size")[:MOST_READS]):
        yield _read(location, copies, SCRUB_PRIORITY)
    if location.scrub_days:
        before = timezone.now() - timedelta(days=location.scrub_days)
        due = here.due_for_scrub(before).values_list("pk", "size")[:MOST_READS]
        if copies := list(due):
            yield _read(location, copies, SCRUB_PRIORITY)


def _read(location: DataLocation, copies: list[tuple[int, int]], priority: int) -> Check:
    """As many of these as make up one verification; the first one in any case."""
    chosen: list[int] = []
    size = 0
    for pk, count in copies:
        if chosen and size + count > PACKAGE_MAX_BYTES:
            break
        chosen.append(pk)
        size += count
    return Check(location, WantedCheck.READ, tuple(chosen), size, priority)
