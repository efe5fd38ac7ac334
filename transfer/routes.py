"""Where data goes next. Between stages 10 to 50: buffers by priority, routes by topology, overrides by an operator's rows.

Precedence for a bundle that leaves a BUFFER: an active CUSTOM route of that very location; else a site with a long-term archive
by round robin, reached as an active DIRECT or RELAY route of that pair of sites says, else buffer to buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datamgmt.models import BundleFormat, DataLocation, LocationType, PhysicalCopy, Site
from transfer.waits import Waits
from transfer.models import DataTransferRoute, RoundRobinCursor, RouteType


@dataclass(frozen=True, slots=True)
class Hop:
    """One network hop of a bundle. ``final_site`` differs from ``site`` only on a relay."""

    site: Site
    final_site: Site
    location: DataLocation | None
    route: DataTransferRoute | None

    @property
    def bundle_format(self) -> str:
        """How the bundle travels."""
        return self.route.bundle_format if self.route is not None else BundleFormat.MANIFEST


@dataclass(frozen=True, slots=True)
class BundleLimits:
    """When a bundle is closed: bytes, and seconds that its oldest package has waited."""

    max_bytes: int
    max_age_seconds: int


def buffers(site: Site) -> Sequence[DataLocation]:
    """Active BUFFERs of a site, the first to use first."""
    found = DataLocation.objects.active().of_type(LocationType.BUFFER).at_site(site)
    return list(found.with_site().by_priority())


def writable_buffer(site: Site) -> DataLocation:
    """The BUFFER to write into: by priority, passing over full ones. :class:`Waits` when there is none."""
    found = buffers(site)
    if not found:
        raise Waits(
            f"No active buffer at {site.short_name}.",
            code="route.no_buffer",
            remedy="Switch a BUFFER of the site on, or add one.",
        )
    for buffer in found:
        if not buffer.is_full:
            return buffer
    raise Waits(
        f"Every buffer at {site.short_name} is above its emergency threshold.",
        code="route.buffers_full",
        remedy="Free space, add a BUFFER, or raise the threshold.",
    )


def archive_sites(other_than: Site) -> list[Site]:
    """Active sites with an active long-term archive, besides this one, in a fixed order."""
    found = Site.objects.filter(
        active=True,
        data_locations__location_type=LocationType.LONG_TERM_ARCHIVE,
        data_locations__active=True,
    ).exclude(pk=other_than.pk)
    return list(found.distinct().order_by("id"))


def archives(site: Site) -> list[DataLocation]:
    """Active long-term archives of a site, the first to use first."""
    found = DataLocation.objects.active().of_type(LocationType.LONG_TERM_ARCHIVE).at_site(site)
    return list(found.with_site().by_priority())


def custom_route(origin: DataLocation) -> DataTransferRoute | None:
    """The operator's CUSTOM route that starts at this very location."""
    routes = DataTransferRoute.objects.filter(
        active=True, route_type=RouteType.CUSTOM, origin_location=origin
    )
    return routes.select_related("destination_site", "destination_location").first()


def pair_route(origin: Site, destination: Site) -> DataTransferRoute | None:
    """The operator's DIRECT or RELAY route between two sites."""
    routes = DataTransferRoute.objects.filter(
        active=True,
        route_type__in=(RouteType.DIRECT, RouteType.RELAY),
        origin_site=origin,
        destination_site=destination,
    )
    return routes.select_related("relay_site", "destination_location").first()


def bundle_limits(origin: DataLocation) -> BundleLimits:
    """Size and age at which a bundle from here is closed: the CUSTOM route's, a pair route's, else the BUFFER's own."""
    route = custom_route(origin)
    if route is None:
        route = DataTransferRoute.objects.filter(active=True, origin_site=origin.site).first()
    max_bytes = route.bundle_max_bytes if route is not None else None
    max_age = route.bundle_max_age_seconds if route is not None else None
    return BundleLimits(
        origin.bundle_max_bytes if max_bytes is None else max_bytes,
        origin.bundle_max_age_seconds if max_age is None else max_age,
    )


def next_hop(origin: DataLocation) -> Hop:
    """Where the next bundle from this BUFFER goes; moves the round-robin cursor. :class:`Waits` when there is nowhere."""
    route = custom_route(origin)
    if route is not None:
        return Hop(
            route.destination_site, route.destination_site, route.destination_location, route
        )
    sites = archive_sites(other_than=origin.site)
    if not sites:
        raise Waits(
            f"There is no archive to send packages of {origin.full_name} to.",
            code="route.no_archive_site",
            remedy="Switch a LONG_TERM_ARCHIVE of another site on.",
        )
    return hop_to(origin, _take_turn(f"primary:{origin.site.short_name}", sites))


def hop_to(origin: DataLocation, destination: Site) -> Hop:
    """How a bundle gets from a BUFFER to a site: as the operator's route for the pair says, else to its buffer."""
    route = pair_route(origin.site, destination)
    if route is None:
        return Hop(destination, destination, None, None)
    if route.route_type == RouteType.RELAY and route.relay_site_id != origin.site_id:
        assert route.relay_site is not None  # noqa: S101  the CHECK route_relay_has_site holds
        return Hop(route.relay_site, destination, None, route)
    if route.route_type == RouteType.DIRECT:
        return Hop(destination, destination, _direct_destination(route, destination), route)
    return Hop(destination, destination, None, None)


def _direct_destination(route: DataTransferRoute, site: Site) -> DataLocation:
    if route.destination_location is not None:
        return route.destination_location
    found = archives(site)
    if not found:
        raise Waits(
            f"No active archive at {site.short_name} for the direct route {route}.",
            code="route.no_archive_site",
            remedy="Switch its LONG_TERM_ARCHIVE on, or the route off.",
        )
    return found[0]


def _take_turn(name: str, sites: Sequence[Site]) -> Site:
    """The site after the one that had the last turn, under a row lock; the turn survives restarts."""
    RoundRobinCursor.objects.get_or_create(name=name)
    cursor = RoundRobinCursor.objects.select_for_update().get(name=name)
    ids = [site.pk for site in sites]
    later = [site for site in sites if cursor.last_site_id is None or site.pk > cursor.last_site_id]
    chosen = later[0] if later else sites[ids.index(min(ids))]
    cursor.last_site = chosen
    cursor.save(update_fields=["last_site"])
    return chosen


def archive_origin(package_id: object, archive: DataLocation) -> PhysicalCopy | None:
    """The copy from which an archive is filled: a BUFFER of its own site, else another archive, else nothing yet.

    A BUFFER of another site is not mounted here; an archive is reached over the network from anywhere. Among several archives
    the nearest by priority, and the one verified last, serves.
    """
    good = PhysicalCopy.objects.of_package(package_id).good().with_subjects()
    at_site = good.of_type_of_location(LocationType.BUFFER).filter(data_location__site=archive.site)
    copy = at_site.order_by("data_location__priority", "id").first()
    if copy is not None:
        return copy
    elsewhere = good.in_archives().exclude(data_location=archive)
    return elsewhere.order_by("data_location__priority", "-verified_at", "id").first()


def staging_origin(package_id: object, destination: DataLocation) -> PhysicalCopy | None:
    """The archive copy from which a package is staged: of the same site first."""
    good = PhysicalCopy.objects.of_package(package_id).good().in_archives().with_subjects()
    good = good.filter(data_location__active=True)
    ordered = good.order_by("data_location__priority", "-verified_at", "id")
    return ordered.filter(data_location__site=destination.site).first() or ordered.first()
