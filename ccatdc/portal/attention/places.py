"""Locations that are in use and not well; and what waits because a place is off, full or leads nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ccatdc.common.admin.badges import list_url
from ccatdc.common.states import Status
from ccatdc.common.units import duration_text
from ccatdc.portal.attention.lines import (
    SHOWN,
    AttentionGroup,
    AttentionLine,
    Button,
    Seen,
    Uncounted,
    first_lines,
    group,
    remedy_of,
)
from datamgmt.models import DataLocation, RawDataPackage
from transfer.models import CircuitBreaker, Operation
from transfer.pipeline import OperationType

#: A check takes a second or two. One that has not come back after so long hangs.
HUNG_AFTER: Final = timedelta(seconds=15)
#: A check that is late by so much is not made at all.
LATE_AFTER: Final = timedelta(minutes=2)
FULL_WITHIN: Final = timedelta(hours=24)
CERTIFICATE_DAYS: Final = timedelta(days=21)
#: What a manager says of a package that failed stands in its own group.
_SAID_ELSEWHERE: Final = "package.nothing_left"


def places(seen: Seen) -> AttentionGroup:
    """In use, and: not itself, full or soon full, never registered, not answering, or not checked any more."""
    page = list_url("datamgmt", "datalocation")
    return group("Locations", _not_well(seen, page), page)


def _not_well(seen: Seen, page: str) -> Iterable[AttentionLine]:
    checks = Operation.objects.non_polymorphic().filter(
        status=Status.IN_PROGRESS, operation_type=OperationType.MONITORING
    )
    checked_since = dict(checks.values_list("location", "started_at"))
    for location in seen.in_use:
        hung = checked_since.get(location.pk) if seen.is_alive(location) else None
        for cause, why in _what_is_wrong(location, hung, is_alive=seen.is_alive(location)):
            check = Button("Check now", "check_selected", page, location.pk)
            yield AttentionLine(
                what=location.full_name,
                why=why,
                since=None,
                url=list_url("datamgmt", "datalocation", id__exact=location.pk),
                buttons=(check,) if location.registered_at else (),
                cause=f"{location.pk} {cause}",
            )


def _what_is_wrong(location: DataLocation, hung: datetime | None, *, is_alive: bool) -> Iterable[tuple[str, str]]:
    """Causes, each with its words."""
    if location.registered_at is None:
        command = f"manage.py register_location {location.full_name}"
        yield "register", f"Not registered, so that nothing is written there. On a host that sees it: {command}"
        return
    for why in _how_it_answers(location, hung, is_alive=is_alive):
        yield "answer", why
    if location.is_full:
        yield "full", f"More than {location.emergency_pct:g} % full: nothing new is written there."
    elif location.under_pressure:
        yield "fills", f"More than {location.critical_pct:g} % full: retention is cut short."
    elif (full_at := location.full_at) is not None and full_at - timezone.now() < FULL_WITHIN:
        left = duration_text(max(full_at - timezone.now(), timedelta(0)))
        yield (
            "fills",
            f"It will be {location.emergency_pct:g} % full in {left} if it fills as in the last hours. Free space, or"
            " switch another location on.",
        )
    expires = location.certificate_expires_at
    if expires is not None and expires - timezone.now() < CERTIFICATE_DAYS:
        yield "certificate", f"The certificate of its endpoint ends on {expires:%Y-%m-%d %H:%M} UTC: renew it there."


def _how_it_answers(location: DataLocation, hung: datetime | None, *, is_alive: bool) -> Iterable[str]:
    """A location whose worker is silent is told by the worker (ccatdc/portal/attention/processes.py)."""
    now = timezone.now()
    checked = location.checked_at or location.registered_at
    if hung is not None and now - hung > HUNG_AFTER:
        yield (
            f"It does not answer: the check that began {duration_text(now - hung)} ago has not come back. Look at the"
            " store or disk and its network."
        )
    elif location.check_error:
        yield location.check_error
    elif is_alive and checked and now - checked > LATE_AFTER + timedelta(seconds=location.check_interval_seconds):
        yield (
            f"Not checked for {duration_text(now - checked)} though its worker is alive: look at the log of the managers"
            " and of the worker."
        )


def held_back(_seen: Seen) -> Uncounted:
    """Open circuit breakers."""
    page = list_url("transfer", "circuitbreaker")
    rows = CircuitBreaker.objects.open().with_places()
    lines = (
        AttentionLine(
            what=str(breaker),
            why=f"Held back after {breaker.failures} failures in a row: {breaker.error_message}",
            since=breaker.opened_at,
            url=list_url("transfer", "circuitbreaker", location__id=breaker.location_id),
            code=breaker.error_code,
            buttons=(Button("Reset", "reset_selected", page, breaker.pk),),
            then=f"{remedy_of(breaker.error_code)} It goes on by itself when the place is well.".strip(),
            cause=str(breaker.pk),
        )
        for breaker in rows.order_by("opened_at")[:SHOWN]
    )
    return first_lines("Places held back", rows, lines, page)


def switched_off(seen: Seen) -> AttentionGroup:
    """Work and packages at places that are off, and what the managers cannot plan: one line for each place or reason."""
    lines = [*_cannot_plan(seen), *_work_at(seen.switched_off), *_stranded(seen.switched_off)]
    return group("Work that waits for a place", lines, list_url("transfer", "operation", status__exact="pending"))


def _cannot_plan(seen: Seen) -> Iterable[AttentionLine]:
    """The managers say what they found and could not plan, in every heartbeat; several of them may say the same."""
    said: dict[tuple[str, str], dict[str, str]] = {}
    for service in seen.services:
        if not service.is_silent and service.stopped_at is None:
            said |= {(entry.get("what", ""), entry.get("why", "")): entry for entry in service.waiting}
    for entry in said.values():
        code = entry.get("code", "")
        if code and code != _SAID_ELSEWHERE:
            yield AttentionLine(
                what=entry["what"],
                why=f"{entry['why']} {entry.get('remedy', '')}".strip(),
                since=parse_datetime(entry.get("since", "")),
                url=list_url("transfer", "serviceheartbeat", service_type__exact="managers"),
                code=code,
                cause=f"{entry['what']} {code}",
            )


def _work_at(off: list[DataLocation]) -> Iterable[AttentionLine]:
    by_key = {location.pk: location for location in off}
    if not by_key:
        return
    rows = Operation.objects.non_polymorphic().open().order_by().exclude(operation_type=OperationType.MONITORING)
    waits = rows.filter(Q(location__in=by_key) | Q(writes_to__in=by_key), status=Status.PENDING)
    counted = waits.values_list("location", "writes_to").annotate(n=Count("pk"), since=Min("created_at"))
    merged: dict[int, tuple[int, datetime]] = {}
    for location, writes_to, count, since in counted:
        key = location if location in by_key else writes_to
        before = merged.get(key, (0, since))
        merged[key] = (before[0] + count, min(before[1], since))
    for key, (count, since) in merged.items():
        what = "1 operation waits" if count == 1 else f"{count} operations wait"
        yield _off_line(by_key[key], f"{what} for it.", since)


def _stranded(off: list[DataLocation]) -> Iterable[AttentionLine]:
    """Packages that are not archived and have no readable copy but at places that are off."""
    by_key = {location.pk: location for location in off}
    if not by_key:
        return
    rows: Any = RawDataPackage.objects.not_archived().stranded_at(by_key)
    counted = rows.filter(copies__data_location__in=by_key).order_by().values_list("copies__data_location")
    for key, count, since in counted.annotate(n=Count("pk", distinct=True), since=Min("created_at")):
        what = "1 package that is not archived is" if count == 1 else f"{count} packages that are not archived are"
        yield _off_line(by_key[key], f"{what} only there.", since)


def _off_line(location: DataLocation, why: str, since: datetime | None) -> AttentionLine:
    page = list_url("datamgmt", "datalocation")
    on = Button("Switch on", "switch_on_selected", page, location.pk)
    remedy = "Switch it on when it may work again." if location.site.active else "Switch its site on."
    until = location.site.off_until if location.active else location.off_until
    if until is not None:
        remedy = f"It is switched on by itself in {duration_text(until - timezone.now())}."
    return AttentionLine(
        what=location.full_name,
        why=f"It is {location.why_off}, and {why}",
        since=since,
        url=list_url("datamgmt", "datalocation", id__exact=location.pk),
        buttons=(on,) if location.site.active else (),
        then=remedy,
    )
