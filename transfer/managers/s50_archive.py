"""Stage 50: every active archive gets a copy of every package; the first one makes the package ARCHIVED.

In: packages with a good copy in a BUFFER of the archive's site; packages archived elsewhere (secondary routes: replicas, and all
history when an archive is added).
Out: one LongTermArchiveTransfer at the archive.
Safe to repeat because: one open operation for a package and an archive (constraint), none where a copy is or one failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from ccatdc.common.states import Status
from datamgmt.models import (
    DataLocation,
    DataTransferPackage,
    LocationType,
    PhysicalCopy,
    RawDataPackage,
)
from transfer.managers.base import StageManager
from transfer.models import LongTermArchiveTransfer
from transfer.routes import archive_origin, buffers
from transfer.waits import Waits

#: Packages planned for one archive in one pass: history comes in portions, so that new data is not kept waiting.
PASS_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Missing:
    """A package that an archive lacks."""

    package: RawDataPackage
    archive: DataLocation

    def __str__(self) -> str:
        return f"package {self.package} for {self.archive.full_name}"


class ArchiveManager(StageManager[Missing]):
    """New packages from the site's own buffers first, then what other archives have."""

    name = "archive"

    def find_work(self) -> Iterable[Missing]:
        """For each archive what it lacks and can be had."""
        found = DataLocation.objects.active().of_type(LocationType.LONG_TERM_ARCHIVE)
        for archive in found.with_site().by_priority():
            for package in self._lacking(archive):
                yield Missing(package, archive)

    def _lacking(self, archive: DataLocation) -> list[RawDataPackage]:
        lacking = RawDataPackage.objects.without_copy_at(archive).filter(
            ~Exists(
                LongTermArchiveTransfer.objects.filter(
                    raw_data_package=OuterRef("pk"), destination_location=archive
                ).exclude(status=Status.COMPLETED)
            )
        )
        new = lacking.filter(status=Status.COMPLETED).with_good_copy_at(*buffers(archive.site))
        portion = list(new.oldest_first()[:PASS_LIMIT])
        if len(portion) < PASS_LIMIT:
            history = lacking.archived().filter(~Exists(on_their_way_to(archive)))
            copies = PhysicalCopy.objects.non_polymorphic().in_archives().good()
            history = history.filter(
                Exists(
                    copies.filter(raw_data_package=OuterRef("pk")).exclude(data_location=archive)
                )
            ).exclude(pk__in=[package.pk for package in portion])
            portion += history.oldest_first()[: PASS_LIMIT - len(portion)]
        return portion

    def plan(self, work: Missing) -> int:
        """One archive transfer from the nearest good copy."""
        if not work.archive.registered_at:
            raise Waits(
                f"{work.archive.full_name} is not registered.",
                code="location.unregistered",
                remedy=f"Run: manage.py register_location {work.archive.full_name}",
            )
        origin = archive_origin(work.package.pk, work.archive)
        if origin is None:
            return 0
        operation = LongTermArchiveTransfer.objects.create(
            raw_data_package=work.package,
            location=work.archive,
            origin_location=origin.data_location,
            destination_location=work.archive,
            priority=5 if origin.data_location.location_type == LocationType.BUFFER else 7,
            total_bytes=work.package.size,
        )
        return self.submit(operation)


def on_their_way_to(archive: DataLocation) -> QuerySet[DataTransferPackage]:
    """Bundles that still bring the outer query's package to the archive's site: no second way is opened."""
    return DataTransferPackage.objects.filter(
        Q(destination_site=archive.site) | Q(final_site=archive.site),
        raw_data_packages=OuterRef("pk"),
    ).exclude(
        Q(status=Status.FAILED)
        | Q(data_transfers__status=Status.FAILED)
        | Q(data_transfers__unpack_status__in=(Status.COMPLETED, Status.FAILED))
    )
