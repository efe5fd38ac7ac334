"""What is on its way between sites, and what still has to be sent on. Between stages 20 to 50, and read by the rule of
deletion: a relay must not lose what it has to send on.

A bundle is one hop; on a relay its ``final_site`` is another one than its ``destination_site``. The rows asked here are
those of the table that says which package is in which bundle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, DataTransferPackage, LocationType, PhysicalCopy, RawDataPackage, Site
from datamgmt.models.packages import RawDataPackageQuerySet
from datamgmt.states import PackageState
from transfer.models import DataTransfer

Link: Any = RawDataPackage.data_transfer_packages.through


def relayed(buffer: DataLocation, final_site: Site) -> RawDataPackageQuerySet:
    """Packages in this BUFFER that came here on their way to another site and have not been put into a bundle since.
    One that failed waits until it is resent: it would go round for ever.
    """
    links = Link.objects.filter(rawdatapackage=OuterRef("pk"), datatransferpackage__final_site=final_site)
    arrived = links.filter(_unpacked(), datatransferpackage__destination_site=buffer.site)
    sent_on = links.filter(datatransferpackage__origin_location__site=buffer.site)
    here = RawDataPackage.objects.with_usable_copy_at(buffer).exclude(state=PackageState.FAILED)
    return here.filter(Exists(arrived), ~Exists(sent_on))


def final_sites_through(site: Site) -> QuerySet[Site]:
    """Sites to which bundles were ever sent through this one."""
    bundles = DataTransferPackage.objects.filter(destination_site=site)
    return Site.objects.filter(pk__in=bundles.values("final_site")).exclude(pk=site.pk)


def on_the_way_to(site: Site) -> Q:
    """The condition on packages that a bundle still brings to a site, or that a relay has to send there: no second way
    is opened for them.
    """
    links = Link.objects.filter(rawdatapackage=OuterRef("pk"))
    coming = links.filter(Q(datatransferpackage__destination_site=site) | Q(datatransferpackage__final_site=site))
    in_buffer = (
        PhysicalCopy.objects.non_polymorphic()
        .usable()
        .at_active()
        .of_type_of_location(LocationType.BUFFER)
        .filter(
            raw_data_package=OuterRef("rawdatapackage"),
            data_location__site=OuterRef("datatransferpackage__destination_site"),
        )
    )
    at_relay = _to_be_sent_on(links).filter(Exists(in_buffer), datatransferpackage__final_site=site)
    return Q(Exists(_under_way(coming))) | Q(Exists(at_relay))


def bundles_under_way(package_ids: Iterable[Any]) -> Counter[tuple[Any, int]]:
    """How many bundles with a package still have to leave a BUFFER and be unpacked at the other end: by package and
    BUFFER. What failed keeps nothing by itself: its packages are not archived (a reason of its own), or went another
    way.
    """
    links = _under_way(Link.objects.filter(rawdatapackage__in=package_ids))
    return Counter(links.values_list("rawdatapackage_id", "datatransferpackage__origin_location_id"))


def waiting_at_relays(package_ids: Iterable[Any]) -> set[tuple[Any, int]]:
    """Of these packages those that a site still has to send on: each with the id of that site."""
    links = _to_be_sent_on(Link.objects.filter(rawdatapackage__in=package_ids))
    return set(links.values_list("rawdatapackage_id", "datatransferpackage__destination_site_id"))


def _under_way(links: Any) -> Any:
    """Links to bundles that are being made, sent or unpacked."""
    over = DataTransfer.objects.non_polymorphic().filter(
        Q(status=Status.FAILED) | Q(unpack_status__in=(Status.COMPLETED, Status.FAILED)),
        data_transfer_package=OuterRef("datatransferpackage"),
    )
    return links.exclude(datatransferpackage__status=Status.FAILED).filter(~Exists(over))


def _to_be_sent_on(links: Any) -> Any:
    """Links to bundles that arrived at a relay, of packages that it has put into no bundle since."""
    sent_on = Link.objects.filter(
        rawdatapackage=OuterRef("rawdatapackage"),
        datatransferpackage__origin_location__site=OuterRef("datatransferpackage__destination_site"),
        datatransferpackage__final_site=OuterRef("datatransferpackage__final_site"),
    )
    at_relay = links.exclude(datatransferpackage__final_site=F("datatransferpackage__destination_site"))
    return at_relay.filter(_unpacked(), ~Exists(sent_on))


def _unpacked() -> Exists:
    """The condition on links that their bundle arrived and was unpacked."""
    transfers = DataTransfer.objects.non_polymorphic().filter(unpack_status=Status.COMPLETED)
    return Exists(transfers.filter(data_transfer_package=OuterRef("datatransferpackage")))
