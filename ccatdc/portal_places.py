"""Services and locations in trouble: who has fallen silent, what nobody started, which place is not
itself.

Read by ccatdc/portal_attention.py for the first page; asks the database nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from ccatdc.common.badges import list_url
from ccatdc.portal_trouble import Button, Trouble
from datamgmt.models import DataLocation
from transfer.models import ServiceHeartbeat

#: A location whose check is late by this many intervals is not looked at any more.
LATE_CHECKS = 4


def troubled_services(
    locations: list[DataLocation], services: list[ServiceHeartbeat]
) -> Iterable[Trouble]:
    """Fallen silent; and what nobody ever started though rows ask for it."""
    for service in services:
        if service.is_silent:
            is_worker = service.service_type == "location"
            command = f"run_location {service.name}" if is_worker else "run_managers"
            yield Trouble(
                what=f"Worker of {service.name}" if is_worker else f"Manager {service.name}",
                why=f"Not heard from {service.host} (process {service.pid}). "
                f"Look there, or start it again: manage.py {command}",
                since=service.last_seen,
                url=list_url("transfer", "serviceheartbeat", q=service.name),
            )
    if not any(service.service_type == "managers" for service in services):
        yield Trouble(
            what="Managers",
            why="Nobody plans any work. Start: manage.py run_managers",
            since=None,
            url=list_url("transfer", "serviceheartbeat"),
        )
    known = {service.name for service in services if service.service_type == "location"}
    for location in locations:
        if _in_use(location) and location.registered_at and location.full_name not in known:
            yield Trouble(
                what=f"Worker of {location.full_name}",
                why=f"It never ran. Start: manage.py run_location {location.full_name}",
                since=None,
                url=_location_url(location),
            )


def troubled_locations(locations: list[DataLocation]) -> Iterable[Trouble]:
    """In use, and not itself, full, never registered, or not looked at any more."""
    page = list_url("datamgmt", "datalocation")
    for location in locations:
        why = _what_is_wrong(location) if _in_use(location) else ""
        if not why:
            continue
        check = Button("Check now", "check_selected", page, location.pk)
        yield Trouble(
            what=location.full_name,
            why=why,
            since=None,
            url=_location_url(location),
            buttons=(check,) if location.registered_at else (),
        )


def _in_use(location: DataLocation) -> bool:
    return location.active and location.site.active


def _what_is_wrong(location: DataLocation) -> str:
    if location.registered_at is None:
        command = f"manage.py register_location {location.full_name}"
        return (
            f"Not registered, so that nothing is written there. On a host that sees it: {command}"
        )
    if location.check_error:
        return location.check_error
    if location.is_full:
        return f"More than {location.emergency_pct:g} % full: nothing new is written there."
    if location.under_pressure:
        return f"More than {location.critical_pct:g} % full: retention is cut short."
    late = timedelta(seconds=LATE_CHECKS * location.check_interval_seconds)
    if timezone.now() - (location.checked_at or location.registered_at) > late:
        return "Not checked for a long time: is its worker there?"
    return ""


def _location_url(location: DataLocation) -> str:
    return list_url("datamgmt", "datalocation", id__exact=location.pk)
