"""Stage 95: what is stored is compared with the catalogue regularly, and what people decided about unrecorded files is done.

In: locations whose last inventory is older than their interval; unrecorded files that somebody wants adopted or removed.
Out: one Inventory at a location at a time. Safe to repeat because: a location has one open inventory (constraint).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from datamgmt.filing.unrecorded import file_by_rule
from datamgmt.models import DataLocation, UnrecordedFile
from transfer.managers.base import StageManager
from transfer.models import Inventory

#: Listing never goes before other work; what a person decided does.
LISTING_PRIORITY: Final = 9
DECIDED_PRIORITY: Final = 4


@dataclass(frozen=True, slots=True)
class Due:
    """A location, and whether all of it is listed."""

    location: DataLocation
    is_full: bool

    def __str__(self) -> str:
        return self.location.full_name


class InventoryManager(StageManager[Due]):
    name = "inventory"

    def find_work(self) -> Iterable[Due]:
        """Those that are due and have none under way. What data streams claim of the unrecorded files is filed first."""
        file_by_rule()
        busy = Inventory.objects.non_polymorphic().open().values("location")
        places = DataLocation.objects.active().registered().with_site().exclude(pk__in=busy)
        due = set(places.due_for_inventory(timezone.now()).values_list("pk", flat=True))
        decided = set(UnrecordedFile.objects.to_do().values_list("location", flat=True))
        for location in places.filter(pk__in=due | decided).by_priority():
            yield Due(location, location.pk in due)

    def plan(self, work: Due) -> int:
        priority = LISTING_PRIORITY if work.is_full else DECIDED_PRIORITY
        return self.submit(Inventory.objects.create(location=work.location, is_full=work.is_full, priority=priority))
