"""Services: fallen silent, stopped or never started though they are needed, or with a clock that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
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
    return group("Services", [*_silent(seen), *_do_not_run(seen)], page)


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


def _do_not_run(seen: Seen) -> Iterable[AttentionLine]:
    """What was stopped, or never started, though rows ask for it. One that is silent is told as such."""
    managers = [each for each in seen.services if each.service_type == "managers"]
    if all(each.stopped_at for each in managers):
        since = max((each.stopped_at for each in managers if each.stopped_at), default=None)
        why = f"{_stopped_or_new(since)}: nobody plans any work. Start: manage.py run_managers"
        yield AttentionLine("Managers", why, since, list_url("transfer", "serviceheartbeat"))
    workers = {each.name: each for each in seen.services if each.service_type == "location"}
    for location in seen.in_use:
        worker = workers.get(location.full_name)
        if location.registered_at and (worker is None or worker.stopped_at):
            since = worker.stopped_at if worker is not None else None
            yield AttentionLine(
                what=f"Worker of {location.full_name}",
                why=f"{_stopped_or_new(since)}. Start: manage.py run_location {location.full_name}",
                since=since,
                url=list_url("datamgmt", "datalocation", id__exact=location.pk),
                then="Or switch the location off, if it is not to be used." if since else "",
            )


def _stopped_or_new(since: datetime | None) -> str:
    return "It was stopped" if since else "It never ran"
