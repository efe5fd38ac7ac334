"""Services: fallen silent, never started, or with a clock that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from ccatdc.common.admin.badges import list_url
from ccatdc.common.units import duration_text
from ccatdc.portal.attention.lines import AttentionGroup, AttentionLine, Button, Seen, group
from transfer.models import ServiceHeartbeat

#: Between the clock of a host and that of the database: what is more makes times in rows and logs wrong.
CLOCKS_APART: Final = timedelta(seconds=5)

_WHAT = {"location": "Worker of {}", "gateway": "Gateway {}", "notifications": "Sender of {}"}
_START = {
    "location": "Look there, or start it again: manage.py run_location {}",
    "notifications": "Nobody is told of anything. Look there, or start it again: manage.py run_notifications",
    "gateway": "Its link may be down, or run_gateway does not run there: what instruments file waits at the site.",
}


def services(seen: Seen) -> AttentionGroup:
    page = list_url("transfer", "serviceheartbeat")
    return group("Services", [*_silent(seen), *_never_started(seen)], page)


def clocks(seen: Seen) -> AttentionGroup:
    """One line for each host."""
    lines = {}
    for service in seen.services:
        offset = service.clock_offset
        if offset is None or service.stopped_at is not None or service.is_silent or abs(offset) <= CLOCKS_APART:
            continue
        way = "ahead of" if offset > timedelta(0) else "behind"
        lines[service.host] = AttentionLine(
            what=service.host,
            why=f"Its clock is {duration_text(abs(offset))} {way} the clock of the database. Look at its time service"
            " (chronyc tracking).",
            since=None,
            url=list_url("transfer", "serviceheartbeat", q=service.host),
        )
    return group("Clocks", lines.values(), list_url("transfer", "serviceheartbeat"))


def _silent(seen: Seen) -> Iterable[AttentionLine]:
    page = list_url("transfer", "serviceheartbeat")
    for service in seen.services:
        if service.is_silent:
            yield AttentionLine(
                what=_WHAT.get(service.service_type, "Manager {}").format(service.name),
                why=f"Not heard from {service.host} (process {service.pid}). {_what_helps(service)}",
                since=service.last_seen,
                url=list_url("transfer", "serviceheartbeat", q=service.name),
                buttons=(Button("Taken out of use", "take_out_of_use_selected", page, service.pk),),
            )


def _what_helps(service: ServiceHeartbeat) -> str:
    default = "Look there, or start it again: manage.py run_managers"
    return _START.get(service.service_type, default).format(service.name)


def _never_started(seen: Seen) -> Iterable[AttentionLine]:
    """What nobody ever started though rows ask for it."""
    page = list_url("transfer", "serviceheartbeat")
    if not any(service.service_type == "managers" for service in seen.services):
        yield AttentionLine("Managers", "Nobody plans any work. Start: manage.py run_managers", None, page)
    known = {service.name for service in seen.services if service.service_type == "location"}
    for location in seen.in_use:
        if location.registered_at and location.full_name not in known:
            yield AttentionLine(
                what=f"Worker of {location.full_name}",
                why=f"It never ran. Start: manage.py run_location {location.full_name}",
                since=None,
                url=list_url("datamgmt", "datalocation", id__exact=location.pk),
            )
