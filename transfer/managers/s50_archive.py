"""Stage 50: every active archive gets a copy of every package; the first one makes the package ARCHIVED.

In: packages with a good copy in a BUFFER of the archive's site; packages archived elsewhere (secondary routes:
replicas, and all history when an archive is added). Out: one LongTermArchiveTransfer at the archive. One that failed
for want of a good copy to read goes on when there is one again. Safe to repeat because: planned under a lock on the
package; none where a copy is, or where a transfer is open or failed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from ccatdc.common.errors import Blocked
from ccatdc.common.states import Status
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.models.packages import RawDataPackageQuerySet
from transfer.engine import dispatch
from transfer.managers.base import StageManager
from transfer.models import LongTermArchiveTransfer
from transfer.routing.relays import on_the_way_to
from transfer.routing.routes import NO_ORIGIN, archive_origin, archive_origins, buffers, require_receiving

#: Packages planned for one archive in one pass, and open transfers from which on no history is added: it comes in
#: portions, so that new data is not kept waiting.
PASS_LIMIT = 200
#: History is 10^6 packages: it is walked through page by page, a pass takes about so long for it, and after a walk in
#: which an archive lacked nothing the next one begins so much later. What was archived in this last time is looked at
#: in every pass.
PAGE = 1000
LOOK_SECONDS = 0.3
HISTORY_SECONDS = 3600.0
RECENTLY = timedelta(hours=2)
#: Priority of what archives have from one another; new data has that of its observation.
REPLICA_PRIORITY = 7


@dataclass(frozen=True, slots=True)
class Missing:
    """A package that an archive lacks."""

    package: RawDataPackage
    archive: DataLocation

    def __str__(self) -> str:
        return f"package {self.package} for {self.archive.full_name}"


@dataclass
class Walk:
    """How far the look through all that was ever archived has come, in the order of archiving."""

    after: tuple[datetime, UUID] | None = None
    found_some: bool = False
    not_before: float = 0.0

    def next_page(self) -> list[UUID]:
        """The keys of the next packages; ends the walk at the last one."""
        rows = RawDataPackage.objects.archived().filter(archived_at__isnull=False)
        if self.after is not None:
            moment, key = self.after
            same = Q(archived_at=moment, pk__gt=key)
            rows = rows.filter(Q(archived_at__gt=moment) | same, archived_at__gte=moment)
        page = list(rows.order_by("archived_at", "pk").values_list("archived_at", "pk")[:PAGE])
        if len(page) == PAGE:
            self.after = page[-1]
        else:
            self.not_before = time.monotonic() + (0.0 if self.found_some else HISTORY_SECONDS)
            self.after, self.found_some = None, False
        return [key for _, key in page]


class ArchiveManager(StageManager[Missing | LongTermArchiveTransfer]):
    """New packages from the site's own buffers first, then what other archives have."""

    name = "archive"

    def __init__(self) -> None:
        super().__init__()
        self._walks: dict[int, Walk] = {}

    def find_work(self) -> Iterable[Missing | LongTermArchiveTransfer]:
        """For each archive what it lacks and can be had."""
        active = DataLocation.objects.active().of_type(LocationType.LONG_TERM_ARCHIVE)
        found = list(active.with_site().by_priority())
        # One that comes back begins anew.
        self._walks = {each.pk: self._walks.get(each.pk, Walk()) for each in found}
        for archive in found:
            yield from _revivable(archive)
            for package in self._portion(archive):
                try:
                    require_receiving(archive)
                except Blocked as reason:
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
        package = packages.select_related("executed_obs_unit__obs_unit", "data_stream", "processing_run").get(
            pk=work.package.pk
        )
        origin = archive_origin(package.pk, work.archive)
        if origin is None or not _lacking(work.archive).filter(pk=package.pk).exists():
            return 0
        is_new = origin.data_location.location_type == LocationType.BUFFER
        operation = LongTermArchiveTransfer.objects.create(
            raw_data_package=package,
            location=work.archive,
            origin_location=origin.data_location,
            destination_location=work.archive,
            priority=package.priority if is_new else REPLICA_PRIORITY,
            total_bytes=package.size,
        )
        return self.submit(operation)

    def _portion(self, archive: DataLocation) -> Iterator[RawDataPackage]:
        """What is planned for an archive in one pass: new packages, then history if there is room."""
        portion = list(_new(archive)[:PASS_LIMIT])
        transfers = LongTermArchiveTransfer.objects.non_polymorphic().open()
        room = PASS_LIMIT - len(portion) - transfers.filter(location=archive).count()
        yield from portion
        if room <= 0:
            return
        known = {package.pk for package in portion}
        for package in self._lacking_of_history(archive, room):
            if package.pk not in known:
                known.add(package.pk)
                yield package

    def _lacking_of_history(self, archive: DataLocation, room: int) -> Iterator[RawDataPackage]:
        """At most ``room`` packages: of the last time, then from where the walk has come to."""
        history = _history(archive)
        recent = list(history.archived_since(timezone.now() - RECENTLY)[:room])
        yield from recent
        walk = self._walks[archive.pk]
        room -= len(recent)
        until = time.monotonic() + LOOK_SECONDS
        while room > 0 and walk.not_before <= time.monotonic():
            began_at = walk.after
            found = list(history.filter(pk__in=walk.next_page()))
            yield from found[:room]
            if len(found) > room:  # the rest of this page is for the next pass
                walk.after, walk.not_before = began_at, 0.0
            walk.found_some = walk.found_some or bool(found)
            room -= len(found)
            if walk.after is None or time.monotonic() >= until:
                break


