"""Stage 20: packages that wait in a BUFFER become bundles, closed by size, age or priority.

In: packages WAITING with a good copy in an active BUFFER; on a relay also packages that came from elsewhere for another site.
Out: DataTransferPackage with its packages (TRANSFERRING), its route chosen, and one DataTransferPackageCreation at the BUFFER.
Safe to repeat because: planned under a lock on the BUFFER's row, and packages leave WAITING in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from ccatdc.common.states import Status, transition_all
from datamgmt.models import (
    DataLocation,
    DataTransferPackage,
    LocationType,
    RawDataPackage,
    Site,
)
from datamgmt.naming import bundle_name
from datamgmt.states import PackageState
from transfer.managers.base import StageManager
from transfer.models import DataTransferPackageCreation
from transfer.routes import (
    BundleLimits,
    Hop,
    archive_sites,
    bundle_limits,
    custom_route,
    hop_to,
    next_hop,
)

#: Packages of obs units with this priority or a smaller number do not wait for company.
URGENT_PRIORITY = 1
#: Packages looked at in one pass of a BUFFER; at 50 GB each more than any bundle.
PASS_LIMIT = 5000


class BundleManager(StageManager[DataLocation]):
    """One BUFFER at a time."""

    name = "bundle"

    def find_work(self) -> Iterable[DataLocation]:
        """Active BUFFERs where something waits."""
        waiting = RawDataPackage.objects.waiting()
        found = DataLocation.objects.active().of_type(LocationType.BUFFER).with_site().by_priority()
        return [
            buffer
            for buffer in found
            if waiting.with_good_copy_at(buffer).exists() or relayed(buffer).exists()
        ]

    def plan(self, work: DataLocation) -> int:
        """Close every bundle of this BUFFER that is due."""
        buffer = (
            DataLocation.objects.non_polymorphic().select_for_update(of=("self",)).get(pk=work.pk)
        )
        buffer.site = work.site
        return self._relay(buffer) + self._send(buffer)

    def _send(self, buffer: DataLocation) -> int:
        if custom_route(buffer) is None and not archive_sites(other_than=buffer.site):
            # A site whose only archive is its own needs no bundles; stage 50 serves it.
            if not _has_own_archive(buffer.site):
                next_hop(buffer)
            return 0
        waiting = RawDataPackage.objects.waiting().with_good_copy_at(buffer)
        planned = 0
        for packages in due_bundles(_by_priority(waiting), bundle_limits(buffer)):
            planned += self._close(buffer, packages, next_hop(buffer))
        return planned

    def _relay(self, buffer: DataLocation) -> int:
        planned = 0
        arrived = relayed(buffer)
        for site in Site.objects.filter(
            pk__in=arrived.values("data_transfer_packages__final_site")
        ):
            packages = arrived.filter(data_transfer_packages__final_site=site).distinct()
            if site != buffer.site:
                for bundle in due_bundles(_by_priority(packages), bundle_limits(buffer)):
                    planned += self._close(buffer, bundle, hop_to(buffer, site))
        return planned

    def _close(self, buffer: DataLocation, packages: Sequence[RawDataPackage], hop: Hop) -> int:
        bundle = DataTransferPackage.objects.create(
            name=bundle_name(buffer.site.short_name, hop.site.short_name, timezone.now()),
            bundle_format=hop.bundle_format,
            origin_location_id=buffer.pk,
            destination_site=hop.site,
            final_site=hop.final_site,
            destination_location=hop.location,
            size=sum(package.size or 0 for package in packages),
        )
        bundle.raw_data_packages.set(packages)
        transition_all(
            RawDataPackage.objects.filter(pk__in=[package.pk for package in packages]),
            PackageState.TRANSFERRING,
            field="state",
        )
        operation = DataTransferPackageCreation.objects.create(
            data_transfer_package=bundle,
            location_id=buffer.pk,
            priority=min(_priority(package) for package in packages),
            total_bytes=bundle.size,
        )
        return self.submit(operation)


def relayed(buffer: DataLocation) -> QuerySet[RawDataPackage]:
    """Packages that arrived here on their way to another site and have not been sent on."""
    sent_on = DataTransferPackage.objects.filter(
        raw_data_packages=OuterRef("pk"), origin_location__site=buffer.site
    )
    return (
        RawDataPackage.objects.with_good_copy_at(buffer)
        .filter(
            data_transfer_packages__destination_site=buffer.site,
            data_transfer_packages__data_transfers__unpack_status=Status.COMPLETED,
        )
        .exclude(data_transfer_packages__final_site=buffer.site)
        .filter(~Exists(sent_on))
    )


def due_bundles(
    packages: Sequence[RawDataPackage], limits: BundleLimits
) -> Iterable[list[RawDataPackage]]:
    """Full bundles, and the rest when its oldest package has waited long enough or one of it is urgent."""
    bundle: list[RawDataPackage] = []
    size = 0
    for package in packages:
        if bundle and size + (package.size or 0) > limits.max_bytes:
            yield bundle
            bundle, size = [], 0
        bundle.append(package)
        size += package.size or 0
    deadline = timezone.now() - timedelta(seconds=limits.max_age_seconds)
    if bundle and (
        size >= limits.max_bytes
        or any((p.finalized_at or p.created_at) <= deadline for p in bundle)
        or any(_priority(p) <= URGENT_PRIORITY for p in bundle)
    ):
        yield bundle


def _priority(package: RawDataPackage) -> int:
    return package.executed_obs_unit.obs_unit.priority


def _by_priority(packages: QuerySet[RawDataPackage]) -> list[RawDataPackage]:
    ordered = packages.select_related("executed_obs_unit__obs_unit").order_by(
        "executed_obs_unit__obs_unit__priority", "created_at", "id"
    )
    return list(ordered[:PASS_LIMIT])


def _has_own_archive(site: Site) -> bool:
    archives = DataLocation.objects.active().of_type(LocationType.LONG_TERM_ARCHIVE)
    return bool(archives.at_site(site).exists())
