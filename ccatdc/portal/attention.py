"""What needs the attention of a person: the lines on the first page of the portal (ccatdc/portal/overview.py), each
with the button that helps.

Services that are silent or were never started, locations that are not well, failed and paused work, copies and files
that are set aside, deletions to approve. Each question is one bounded query on a partial index: such rows are rare
among millions, and a page shows the first of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Value
from django.utils import timezone

from ccatdc.backup.backups import last_verified
from ccatdc.common.admin.badges import list_url
from ccatdc.common.units import duration_text
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataPackage, UnrecordedFile
from datamgmt.states import PackageState, PhysicalCopyStatus
from planning.models import ExecutedObsUnit
from transfer.admin.operations import named
from transfer.models import CircuitBreaker, Operation, ServiceHeartbeat
from transfer.pipeline import OperationType

#: Lines of one kind; what is beyond is counted and linked.
SHOWN = 10
#: Rows counted of one kind.
COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Button:
    """An action of a model's page, posted for one row."""

    label: str
    name: str
    action_url: str
    key: Any


@dataclass(frozen=True, slots=True)
class AttentionLine:
    """One line: what is wrong, since when, why, and what helps. ``url`` is the page with all details."""

    what: str
    why: str
    since: datetime | None
    url: str
    code: str = ""
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class AttentionGroup:
    """All that needs attention of one kind: the first lines, how many there are (at most COUNTED), how many of them are
    not shown, and where the list is.
    """

    title: str
    lines: list[AttentionLine]
    count: int
    url: str
    more: int = 0


def group(title: str, lines: Iterable[AttentionLine], url: str) -> AttentionGroup:
    """One kind, with all of its lines."""
    found = list(lines)
    return AttentionGroup(title, found, len(found), url)


@dataclass(frozen=True, slots=True)
class Uncounted:
    """One kind with its first lines, and the rows of which they are."""

    title: str
    lines: list[AttentionLine]
    rows: Any
    url: str


def first_lines(title: str, rows: Any, lines: Iterable[AttentionLine], url: str) -> Uncounted:
    """One kind that may have many lines."""
    return Uncounted(title, list(lines), rows, url)


def count_together(groups: Iterable[AttentionGroup | Uncounted]) -> list[AttentionGroup]:
    """Counts where the first lines did not show all of it: no query most of the time, never two."""
    all_groups = list(groups)
    full = [each for each in all_groups if isinstance(each, Uncounted) and len(each.lines) >= SHOWN]
    rows = [
        each.rows.order_by().annotate(of_group=Value(number)).values_list("of_group")[:COUNTED]
        for number, each in enumerate(full)
    ]
    counts = Counter(n for (n,) in (rows[0].union(*rows[1:], all=True) if rows else ()))
    found = []
    for each in all_groups:
        if isinstance(each, Uncounted):
            count = counts[full.index(each)] if each in full else len(each.lines)
            more = max(0, count - len(each.lines))
            found.append(AttentionGroup(each.title, each.lines, count, each.url, more))
        else:
            found.append(each)
    return found


#: A location whose check is late by this many intervals is not looked at any more.
LATE_CHECKS = 4


def troubled_services(locations: list[DataLocation], services: list[ServiceHeartbeat]) -> Iterable[AttentionLine]:
    """Fallen silent; and what nobody ever started though rows ask for it."""
    for service in services:
        if service.is_silent:
            is_worker = service.service_type == "location"
            command = f"run_location {service.name}" if is_worker else "run_managers"
            yield AttentionLine(
                what=f"Worker of {service.name}" if is_worker else f"Manager {service.name}",
                why=f"Not heard from {service.host} (process {service.pid}). "
                f"Look there, or start it again: manage.py {command}",
                since=service.last_seen,
                url=list_url("transfer", "serviceheartbeat", q=service.name),
            )
    if not any(service.service_type == "managers" for service in services):
        yield AttentionLine(
            what="Managers",
            why="Nobody plans any work. Start: manage.py run_managers",
            since=None,
            url=list_url("transfer", "serviceheartbeat"),
        )
    known = {service.name for service in services if service.service_type == "location"}
    for location in locations:
        if _in_use(location) and location.registered_at and location.full_name not in known:
            yield AttentionLine(
                what=f"Worker of {location.full_name}",
                why=f"It never ran. Start: manage.py run_location {location.full_name}",
                since=None,
                url=_location_url(location),
            )


