"""Where data goes next. Between stages 10 to 60: buffers by priority, routes by topology, overrides by an operator's
rows.

Precedence for a bundle that leaves a BUFFER: an active CUSTOM route of that very location; else a site with a long-term
archive by round robin, reached as an active DIRECT or RELAY route of that pair of sites says, else from buffer to
buffer. A place that cannot receive now (switched off, not registered, full, its circuit breaker open) is passed over; when none can,
:class:`Blocked` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from ccatdc.common.errors import Blocked
from datamgmt.models import BundleFormat, DataLocation, LocationType, PhysicalCopy, Site
from datamgmt.models.copies import PhysicalCopyQuerySet
from transfer.models import CircuitBreaker, DataTransferRoute, RoundRobinCursor, RouteType


@dataclass(frozen=True, slots=True)
class Hop:
    """One network hop of a bundle. ``final_site`` differs from ``site`` only on a relay.

    ``location`` is set where the route names one (CUSTOM, DIRECT); else the BUFFER is chosen when the bundle sets out.
    """

    site: Site
    final_site: Site
    location: DataLocation | None = None
    route: DataTransferRoute | None = None

    @property
    def bundle_format(self) -> str:
        return self.route.bundle_format if self.route is not None else BundleFormat.MANIFEST


@dataclass(frozen=True, slots=True)
class BundleLimits:
    """When a bundle is closed: bytes, and seconds that its oldest package has waited."""

    max_bytes: int
    max_age_seconds: int


def buffers(site: Site) -> list[DataLocation]:
    """Active, registered BUFFERs of a site, the first to use first."""
    found = DataLocation.objects.active().registered().of_type(LocationType.BUFFER)
    return list(found.at_site(site).with_site().by_priority())


def writable_buffer(site: Site) -> DataLocation:
    """The BUFFER to write into: by priority, passing over full ones, and over those whose circuit breaker is open while
    another one works. :class:`Blocked` without one.
    """
    found = buffers(site)
    if not found:
        raise Blocked(
            f"No active buffer at {site.short_name}.",
            code="route.no_buffer",
            remedy="Switch a BUFFER of the site on, or add and register one.",
        )
    with_room = [buffer for buffer in found if not buffer.is_full]
    held = CircuitBreaker.objects.blocking().against_writing(with_room)
    for buffer in with_room:
        if buffer.pk not in held:
            return buffer
    if with_room:
        return with_room[0]  # it waits there for whichever works again
    raise Blocked(
        f"Every buffer at {site.short_name} is above its emergency threshold.",
        code="route.buffers_full",
        remedy="Free space, add a BUFFER, or raise the threshold.",
    )


def require_receiving(location: DataLocation) -> DataLocation:
    """The place that a route names, or :class:`Blocked`: nothing new is written where it is off."""
    if not (location.active and location.site.active):
        raise Blocked(
            f"{location.full_name} is switched off.",
            code="location.inactive",
            remedy="Switch it on, or change the route that leads there.",
        )
    if location.registered_at is None:
        raise Blocked(
            f"{location.full_name} is not registered.",
            code="location.unregistered",
            remedy=f"Run: manage.py register_location {location.full_name}",
        )
    if location.is_full:
        raise Blocked(
            f"{location.full_name} is above its emergency threshold.",
            code="location.full",
            remedy="Free space, or raise the threshold.",
        )
    return location


def archives(site: Site) -> list[DataLocation]:
    """Active long-term archives of a site, the first to use first."""
    found = DataLocation.objects.active().of_type(LocationType.LONG_TERM_ARCHIVE).at_site(site)
    return list(found.with_site().by_priority())


def archive_sites(other_than: Site) -> list[Site]:
    """Active sites with an active long-term archive, besides this one, in a fixed order."""
    found = Site.objects.filter(
        active=True, data_locations__location_type=LocationType.LONG_TERM_ARCHIVE, data_locations__active=True
    ).exclude(pk=other_than.pk)
    return list(found.distinct().order_by("id"))


def custom_route(origin: DataLocation) -> DataTransferRoute | None:
    """The operator's CUSTOM route that starts at this very location."""
    routes = DataTransferRoute.objects.filter(active=True, route_type=RouteType.CUSTOM, origin_location=origin)
    return routes.select_related("destination_site").first()


def pair_route(origin: Site, destination: Site) -> DataTransferRoute | None:
    """The operator's DIRECT or RELAY route between two sites."""
    routes = DataTransferRoute.objects.filter(
        active=True,
        route_type__in=(RouteType.DIRECT, RouteType.RELAY),
        origin_site=origin,
        destination_site=destination,
    )
    return routes.select_related("relay_site").first()


def limits_of(origin: DataLocation, hop: Hop) -> BundleLimits:
    """Size and age at which a bundle for this hop is closed: the route's, else the BUFFER's own."""
    max_bytes = hop.route.bundle_max_bytes if hop.route is not None else None
    max_age = hop.route.bundle_max_age_seconds if hop.route is not None else None
    return BundleLimits(
        origin.bundle_max_bytes if max_bytes is None else max_bytes,
        origin.bundle_max_age_seconds if max_age is None else max_age,
    )


