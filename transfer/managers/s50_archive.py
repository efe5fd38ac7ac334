"""Stage 50: every active archive gets a copy of every package; the first one makes the package
ARCHIVED.

In: packages with a good copy in a BUFFER of the archive's site; packages archived elsewhere
(secondary routes: replicas, and all history when an archive is added).
Out: one LongTermArchiveTransfer at the archive. One that failed for want of a good copy to read goes
on when there is one again.
Safe to repeat because: planned under a lock on the package; none where a copy is, or where a
transfer is open or failed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.querysets import RawDataPackageQuerySet
from transfer import dispatch
from transfer.managers.base import StageManager
from transfer.models import LongTermArchiveTransfer
from transfer.relays import on_the_way_to
from transfer.routes import (
    NO_ORIGIN,
    archive_origin,
    archive_origins,
    buffers,
    require_receiving,
)
from transfer.waits import Waits

#: Packages planned for one archive in one pass, and open transfers from which on no history is
#: added: it comes in portions, so that new data is not kept waiting.
PASS_LIMIT = 200
#: Seconds until all history is asked for again when an archive lacked nothing of it; until then only
#: what was archived in this last time: the whole is 10^6 packages.
HISTORY_SECONDS = 60.0
RECENTLY = timedelta(hours=1)
#: Priority of what archives have from one another; new data has that of its observation.
REPLICA_PRIORITY = 7


@dataclass(frozen=True, slots=True)
class Missing:
    """A package that an archive lacks."""

    package: RawDataPackage
    archive: DataLocation

    def __str__(self) -> str:
        return f"package {self.package} for {self.archive.full_name}"


class ArchiveManager(StageManager[Missing | LongTermArchiveTransfer]):
    """New packages from the site's own buffers first, then what other archives have."""

    name = "archive"

    def __init__(self) -> None:
        super().__init__()
        self._next_history: dict[int, float] = {}

    def find_work(self) -> Iterable[Missing | LongTermArchiveTransfer]:
        """For each archive what it lacks and can be had."""
        found = DataLocation.objects.active().of_type(LocationType.LONG_TERM_ARCHIVE)
        for archive in found.with_site().by_priority():
            yield from _revivable(archive)
            for package in self._portion(archive):
                try:
                    require_receiving(archive)
                except Waits as reason:
                    self.wait(f"package {package}", reason)
                else:
                    yield Missing(package, archive)

    def plan(self, work: Missing | LongTermArchiveTransfer) -> int:
        """One archive transfer from the nearest good copy."""
        if isinstance(work, LongTermArchiveTransfer):
            rows = LongTermArchiveTransfer.objects.non_polymorphic().failed()
            if rows.select_for_update(of=("self",)).filter(pk=work.pk).exists():
                dispatch.retry(work, user=None, reason="There is a copy to read again.")
            return 0
        packages = RawDataPackage.objects.select_for_update(of=("self",), no_key=True)
        package = packages.select_related("executed_obs_unit__obs_unit").get(pk=work.package.pk)
        origin = archive_origin(package.pk, work.archive)
        if origin is None or not _lacking(work.archive).filter(pk=package.pk).exists():
            return 0
        is_new = origin.data_location.location_type == LocationType.BUFFER
        operation = LongTermArchiveTransfer.objects.create(
            raw_data_package=package,
            location=work.archive,
            origin_location=origin.data_location,
            destination_location=work.archive,
            priority=package.executed_obs_unit.obs_unit.priority if is_new else REPLICA_PRIORITY,
            total_bytes=package.size,
        )
        return self.submit(operation)

    def _portion(self, archive: DataLocation) -> Iterator[RawDataPackage]:
        """What is planned for an archive in one pass: new packages, then history if there is room."""
        new = _lacking(archive).built().with_usable_copy_at(*buffers(archive.site)).oldest_first()
        portion = list(new[:PASS_LIMIT])
        transfers = LongTermArchiveTransfer.objects.non_polymorphic().open()
        room = PASS_LIMIT - len(portion) - transfers.filter(location=archive).count()
        yield from portion
        if room <= 0:
            return
        history = _history(archive).exclude(pk__in=[package.pk for package in portion])
        if time.monotonic() < self._next_history.get(archive.pk, 0):
            yield from history.archived_since(timezone.now() - RECENTLY)[:room]
            return
        found = list(history[:room])
        if not found:
            self._next_history[archive.pk] = time.monotonic() + HISTORY_SECONDS
        yield from found


def _revivable(archive: DataLocation) -> Iterator[LongTermArchiveTransfer]:
    """Transfers to this archive that failed because there was nothing to read, when there is now."""
    origins = archive_origins(archive).filter(raw_data_package=OuterRef("raw_data_package"))
    failed = LongTermArchiveTransfer.objects.failed().filter(
        Exists(origins), destination_location=archive, error_code=NO_ORIGIN
    )
    yield from failed.order_by("pk")


def _lacking(archive: DataLocation) -> RawDataPackageQuerySet:
    """Packages without a copy in the archive, and without a transfer to it that is open or failed."""
    transfers = LongTermArchiveTransfer.objects.non_polymorphic().filter(
        raw_data_package=OuterRef("pk"), destination_location=archive
    )
    lacking = RawDataPackage.objects.without_copy_at(archive)
    return lacking.filter(~Exists(transfers.exclude(status=Status.COMPLETED)))


def _history(archive: DataLocation) -> RawDataPackageQuerySet:
    """What other archives have, unless a bundle is bringing it."""
    elsewhere = PhysicalCopy.objects.non_polymorphic().in_archives().usable().at_active()
    had = elsewhere.exclude(data_location=archive).filter(raw_data_package=OuterRef("pk"))
    history = _lacking(archive).archived().filter(Exists(had))
    return history.exclude(on_the_way_to(archive.site)).oldest_first()