def locations_needing_attention(locations: list[DataLocation]) -> Iterable[AttentionLine]:
    """In use, and not itself, full, never registered, or not looked at any more."""
    page = list_url("datamgmt", "datalocation")
    for location in locations:
        why = _what_is_wrong(location) if _in_use(location) else ""
        if not why:
            continue
        check = Button("Check now", "check_selected", page, location.pk)
        yield AttentionLine(
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
        return f"Not registered, so that nothing is written there. On a host that sees it: {command}"
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


#: What a line about a copy names.
OF_A_COPY = ("raw_data_file", "raw_data_package", "data_transfer_package", "data_location__site")


def attention_groups(
    locations: list[DataLocation], services: list[ServiceHeartbeat], running: list[Operation]
) -> list[AttentionGroup]:
    """Every kind of which there is some, the worst first."""
    groups: list[AttentionGroup | Uncounted] = [
        group("Services", troubled_services(locations, services), list_url("transfer", "serviceheartbeat")),
        group("Backups", _backups(), list_url("accounts", "systemlog", q="backup")),
        group("Locations", locations_needing_attention(locations), list_url("datamgmt", "datalocation")),
        _failed(),
        _failed_packages(),
        _paused(),
        group("Work without progress", _stalled(running), list_url("transfer", "operation")),
        _held_back(),
        _set_aside(),
        _unrecorded(),
        _approvals(locations),
        _overdue_executions(),
    ]
    return [group for group in count_together(groups) if group.count]


def _backups() -> Iterable[AttentionLine]:
    """The newest backup that was verified by restoring it is too old."""
    if not settings.BACKUP_MAX_AGE_HOURS:
        return
    taken_at = last_verified()
    if taken_at is None or timezone.now() - taken_at > timedelta(hours=settings.BACKUP_MAX_AGE_HOURS):
        yield AttentionLine(
            what="The database",
            why="No backup of it was verified"
            + (f" in {settings.BACKUP_MAX_AGE_HOURS:g} hours" if taken_at else "")
            + ". Look at the timer ccatdc-backup, or run: manage.py backup FOLDER",
            since=taken_at,
            url=list_url("accounts", "systemlog", q="backup"),
        )


def _operation(operation: Any, why: str, since: datetime | None, *names: str) -> AttentionLine:
    page = list_url("transfer", "operation")
    labels = {
        "retry_selected": "Retry",
        "resume_selected": "Resume",
        "cancel_selected": "Cancel",
        "acknowledge_selected": "Acknowledge",
    }
    return AttentionLine(
        what=f"{operation.get_operation_type_display()}: {operation.about}",
        why=f"At {operation.location.full_name}: {why}",
        since=since,
        url=list_url("transfer", "operation", q=operation.pk),
        code=operation.error_code,
        buttons=tuple(Button(labels[name], name, page, operation.pk) for name in names),
    )


def _rows() -> Any:
    return Operation.objects.non_polymorphic()


def _shown(rows: Any, order: str) -> Any:
    """The first of them, with what a line says."""
    return named(rows.select_related("location__site")).order_by(order)[:SHOWN]


def _failed() -> Uncounted:
    """Not the checks of locations: what they find is told by the location itself."""
    rows = _rows().failed_unseen().exclude(operation_type=OperationType.MONITORING)
    lines = (
        _operation(each, each.error_message, each.finished_at, "retry_selected", "acknowledge_selected")
        for each in _shown(rows, "-finished_at")
    )
    url = list_url("transfer", "operation", attention="failed")
    return first_lines("Failed work", rows, lines, url)


def _failed_packages() -> Uncounted:
    """Also those that a bundle had to do without: there no work failed that could be tried again."""
    page = list_url("datamgmt", "rawdatapackage")
    lines = (
        AttentionLine(
            what=package.name,
            why="It is not on its way to the archive any more. Its page tells what happened; its files"
            " at SOURCE are kept.",
            since=package.created_at,
            url=list_url("datamgmt", "rawdatapackage", id__exact=package.pk),
            buttons=(Button("Resend", "send_again_selected", page, package.pk),),
        )
        for package in RawDataPackage.objects.failed().order_by("created_at")[:SHOWN]
    )
    rows = RawDataPackage.objects.failed()
    url = list_url("datamgmt", "rawdatapackage", state__exact=PackageState.FAILED.value)
    return first_lines("Packages that failed", rows, lines, url)


def _paused() -> Uncounted:
    rows = _rows().paused()
    lines = (
        _operation(
            each,
            f"{each.lost_leases} workers died in it without progress. {each.error_message}".strip(),
            each.paused_at,
            "resume_selected",
            "cancel_selected",
        )
        for each in _shown(rows, "paused_at")
    )
    return first_lines("Paused work", rows, lines, list_url("transfer", "operation", attention="paused"))


def _stalled(running: list[Operation]) -> Iterable[AttentionLine]:
    for each in running:
        if each.is_stalled:
            since = each.progress_at or each.started_at
            yield _operation(each, "No byte has moved for a long time.", since, "cancel_selected")


def _held_back() -> Uncounted:
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
        )
        for breaker in rows.order_by("opened_at")[:SHOWN]
    )
    return first_lines("Places held back", rows, lines, page)


