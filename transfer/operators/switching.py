"""Locations and sites are switched off and on: for how long, why, by whom, and what that affects.

Off means drained: what runs there ends as it would, nothing new begins, and what needs the place waits. With an end
(maintenance) it is switched on again by itself, by the managers. Permission is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from ccatdc.common.bulk_actions import BulkAction, Outcome
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import RequestError
from ccatdc.common.states import Status
from datamgmt.models import DataLocation, LocationType, RawDataPackage, Site
from transfer.models import Operation, StagingJob
from transfer.pipeline import OperationType

COMPONENT: Final = "locations"
#: Types of which a site without an active one has work that waits.
_NEEDED: Final = (LocationType.BUFFER, LocationType.LONG_TERM_ARCHIVE)


def switch_off(rows: QuerySet[Any], *, user: User, reason: str = "", until: datetime | None = None) -> Outcome:
    """Of locations or of sites. With ``until`` what is off already gets this end. Raises RequestError for an end that is
    over, and for a maintenance without a reason.
    """
    if until is not None:
        if until <= timezone.now():
            raise RequestError(f"{until:%Y-%m-%d %H:%M} UTC is over.", remedy="Choose a later end, or none.")
        if not reason:
            raise RequestError("A maintenance needs a reason.", remedy="Say why, for those who find it off.")
    words = "Switched off" if until is None else f"Maintenance until {until:%Y-%m-%d %H:%M} UTC"

    def write(chosen: QuerySet[Any]) -> object:
        return chosen.update(active=False, off_until=until, off_reason=reason, off_by=user.username)

    return _switch(
        rows,
        words,
        lambda row: "not active already" if until is None and not row.active else "",
        write,
        user=user,
        reason=reason,
    )


def switch_on(rows: QuerySet[Any], *, user: User, reason: str = "") -> Outcome:
    return _switch(
        rows, "Switched on", lambda row: "active already" if row.active else "", _on, user=user, reason=reason
    )


def end_maintenance() -> int:
    """Switch on what was off until now; how many. Asked in every pass of the managers."""
    ended = 0
    for rows in (Site.objects.all(), DataLocation.objects.non_polymorphic()):
        over = rows.filter(active=False, off_until__lte=timezone.now())
        if over.exists():
            outcome = _switch(over, "Maintenance is over, switched on", lambda row: "on" if row.active else "", _on)
            ended += len(outcome.changed)
    return ended


def _on(chosen: QuerySet[Any]) -> object:
    return chosen.update(active=True, off_until=None, off_reason="", off_by="")


def _switch(
    rows: QuerySet[Any],
    words: str,
    obstacle: Callable[[Any], str],
    write: Callable[[QuerySet[Any]], object],
    *,
    user: User | None = None,
    reason: str = "",
) -> Outcome:
    if rows.model is not Site:  # the columns are those of every kind of location
        rows = DataLocation.objects.non_polymorphic().filter(pk__in=rows.order_by().values("pk"))
    action = BulkAction(words, COMPONENT, obstacle, write)
    outcome = action.on(rows, user=user, reason=reason)
    if outcome.changed:
        notify_managers()
    return outcome


def affected_by(rows: QuerySet[Any]) -> list[str]:
    """What switching these locations or sites off affects, each counted: read before it is confirmed. Some ten queries."""
    chosen = DataLocation.objects.non_polymorphic().active().with_site()
    keys = rows.order_by().values("pk")
    places = list(chosen.filter(site__in=keys) if rows.model is Site else chosen.filter(pk__in=keys))
    said = [*_of_work(places), *_of_packages(places), *_of_jobs(places), *_of_sites(places)]
    return said or ["Nothing runs there, waits for it or is only there."]


def _of_work(places: list[DataLocation]) -> Iterable[str]:
    rows = Operation.objects.non_polymorphic().open().exclude(operation_type=OperationType.MONITORING)
    rows = rows.filter(Q(location__in=places) | Q(writes_to__in=places))
    running = rows.filter(status=Status.IN_PROGRESS).count()
    waiting = rows.exclude(status=Status.IN_PROGRESS).count()
    if running:
        yield f"{_count(running, 'operation runs', 'operations run')} there: nothing is interrupted, it ends as it would."
    if waiting:
        yield f"{_count(waiting, 'operation waits', 'operations wait')} for it, and will wait until it is on again."


def _of_packages(places: list[DataLocation]) -> Iterable[str]:
    stranded = RawDataPackage.objects.not_archived().stranded_at([place.pk for place in places]).count()
    if stranded:
        what = _count(stranded, "package that is not archived is", "packages that are not archived are")
        yield f"{what} only there: not on the way to the archive until it is on again."


def _of_jobs(places: list[DataLocation]) -> Iterable[str]:
    jobs = StagingJob.objects.active().filter(destination_location__in=places).count()
    if jobs:
        yield f"{_count(jobs, 'staging job has', 'staging jobs have')} data there: it stays, and what is not staged yet waits."


def _of_sites(places: list[DataLocation]) -> Iterable[str]:
    """Where nothing else of the kind is left."""
    left = DataLocation.objects.non_polymorphic().active().exclude(pk__in=[place.pk for place in places])
    remaining = set(left.values_list("site", "location_type"))
    for site, kind in sorted({(place.site, place.location_type) for place in places}, key=str):
        if kind in _NEEDED and (site.pk, kind) not in remaining:
            yield f"No other active {LocationType(kind).label} is left at {site.short_name}: what needs one there waits."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
