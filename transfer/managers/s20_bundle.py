"""Stage 20: packages that wait in a BUFFER become bundles, closed by size, age or priority.

In: packages WAITING with a good copy in an active BUFFER; on a relay also packages that came from elsewhere for another
site. Out: DataTransferPackage with its packages (TRANSFERRING), its route chosen, and one DataTransferPackageCreation
at the BUFFER. A site with an archive of its own sends nothing by itself: stage 50 serves it, and the other archives
after it. Safe to repeat because: planned under a lock on the BUFFER's row and on the packages, which leave WAITING in the
same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from ccatdc.common.states import transition_all
from datamgmt.models import DataLocation, DataTransferPackage, LocationType, RawDataPackage, Site
from datamgmt.models.packages import RawDataPackageQuerySet
from datamgmt.packaging.naming import bundle_name
from datamgmt.states import PackageState
from transfer.managers.base import StageManager
from transfer.models import DataTransferPackageCreation
from transfer.routing.relays import final_sites_through, relayed
from transfer.routing.routes import (
    BundleLimits,
    Hop,
    advance_cursor,
    archives,
    custom_route,
    hop_to,
    limits_of,
    next_hop,
)

#: Packages of obs units with this priority or a smaller number do not wait for other packages.
URGENT_PRIORITY = 1
#: Packages looked at in one pass of a BUFFER; at 50 GB each more than any bundle.
PASS_LIMIT = 5000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What one BUFFER has to send: new packages, or those on a relay to ``final_site``."""

    buffer: DataLocation
    final_site: Site | None = None

    def __str__(self) -> str:
        to = f" for {self.final_site.short_name}" if self.final_site is not None else ""
        return f"packages in {self.buffer.full_name}{to}"


class BundleManager(StageManager[Outgoing]):
    name = "bundle"

    def find_work(self) -> Iterable[Outgoing]:
        found = DataLocation.objects.active().of_type(LocationType.BUFFER).with_site().by_priority()
        for buffer in found:
            is_sender = custom_route(buffer) is not None or not archives(buffer.site)
            work = [Outgoing(buffer)] if is_sender else []
            work += [Outgoing(buffer, site) for site in final_sites_through(buffer.site)]
            yield from (outgoing for outgoing in work if _waiting(outgoing).exists())

    def plan(self, work: Outgoing) -> int:
        """Close every bundle that is due."""
        buffers = DataLocation.objects.non_polymorphic().with_site()
        buffer = buffers.select_for_update(of=("self",), no_key=True).get(pk=work.buffer.pk)
        packages = _locked(work)
        planned = 0
        while packages:
            is_new = work.final_site is None
            hop = next_hop(buffer) if work.final_site is None else hop_to(buffer, work.final_site)
            bundle = due_bundle(packages, limits_of(buffer, hop))
            if not bundle:
                break
            planned += self._close(buffer, bundle, hop)
            if is_new:
                advance_cursor(buffer, hop)
            packages = packages[len(bundle) :]
        return planned

    def _close(self, buffer: DataLocation, packages: Sequence[RawDataPackage], hop: Hop) -> int:
        bundle = DataTransferPackage.objects.create(
            name=bundle_name(buffer.site.short_name, hop.site.short_name, timezone.now()),
            bundle_format=hop.bundle_format,
            origin_location=buffer,
            destination_site=hop.site,
            final_site=hop.final_site,
            destination_location=hop.location,
            size=sum(package.size or 0 for package in packages),
        )
        bundle.raw_data_packages.set(packages)
        transition_all(
            RawDataPackage.objects.waiting().filter(pk__in=[package.pk for package in packages]),
            PackageState.TRANSFERRING,
            field="state",
        )
        operation = DataTransferPackageCreation.objects.create(
            data_transfer_package=bundle,
            location=buffer,
            route=hop.route,
            priority=min(package.priority for package in packages),
            total_bytes=bundle.size,
        )
        return self.submit(operation)


def due_bundle(packages: Sequence[RawDataPackage], limits: BundleLimits) -> list[RawDataPackage]:
    """The next bundle of these packages (urgent ones first), or none yet: full, or its oldest package has waited long
    enough. Urgent ones travel at once, and without the others: they would wait for the last byte of them.
    """
    bundle: list[RawDataPackage] = []
    size = 0
    is_urgent = _is_urgent(packages[0])
    for package in packages:
        is_full = bool(bundle) and size + (package.size or 0) > limits.max_bytes
        if is_full or (is_urgent and not _is_urgent(package)):
            return bundle
        bundle.append(package)
        size += package.size or 0
    deadline = timezone.now() - timedelta(seconds=limits.max_age_seconds)
    oldest = min(package.finalized_at or package.created_at for package in bundle)
    return bundle if is_urgent or size >= limits.max_bytes or oldest <= deadline else []


def _waiting(work: Outgoing) -> RawDataPackageQuerySet:
    if work.final_site is not None:
        return relayed(work.buffer, work.final_site)
    return RawDataPackage.objects.waiting().with_usable_copy_at(work.buffer)


def _by_priority(work: Outgoing) -> list[RawDataPackage]:
    return list(
        _waiting(work)
        .select_related("executed_obs_unit__obs_unit", "data_stream", "processing_run")
        .by_urgency()[:PASS_LIMIT]
    )


def _locked(work: Outgoing) -> list[RawDataPackage]:
    """What waits, once nobody else can bundle it: another BUFFER may have copies of the same packages."""
    keys = {package.pk for package in _by_priority(work)}
    rows = RawDataPackage.objects.filter(pk__in=keys).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk"))
    return [package for package in _by_priority(work) if package.pk in keys]


def _is_urgent(package: RawDataPackage) -> bool:
    return package.priority <= URGENT_PRIORITY