def _set_aside() -> Uncounted:
    page = list_url("datamgmt", "physicalcopy")
    rows = PhysicalCopy.objects.non_polymorphic().needing_attention()
    lines = (
        AttentionLine(
            what=str(copy.subject),
            why=f"{copy.get_integrity_display()} at {copy.data_location.full_name}: "
            f"{copy.error_message or 'no reason was given.'}",
            since=copy.verified_at or copy.created_at,
            url=list_url("datamgmt", "physicalcopy", id__exact=copy.pk),
            code=copy.error_code,
            buttons=(Button("Check again", "check_again_selected", page, copy.pk),),
        )
        for copy in rows.select_related(*OF_A_COPY).order_by("-id")[:SHOWN]
    )
    url = list_url("datamgmt", "physicalcopy", attention="needs_attention")
    return first_lines("Files and packages set aside", rows, lines, url)


def _unrecorded() -> AttentionGroup:
    """One line for each location: what people did not decide about yet."""
    page = list_url("datamgmt", "unrecordedfile")
    rows = UnrecordedFile.objects.undecided().order_by("location__site__short_name", "location__name")
    counted = rows.values_list("location", "location__site__short_name", "location__name", "location__location_type")
    lines = [
        AttentionLine(
            what=f"{site}_{name}: {count} {'file' if count == 1 else 'files'}",
            why="At a SOURCE, and nobody filed them: the instrument files them, or removes them."
            if location_type == LocationType.SOURCE
            else "In the store, and no row of the catalogue names them. Look at them: record, remove or keep.",
            since=since,
            url=list_url("datamgmt", "unrecordedfile", location=pk, decision__exact=""),
        )
        for pk, site, name, location_type, count, since in counted.annotate(n=Count("pk"), since=Min("found_at"))
    ]
    return group("Unrecorded files", lines, page)


def _approvals(locations: list[DataLocation]) -> AttentionGroup:
    """One line: they are approved in their list. By location, which is what their index begins with."""
    waiting = PhysicalCopy.objects.non_polymorphic().at_any(each.pk for each in locations)
    rows = waiting.filter(status=PhysicalCopyStatus.DELETION_PENDING)
    count = rows.order_by()[:COUNTED].count()
    url = list_url("datamgmt", "physicalcopy", attention="approval")
    line = AttentionLine(
        what=f"{count} copies" if count != 1 else "1 copy",
        why="May be deleted; their location wants an operator's approval first.",
        since=None,
        url=url,
    )
    return AttentionGroup("Deletions to approve", [line], count, url)


def _overdue_executions() -> Uncounted:
    page = list_url("planning", "executedobsunit")
    rows = ExecutedObsUnit.objects.overdue().select_related("obs_unit__observing_program", "obs_unit__source")
    lines = (
        AttentionLine(
            what=str(execution),
            why="Still running, though it was planned for "
            f"{duration_text(execution.obs_unit.planned_duration_s)}: its files are not packaged "
            "before its instrument says that it ended.",
            since=execution.start_time,
            url=list_url("planning", "executedobsunit", id__exact=execution.pk),
            buttons=(Button("Close", "close_selected", page, execution.pk),),
        )
        for execution in rows.order_by("start_time")[:SHOWN]
    )
    url = list_url("planning", "executedobsunit", overdue="yes")
    return first_lines("Observations that never ended", rows, lines, url)
