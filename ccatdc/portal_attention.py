"""What does not go on by itself: every kind of trouble that a person has to look at, with the button
that helps.

Read by the first page of the portal (ccatdc/portal_overview.py). Each question is one bounded query
on a partial index: trouble is rare among millions of rows, and a page shows the first of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ccatdc.common.badges import list_url
from ccatdc.common.units import duration_text
from ccatdc.portal_places import troubled_locations, troubled_services
from ccatdc.portal_trouble import (
    COUNTED,
    SHOWN,
    Button,
    Trouble,
    TroubleGroup,
    Uncounted,
    count_together,
    first_lines,
    group,
)
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState, PhysicalCopyStatus
from planning.models import ExecutedObsUnit
from transfer.admin.operations import named
from transfer.models import CircuitBreaker, Operation, ServiceHeartbeat
from transfer.pipeline import OperationType

#: What a line about a copy names.
OF_A_COPY = ("raw_data_file", "raw_data_package", "data_transfer_package", "data_location__site")


def trouble_groups(
    locations: list[DataLocation], services: list[ServiceHeartbeat], running: list[Operation]
) -> list[TroubleGroup]:
    """Every kind of which there is some, the worst first."""
    groups: list[TroubleGroup | Uncounted] = [
        group(
            "Services",
            troubled_services(locations, services),
            list_url("transfer", "serviceheartbeat"),
        ),
        group("Locations", troubled_locations(locations), list_url("datamgmt", "datalocation")),
        _failed(),
        _failed_packages(),
        _paused(),
        group("Work without progress", _stalled(running), list_url("transfer", "operation")),
        _held_back(),
        _set_aside(),
        _approvals(locations),
        _overdue_executions(),
    ]
    return [group for group in count_together(groups) if group.count]


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
    return Operation.objects.non_polymorphic()


def _shown(rows: Any, order: str) -> Any:
    """The first of them, with what a line says."""
    return named(rows.select_related("location__site")).order_by(order)[:SHOWN]


def _failed() -> Uncounted:
    """Not the checks of locations: what they find is told by the location itself."""
    rows = _rows().failed_unseen().exclude(operation_type=OperationType.MONITORING)
    lines = (
        _operation(
            each, each.error_message, each.finished_at, "retry_selected", "acknowledge_selected"
        )
        for each in _shown(rows, "-finished_at")
    )
    url = list_url("transfer", "operation", attention="failed")
    return first_lines("Failed work", rows, lines, url)


def _failed_packages() -> Uncounted:
    """Also those that a bundle had to do without: there no work failed that could be tried again."""
    page = list_url("datamgmt", "rawdatapackage")
    lines = (
        Trouble(
            what=package.name,
            why="It is not on its way to the archive any more. Its page tells what happened; its files"
            " at SOURCE are kept.",
            since=package.created_at,
            url=list_url("datamgmt", "rawdatapackage", id__exact=package.pk),
            buttons=(Button("Send again", "send_again_selected", page, package.pk),),
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
    return first_lines(
        "Paused work", rows, lines, list_url("transfer", "operation", attention="paused")
    )


def _stalled(running: list[Operation]) -> Iterable[Trouble]:
    for each in running:
        if each.is_stalled:
            since = each.progress_at or each.started_at
            yield _operation(each, "No byte has moved for a long time.", since, "cancel_selected")


def _held_back() -> Uncounted:
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
    return first_lines("Places held back", rows, lines, page)


def _set_aside() -> Uncounted:
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
        for copy in rows.select_related(*OF_A_COPY).order_by("-id")[:SHOWN]
    )
    url = list_url("datamgmt", "physicalcopy", attention="trouble")
    return first_lines("Files and packages set aside", rows, lines, url)


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


def _overdue_executions() -> Uncounted:
    page = list_url("planning", "executedobsunit")
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
            buttons=(Button("Close", "close_selected", page, execution.pk),),
        )
        for execution in rows.order_by("start_time")[:SHOWN]
    )
    url = list_url("planning", "executedobsunit", overdue="yes")
    return first_lines("Observations that never ended", rows, lines, url)
