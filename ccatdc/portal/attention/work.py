"""Work that failed, by cause; that is paused, stalls, or comes faster than it is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from ccatdc.common.admin.badges import list_url
from ccatdc.common.error_table import kind_of
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
from datamgmt.states import PackageState
from transfer.admin.operations import named
from transfer.models import Operation
from transfer.models.operations import not_held_back
from transfer.operators.resend import without_failed_work
from transfer.pipeline import OperationType

#: What happens by itself after a failure, by ``again`` of the table of error codes.
_BY_ITSELF: Final = {
    "itself": "It was tried again by itself until its attempts were used up.",
    "resent": "Its packages are resent by themselves from the best copy there is.",
}
#: Failed operations that are looked at, the newest: grouping all of a bad year would hold up the page.
MOST_FAILED: Final = 20_000
#: A queue that grows: so many wait, the oldest for so long, and more came than were done within the last hour.
MANY: Final = 50
LONG: Final = timedelta(minutes=30)

_LABELS: Final = {
    "retry_selected": "Retry",
    "acknowledge_selected": "Acknowledge",
    "retry_cause_selected": "Retry all",
    "acknowledge_cause_selected": "Acknowledge all",
    "resume_selected": "Resume",
    "cancel_selected": "Cancel",
}


def failed(_seen: Seen) -> AttentionGroup:
    """One line for each cause: an error at a place. Not the checks of locations: what they find is told by the location
    itself.
    """
    rows = _rows().failed_work()
    newest = rows.order_by("-finished_at").values("pk")[:MOST_FAILED]
    counted = _rows().filter(pk__in=newest).order_by().values("location", "error_code")
    causes = list(counted.annotate(count=Count("pk"), since=Min("finished_at"), last=Max("pk")).order_by("-since"))
    shown = causes[:SHOWN]
    last = {each["last"] for each in shown}
    examples = (
        {each.pk: each for each in named(_rows().filter(pk__in=last).select_related("location__site"))} if last else {}
    )
    lines = [_cause(examples[each["last"]], each["count"], each["since"]) for each in shown]
    url = list_url("transfer", "operation", attention="failed")
    return AttentionGroup("Failed work", lines, len(causes), url, len(causes) - len(shown))


def _cause(example: Any, count: int, since: Any) -> AttentionLine:
    place = example.location
    cause = f"{place.pk} {example.error_code}"
    if count == 1:
        line = _line(
            example,
            example.error_message,
            since,
            "retry_selected",
            "acknowledge_selected",
            then=_then(example.error_code),
        )
        return replace(line, cause=cause)
    return AttentionLine(
        what=f"{count} operations failed at {place.full_name}",
        why=f"Last {example.get_operation_type_display()} of {example.about}: {example.error_message}",
        since=since,
        url=list_url("transfer", "operation", attention="failed", location=place.pk, q=example.error_code),
        code=example.error_code,
        buttons=_buttons(example, "retry_cause_selected", "acknowledge_cause_selected"),
        then=_then(example.error_code),
        cause=cause,
    )


def failed_packages(_seen: Seen) -> Uncounted:
    """Of which no work failed that could be tried again: a bundle had to do without them."""
    page = list_url("datamgmt", "rawdatapackage")
    rows = without_failed_work(RawDataPackage.objects.failed())
    lines = (
        AttentionLine(
            what=package.name,
            why="It is not on its way to the archive any more. Its page tells what happened; its files"
            " at SOURCE are kept.",
            since=package.created_at,
            url=list_url("datamgmt", "rawdatapackage", id__exact=package.pk),
            buttons=(Button("Resend", "send_again_selected", page, package.pk),),
        )
        for package in rows.order_by("created_at")[:SHOWN]
    )
    url = list_url("datamgmt", "rawdatapackage", state__exact=PackageState.FAILED.value)
    return first_lines("Packages that failed", rows, lines, url)


def paused(_seen: Seen) -> Uncounted:
    """In which several workers died."""
    rows = _rows().paused()
    shown = named(rows.select_related("location__site")).order_by("paused_at")[:SHOWN]
    lines = (
        _line(
            each,
            f"{each.lost_leases} workers died in it without progress. {each.error_message}".strip(),
            each.paused_at,
            "resume_selected",
            "cancel_selected",
            then="It goes on by itself after a long wait.",
        )
        for each in shown
    )
    return first_lines("Paused work", rows, lines, list_url("transfer", "operation", attention="paused"))


def stalled(seen: Seen) -> AttentionGroup:
    lines = (
        _line(each, "No byte has moved for a long time.", each.progress_at or each.started_at, "cancel_selected")
        for each in seen.running
        if each.is_stalled and each.operation_type != OperationType.MONITORING
    )
    return group("Work without progress", lines, list_url("transfer", "operation"))


def growing(seen: Seen) -> AttentionGroup:
    """Queues of due work that nothing holds back, where more comes than is done."""
    due = _rows().filter(not_held_back(), status=Status.PENDING, paused_at=None, run_after__lte=Now())
    long = due.order_by().values_list("location", "operation_type").annotate(n=Count("pk"), since=Min("run_after"))
    places = {each.pk: each for each in seen.in_use}
    lines = [
        line
        for key, kind, count, since in long.filter(n__gte=MANY, since__lt=timezone.now() - LONG)
        if key in places and (line := _grows(places[key], kind, count, since)) is not None
    ]
    return group("Queues that grow", lines, list_url("transfer", "operation", status__exact="pending"))


def _grows(location: DataLocation, kind: str, count: int, since: Any) -> AttentionLine | None:
    hour = timezone.now() - timedelta(hours=1)
    # What was done within the hour had been waiting about as long as what waits longest now.
    recent = _rows().filter(
        location=location, operation_type=kind, created_at__gte=min(since, hour) - timedelta(hours=1)
    )
    flow = recent.order_by().aggregate(
        came=Count("pk", filter=Q(created_at__gte=hour)),
        done=Count("pk", filter=Q(status=Status.COMPLETED, finished_at__gte=hour)),
    )
    if flow["came"] <= flow["done"]:
        return None
    label = OperationType(kind).label
    return AttentionLine(
        what=f"{label} at {location.full_name}",
        why=f"{count} wait, the oldest for {duration_text(timezone.now() - since)}; in the last hour {flow['came']} came"
        f" and {flow['done']} were done.",
        since=since,
        url=list_url(
            "transfer", "operation", status__exact="pending", operation_type__exact=kind, location=location.pk
        ),
        then=f"Give it more workers (run_location {location.full_name} --workers N), or find out what is slow there.",
    )


def _then(code: str) -> str:
    """What a person does, and what happens by itself."""
    kind = kind_of(code)
    return f"{remedy_of(code)} {_BY_ITSELF.get(kind.again, '') if kind is not None else ''}".strip()


def _line(operation: Any, why: str, since: Any, *names: str, then: str = "") -> AttentionLine:
    return AttentionLine(
        what=f"{operation.get_operation_type_display()}: {operation.about}",
        why=f"At {operation.location.full_name}: {why}",
        since=since,
        url=list_url("transfer", "operation", q=operation.pk),
        code=operation.error_code,
        buttons=_buttons(operation, *names),
        then=then,
    )


def _buttons(operation: Any, *names: str) -> tuple[Button, ...]:
    page = list_url("transfer", "operation")
    return tuple(Button(_LABELS[name], name, page, operation.pk) for name in names)


def _rows() -> Any:
    return Operation.objects.non_polymorphic()
