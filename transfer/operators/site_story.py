"""What a site has: its locations with their work, and its links to other sites. Read by people, written by nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, Site
from transfer.models import DataTransfer, DataTransferRoute, Operation, ServiceHeartbeat
from transfer.pipeline import OperationType


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """A location, whether a worker serves it, and what is to be done there."""

    location: DataLocation
    has_worker: bool
    waiting: int
    running: int
    failed: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class LinkLine:
    """Transfers of a day to or from another site. Rate in bytes per second of transfer."""

    origin: str
    destination: str
    transfers: int
    size: int
    rate: float | None
    under_way: int


@dataclass(frozen=True, slots=True)
class SiteStory:
    places: list[PlaceLine]
    links: list[LinkLine]
    routes: list[DataTransferRoute]


def story_of(site: Site) -> SiteStory:
    """Six queries, however much work there is: open and failed operations have indexes of their own."""
    through = Q(origin_site=site) | Q(destination_site=site) | Q(relay_site=site)
    routes = DataTransferRoute.objects.filter(through).select_related("origin_site", "destination_site", "relay_site")
    return SiteStory(_places(site), _links(site), list(routes))


def _places(site: Site) -> list[PlaceLine]:
    places = list(DataLocation.objects.non_polymorphic().at_site(site).with_site())
    alive = set(ServiceHeartbeat.objects.alive().filter(service_type="location").values_list("name", flat=True))
    rows = Operation.objects.non_polymorphic().filter(location__in=places).order_by()
    rows = rows.exclude(operation_type=OperationType.MONITORING)
    is_open = Q(status=Status.PENDING) | Q(status__in=(Status.SCHEDULED, Status.IN_PROGRESS))
    counts: dict[int, dict[str, Any]] = {
        row["location"]: row
        for row in rows.filter(is_open)
        .values("location")
        .annotate(
            waiting=Count("pk", filter=~Q(status=Status.IN_PROGRESS)),
            running=Count("pk", filter=Q(status=Status.IN_PROGRESS)),
            oldest=Min("created_at", filter=~Q(status=Status.IN_PROGRESS)),
        )
    }
    failed = dict(rows.failed_unseen().values_list("location").annotate(Count("pk")))
    return [
        PlaceLine(
            location=place,
            has_worker=place.full_name in alive,
            waiting=counts.get(place.pk, {}).get("waiting", 0),
            running=counts.get(place.pk, {}).get("running", 0),
            failed=failed.get(place.pk, 0),
            oldest=counts.get(place.pk, {}).get("oldest"),
        )
        for place in places
    ]


def _links(site: Site) -> list[LinkLine]:
    """Of the last day, and what is under way."""
    ends = Q(origin_location__site=site) | Q(data_transfer_package__destination_site=site)
    day = timezone.now() - timedelta(days=1)
    recent = Q(status=Status.COMPLETED, finished_at__gte=day) | Q(status=Status.IN_PROGRESS)
    rows = DataTransfer.objects.non_polymorphic().filter(ends, recent).order_by()
    names = ("origin_location__site__short_name", "data_transfer_package__destination_site__short_name")
    done = Q(status=Status.COMPLETED)
    found = rows.values_list(*names).annotate(
        transfers=Count("pk", filter=done),
        size=Sum("bytes_transferred", filter=done),
        seconds=Sum("seconds", filter=done),
        under_way=Count("pk", filter=~done),
    )
    return [
        LinkLine(origin, destination, transfers, size or 0, size / seconds if size and seconds else None, under_way)
        for origin, destination, transfers, size, seconds, under_way in found
        if origin != destination
    ]