def _revivable(archive: DataLocation) -> Iterator[LongTermArchiveTransfer]:
    """Transfers to this archive that failed because there was nothing to read, when there is now."""
    origins = archive_origins(archive).filter(raw_data_package=OuterRef("raw_data_package"))
    failed = LongTermArchiveTransfer.objects.failed().filter(
        Exists(origins), destination_location=archive, error_code=NO_ORIGIN
    )
    yield from failed.order_by("pk")


def _new(archive: DataLocation) -> RawDataPackageQuerySet:
    """What its site's buffers have and the archive lacks. From the copies in the buffers, which are few, and not from
    the packages, which are all that there ever were; in two steps, since the planner does not know how few they are.
    """
    copies: Any = PhysicalCopy.objects.non_polymorphic()
    here = copies.usable().at_any(place.pk for place in buffers(archive.site))
    packages = here.filter(raw_data_package__isnull=False)
    keys = set(packages.values_list("raw_data_package", flat=True))
    there = copies.usable().at(archive).filter(raw_data_package__in=keys)
    keys -= set(there.values_list("raw_data_package", flat=True))
    return _lacking(archive).filter(pk__in=keys).built().oldest_first()


def _lacking(archive: DataLocation) -> RawDataPackageQuerySet:
    """Packages without a good copy in the archive, and without a transfer to it that is open or failed."""
    transfers = LongTermArchiveTransfer.objects.non_polymorphic().filter(
        raw_data_package=OuterRef("pk"), destination_location=archive
    )
    lacking = RawDataPackage.objects.without_good_copy_at(archive)
    return lacking.filter(~Exists(transfers.exclude(status=Status.COMPLETED)))


def _history(archive: DataLocation) -> RawDataPackageQuerySet:
    """What other archives have, unless a bundle is bringing it."""
    elsewhere = PhysicalCopy.objects.non_polymorphic().in_archives().usable().at_active()
    had = elsewhere.exclude(data_location=archive).filter(raw_data_package=OuterRef("pk"))
    history = _lacking(archive).archived().filter(Exists(had))
    return history.exclude(on_the_way_to(archive.site)).oldest_first()
