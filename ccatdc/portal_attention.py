"""What does not go on by itself: every kind of trouble that a person has to look at, with the button
that helps.

Read by the first page of the portal (ccatdc/portal_overview.py). Each question is one bounded query
on a partial index: trouble is rare among millions of rows, and a page shows the first of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ccatdc.common.badges import list_url
from ccatdc.common.units import duration_text
from datamgmt.models import DataLocation, PhysicalCopy
from datamgmt.states import PhysicalCopyStatus
from planning.models import ExecutedObsUnit
from transfer.admin.operations import named
from transfer.models import CircuitBreaker, Operation, ServiceHeartbeat
from transfer.pipeline import OperationType

#: Lines of one kind of trouble; what is beyond is counted and linked.
SHOWN = 10
#: Rows counted of one kind of trouble.
COUNTED = 1000
#: A location whose check is late by this many intervals is not looked at any more.
LATE_CHECKS = 4


@dataclass(frozen=True, slots=True)
class Button:
    """An action of a model's page, posted for one row."""

    label: str
    name: str
    action_url: str
    key: Any


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line: what is wrong, since when, why, and what helps. ``url`` is the page with all details."""

    what: str
    why: str
    since: datetime | None
    url: str
    code: str = ""
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class TroubleGroup:
    """All trouble of one kind: the first lines, how many there are (at most COUNTED), how many of
    them are not shown, and where the list is.
    """

    title: str
    lines: list[Trouble]
    count: int
    url: str
    more: int = 0


def trouble_groups(
    locations: list[DataLocation], services: list[ServiceHeartbeat], running: list[Operation]
) -> list[TroubleGroup]:
    """Every kind of which there is some, the worst first."""
    groups = [
        _group(
            "Services", _services(locations, services), list_url("transfer", "serviceheartbeat")
        ),
        _group("Locations", _locations(locations), list_url("datamgmt", "datalocation")),
        _failed(),
        _paused(),
        _group("Work without progress", _stalled(running), list_url("transfer", "operation")),
        _held_back(),
        _set_aside(),
        _approvals(locations),
        _overdue_executions(),
    ]
    return [group for group in groups if group.count]


def _group(title: str, lines: Iterable[Trouble], url: str) -> TroubleGroup:
    found = list(lines)
    return TroubleGroup(title, found, len(found), url)


def _counted(title: str, rows: Any, lines: Iterable[Trouble], url: str) -> TroubleGroup:
    """Counts only when the first lines did not show all of it: most of the time no second query."""
    found = list(lines)
    count = len(found) if len(found) < SHOWN else rows.order_by()[:COUNTED].count()
    return TroubleGroup(title, found, count, url, more=max(0, count - len(found)))


def _services(locations: list[DataLocation], services: list[ServiceHeartbeat]) -> Iterable[Trouble]:
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


def _locations(locations: list[DataLocation]) -> Iterable[Trouble]:
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
            since=location.checked_at,
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


def _operation(operation: Any, why: str, since: datetime | None, *names: str) -> Trouble:
    page = list_url("transfer", "operation")
    labels = {
        "retry_selected": "Retry",
        "resume_selected": "Resume",
        "cancel_selected": "Cancel",
        "acknowledge_selected": "Take note",
    }
    return Trouble(
        what=f"{operation.get_operation_type_display()}: {operation.about}",
        why=f"At {operation.location.full_name}: {why}",
        since=since,
        url=list_url("transfer", "operation", q=operation.pk),
        code=operation.error_code,
        buttons=tuple(Button(labels[name], name, page, operation.pk) for name in names),
    )


def _rows() -> Any:
    return named(Operation.objects.non_polymorphic().select_related("location__site"))


def _failed() -> TroubleGroup:
    """Not the checks of locations: what they find is told by the location itself."""
    rows = _rows().failed_unseen().exclude(operation_type=OperationType.MONITORING)
    lines = (
        _operation(
            each, each.error_message, each.finished_at, "retry_selected", "acknowledge_selected"
        )
        for each in rows.order_by("-finished_at")[:SHOWN]
    )
    url = list_url("transfer", "operation", attention="failed")
    return _counted("Failed work", rows, lines, url)


def _paused() -> TroubleGroup:
    rows = _rows().paused()
    lines = (
        _operation(
            each,
            f"{each.lost_leases} workers died in it without progress. {each.error_message}".strip(),
            each.paused_at,
            "resume_selected",
            "cancel_selected",
        )
        for each in rows.order_by("paused_at")[:SHOWN]
    )
    return _counted(
        "Paused work", rows, lines, list_url("transfer", "operation", attention="paused")
    )


def _stalled(running: list[Operation]) -> Iterable[Trouble]:
    for each in running:
        if each.is_stalled:
            since = each.progress_at or each.started_at
            yield _operation(each, "No byte has moved for a long time.", since, "cancel_selected")


def _held_back() -> TroubleGroup:
    page = list_url("transfer", "circuitbreaker")
    rows = CircuitBreaker.objects.open().select_related("location__site")
    lines = (
        Trouble(
            what=str(breaker),
            why=f"Held back after {breaker.failures} failures in a row: {breaker.error_message}",
            since=breaker.opened_at,
            url=list_url("transfer", "circuitbreaker", location__id=breaker.location_id),
            code=breaker.error_code,
            buttons=(Button("Let work run again", "reset_selected", page, breaker.pk),),
        )
        for breaker in rows.order_by("opened_at")[:SHOWN]
    )
    return _counted("Places held back", rows, lines, page)


def _set_aside() -> TroubleGroup:
    page = list_url("datamgmt", "physicalcopy")
    rows = PhysicalCopy.objects.non_polymorphic().in_trouble()
    lines = (
        Trouble(
            what=str(copy.subject),
            why=f"{copy.get_integrity_display()} at {copy.data_location.full_name}: "
            f"{copy.error_message or 'no reason was given.'}",
            since=copy.verified_at or copy.created_at,
            url=list_url("datamgmt", "physicalcopy", id__exact=copy.pk),
            code=copy.error_code,
            buttons=(Button("Check again", "check_again_selected", page, copy.pk),),
        )
        for copy in rows.with_subjects().order_by("-id")[:SHOWN]
    )
    url = list_url("datamgmt", "physicalcopy", attention="trouble")
    return _counted("Files and packages set aside", rows, lines, url)


def _approvals(locations: list[DataLocation]) -> TroubleGroup:
    """One line: they are approved in their list. By location, which is what their index begins with."""
    waiting = PhysicalCopy.objects.non_polymorphic().at_any(each.pk for each in locations)
    rows = waiting.filter(status=PhysicalCopyStatus.DELETION_PENDING)
    count = rows.order_by()[:COUNTED].count()
    url = list_url("datamgmt", "physicalcopy", attention="approval")
    line = Trouble(
        what=f"{count} copies" if count != 1 else "1 copy",
        why="May be deleted; their location wants an operator's approval first.",
        since=None,
        url=url,
    )
    return TroubleGroup("Deletions to approve", [line], count, url)


def _overdue_executions() -> TroubleGroup:
    rows = ExecutedObsUnit.objects.overdue().select_related(
        "obs_unit__observing_program", "obs_unit__source"
    )
    lines = (
        Trouble(
            what=str(execution),
            why="Still running, though it was planned for "
            f"{duration_text(execution.obs_unit.planned_duration_s)}: its files are not packaged "
            "before its instrument says that it ended.",
            since=execution.start_time,
            url=list_url("planning", "executedobsunit", id__exact=execution.pk),
        )
        for execution in rows.order_by("start_time")[:SHOWN]
    )
    url = list_url("planning", "executedobsunit", overdue="yes")
    return _counted("Observations that never ended", rows, lines, url)


def _location_url(location: DataLocation) -> str:
    return list_url("datamgmt", "datalocation", id__exact=location.pk)
