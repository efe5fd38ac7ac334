"""The questions that the flow asks about copies, by name; those about locations, files and packages are in
datamgmt/querysets.py.

Works on names of related fields only: it imports no model, so that models may use it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q
from polymorphic.managers import PolymorphicManager, PolymorphicQuerySet

from datamgmt.states import READABLE, Integrity, PhysicalCopyStatus

if TYPE_CHECKING:
    from datamgmt.models import DataLocation

#: Verdicts under which a file or a copy may be used.
USABLE = (Integrity.OK, Integrity.UNVERIFIED)
IN_TROUBLE = (Integrity.SUSPECT, Integrity.DAMAGED, Integrity.MISSING)


class PhysicalCopyQuerySet(PolymorphicQuerySet[Any]):
    """Questions about copies."""

    def visible_to(self, user: Any) -> PhysicalCopyQuerySet:
        """Of files and packages that the person may see. Bundles mix programs: they are for operators."""
        return self.filter(
            Q(Exists(self._subjects("raw_data_file", user)))
            | Q(Exists(self._subjects("raw_data_package", user)))
        )

    def _subjects(self, kind: str, user: Any) -> Any:
        rows: Any = self.model._meta.get_field(kind).related_model
        return rows.objects.order_by().visible_to(user).filter(pk=OuterRef(f"{kind}_id"))

    def existing(self) -> PhysicalCopyQuerySet:
        """Not deleted."""
        return self.exclude(status=PhysicalCopyStatus.DELETED)

    def readable(self) -> PhysicalCopyQuerySet:
        """Where the row says, and not on its way out."""
        return self.filter(status__in=READABLE)

    def good(self) -> PhysicalCopyQuerySet:
        """Readable and verified."""
        return self.readable().filter(integrity=Integrity.OK)

    def usable(self) -> PhysicalCopyQuerySet:
        """Readable, and nothing is said against it: whoever reads it compares its digest."""
        return self.readable().filter(integrity__in=USABLE)

    def in_trouble(self) -> PhysicalCopyQuerySet:
        """Suspect, damaged or missing; what an operator has to look at."""
        return self.existing().filter(integrity__in=IN_TROUBLE)

    def at(self, location: DataLocation) -> PhysicalCopyQuerySet:
        """At this location."""
        return self.filter(data_location=location)

    def at_active(self) -> PhysicalCopyQuerySet:
        """At locations in use, at sites in use: what is elsewhere cannot be read now."""
        return self.filter(data_location__active=True, data_location__site__active=True)

    def at_any(self, location_ids: Iterable[int]) -> PhysicalCopyQuerySet:
        """At one of these locations."""
        return self.filter(data_location_id__in=list(location_ids))

    def of_type_of_location(self, location_type: str) -> PhysicalCopyQuerySet:
        """At locations of this type."""
        return self.filter(data_location__location_type=location_type)

    def in_archives(self) -> PhysicalCopyQuerySet:
        """At long-term archives."""
        return self.of_type_of_location("long_term_archive")

    def outside_archives(self) -> PhysicalCopyQuerySet:
        """Anywhere else."""
        return self.exclude(data_location__location_type="long_term_archive")

    def of_package(self, package_id: Any) -> PhysicalCopyQuerySet:
        """Of this package."""
        return self.filter(raw_data_package_id=package_id)

    def deletable_states(self) -> PhysicalCopyQuerySet:
        """In a state from which a deletion can be scheduled. A deletion that failed is no such state:
        its batch tries again, or an operator has it tried again.
        """
        return self.filter(
            status__in=(
                PhysicalCopyStatus.PRESENT,
                PhysicalCopyStatus.STAGED,
                PhysicalCopyStatus.DELETION_POSSIBLE,
                PhysicalCopyStatus.DELETION_PENDING,
            )
        )

    def with_subjects(self) -> PhysicalCopyQuerySet:
        """With what paths and pages need. Locations come as their own kind (disk, S3), which a join would not give."""
        subjects = self.select_related("raw_data_file", "raw_data_package", "data_transfer_package")
        return subjects.prefetch_related("data_location__site")


class PhysicalCopyManager(PolymorphicManager.from_queryset(PhysicalCopyQuerySet)):  # type: ignore[misc]
    """Copies as their own kind (file, package, bundle)."""