def next_hop(origin: DataLocation) -> Hop:
    """Where the next new bundle of this BUFFER goes. In a transaction: the cursor stays locked until its end;
    :func:`advance_cursor` moves it. :class:`Blocked` when nothing can be sent now.
    """
    route = custom_route(origin)
    if route is not None:
        return _custom_hop(route)
    sites = archive_sites(other_than=origin.site)
    if not sites:
        raise Blocked(
            f"There is no archive to send packages of {origin.full_name} to.",
            code="route.no_archive_site",
            remedy="Switch a LONG_TERM_ARCHIVE of another site on.",
        )
    first: Blocked | None = None
    for site in _after_cursor(origin.site, sites):
        try:
            return hop_to(origin, site)
        except Blocked as reason:
            first = first or reason
    assert first is not None  # noqa: S101  there was a site, and it could not receive
    raise first


def advance_cursor(origin: DataLocation, hop: Hop) -> None:
    """Note that a bundle was closed for this hop: the next one is for another site."""
    if hop.route is not None and hop.route.route_type == RouteType.CUSTOM:
        return
    RoundRobinCursor.objects.filter(name=_cursor_name(origin.site)).update(last_site=hop.final_site)


def hop_to(origin: DataLocation, destination: Site) -> Hop:
    """How a bundle gets from a BUFFER to a site: as the operator's route for the pair says, else to its buffer.
    :class:`Blocked` when the end of the hop cannot receive now.
    """
    route = pair_route(origin.site, destination)
    if route is not None and route.route_type == RouteType.DIRECT:
        return Hop(destination, destination, _direct_destination(route, destination), route)
    site = destination
    if route is not None and route.relay_site is not None and route.relay_site != origin.site:
        site = route.relay_site
    else:
        route = None
    writable_buffer(site)
    return Hop(site, destination, None, route)


def _custom_hop(route: DataTransferRoute) -> Hop:
    assert route.destination_location is not None  # noqa: S101  CHECK route_custom_has_locations
    site = route.destination_site
    if not archives(site):
        raise Blocked(
            f"The route {route} ends at {site.short_name}, where no archive is active.",
            code="route.leads_nowhere",
            remedy="Switch an archive of that site on, or the route off.",
        )
    return Hop(site, site, require_receiving(route.destination_location), route)


def _direct_destination(route: DataTransferRoute, site: Site) -> DataLocation:
    if route.destination_location is not None:
        return require_receiving(route.destination_location)
    found = archives(site)
    if not found:
        raise Blocked(
            f"No active archive at {site.short_name} for the direct route {route}.",
            code="route.no_archive_site",
            remedy="Switch its LONG_TERM_ARCHIVE on, or the route off.",
        )
    return require_receiving(found[0])


def _after_cursor(origin: Site, sites: Sequence[Site]) -> list[Site]:
    """Sites beginning with the one after that which the cursor names, under a lock on the cursor. It survives restarts,
    and sites that come and go.
    """
    name = _cursor_name(origin)
    RoundRobinCursor.objects.get_or_create(name=name)
    last_id = RoundRobinCursor.objects.select_for_update().get(name=name).last_site_id
    if last_id is None:
        return list(sites)
    later = [site for site in sites if site.pk > last_id]
    return later + [site for site in sites if site.pk <= last_id]


def _cursor_name(origin: Site) -> str:
    return f"primary:{origin.short_name}"


#: Why an archive transfer failed that comes back by itself as soon as there is an origin.
NO_ORIGIN = "archive.no_origin"
#: Copies that were verified come before those that are to be checked again, "ok" before "unverified".
_SUREST = ("integrity", "data_location__priority")


def archive_origin(package_id: object, archive: DataLocation) -> PhysicalCopy | None:
    """The copy from which an archive is filled: a BUFFER of its own site, else another archive, else nothing yet. Only
    from places in use.

    A BUFFER of another site is not mounted here; an archive is reached over the network from anywhere. Among several
    archives the first by priority, and the one verified last, serves.
    """
    origins = archive_origins(archive).of_package(package_id).with_subjects()
    at_site = origins.of_type_of_location(LocationType.BUFFER)
    nearest: PhysicalCopy | None = at_site.order_by(*_SUREST, "id").first()
    if nearest is not None:
        return nearest
    elsewhere = origins.in_archives()
    first: PhysicalCopy | None = elsewhere.order_by(*_SUREST, "-verified_at", "id").first()
    return first


def archive_origins(archive: DataLocation) -> PhysicalCopyQuerySet:
    """Every copy from which an archive could be filled now."""
    is_near = Q(data_location__location_type=LocationType.BUFFER, data_location__site=archive.site)
    is_archived = Q(data_location__location_type=LocationType.LONG_TERM_ARCHIVE)
    usable: PhysicalCopyQuerySet = PhysicalCopy.objects.usable().at_active()
    return usable.filter(is_near | is_archived).exclude(data_location=archive)


def archive_copies(package_id: object) -> PhysicalCopyQuerySet:
    """The copies in archives from which a package can be read now, the surest first."""
    usable = PhysicalCopy.objects.of_package(package_id).usable().at_active().in_archives()
    found: PhysicalCopyQuerySet = usable.with_subjects().order_by(*_SUREST, "-verified_at", "id")
    return found


def staging_origin(package_id: object, destination: DataLocation) -> PhysicalCopy | None:
    """The archive copy from which a package is staged: of the same site first."""
    ordered = archive_copies(package_id)
    of_site: PhysicalCopy | None = ordered.filter(data_location__site=destination.site).first()
    first: PhysicalCopy | None = of_site or ordered.first()
    return first
