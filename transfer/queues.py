"""Names of queues and the locations they belong to.

Everything is derived from rows and the table of stages.

One queue for each kind of work at each location, ``{site}_{location}_{operation}`` (seeds: queue
naming convention). A new location has its queues at once; an archive has none for deletions,
because the table gives it none.
"""

from __future__ import annotations

from collections.abc import Iterable

from ccatdc.common.errors import ConfigurationError, NotFoundError
from datamgmt.models import DataLocation
from transfer.pipeline import operations_at


def queue_name(location: DataLocation, operation_type: str) -> str:
    """The queue of one kind of work at one location: 94 characters at most, of 100 allowed."""
    return f"{location.full_name}_{operation_type}"


def queues_for(location: DataLocation) -> list[str]:
    """All queues of a location, in the order of the flow."""
    return [queue_name(location, kind) for kind in operations_at(location.location_type)]


def all_queues() -> list[tuple[DataLocation, str]]:
    """Every queue of every active location (seeds: discover_all_queues)."""
    locations = DataLocation.objects.active().with_site()
    return [(location, queue) for location in locations for queue in queues_for(location)]


def location_named(full_name: str) -> DataLocation:
    """The location ``{site}_{location}``, active or not.

    Raises :class:`NotFoundError` that lists those that exist, and :class:`ConfigurationError` when
    two places share the name.
    """
    found = list(DataLocation.objects.named(full_name).with_site())
    if not found:
        known = sorted(each.full_name for each in DataLocation.objects.with_site())
        raise NotFoundError(
            f"There is no location {full_name!r}.",
            code="location.unknown",
            remedy=f"There are: {', '.join(known)}."
            if known
            else "There are none yet: load the reference data or add one in the portal.",
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"{full_name!r} means {len(found)} locations: {_parts(found)}.",
            code="location.ambiguous",
            remedy="Rename one of them: they would share their queues.",
        )
    location: DataLocation = found[0]
    return location


def _parts(locations: Iterable[DataLocation]) -> str:
    return ", ".join(f"{each.name!r} at {each.site.short_name!r}" for each in locations)
