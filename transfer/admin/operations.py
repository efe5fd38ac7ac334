"""Portal page of operations: every piece of work, why it failed or waits, and the buttons that move it.

The list shows rows of the base table and names what each is about through joins to the kinds' tables; the page of one
operation is that of its kind (transfer/admin/kinds.py).
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Case, F, TextField, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from polymorphic.admin import PolymorphicParentModelAdmin

from accounts.people import person_of
from ccatdc.common.admin.actions import portal_action
from ccatdc.common.admin.badges import NO_VALUE, badge, state_badge
from ccatdc.common.admin.base import ReadOnlyAdmin
from ccatdc.common.states import OPEN_STATUSES, STATUS_COLOURS, Status
from ccatdc.common.units import size_text
from datamgmt.admin.sites import AtLocation
from transfer.engine import dispatch
from transfer.models import Operation
from transfer.operators.actions import acknowledge, acknowledge_cause, retry_cause
from transfer.operators.resend import try_again
from transfer.pipeline import OperationType

#: Where the name of what an operation is about stands, for each kind that has one.
NAMES = (
    "rawdatapackagecreation__raw_data_package__name",
    "datatransferpackagecreation__data_transfer_package__name",
    "datatransfer__data_transfer_package__name",
    "datatransferunpacking__data_transfer__data_transfer_package__name",
    "longtermarchivetransfer__raw_data_package__name",
    "staging__raw_data_package__name",
    "runsubmission__processing_job__processing_run__name",
    "runcollection__processing_job__processing_run__name",
)


def named(rows: Any) -> Any:
    """Operations with ``about``: the name of their package or bundle, or what else it is."""
    return rows.annotate(
        about=Case(
            When(operation_type=OperationType.DELETION, then=Value("a batch of copies")),
            When(operation_type=OperationType.MONITORING, then=Value("the location itself")),
            default=Coalesce(*map(F, NAMES), F("subject")),
            output_field=TextField(),
        )
    )


class AtWork(AtLocation):
    field = "location"


class NeedsAttention(admin.SimpleListFilter):
    """Which work does not go on by itself?"""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("failed", "Failed, not acknowledged"),
            ("paused", "Paused"),
            ("retrying", "Failed before, tried again"),
            ("problems", "Went on, but set something aside"),
        ]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        chosen = self.value()
        if chosen == "failed":
            return rows.failed_unseen()
        if chosen == "paused":
            return rows.paused()
        if chosen == "retrying":
            return rows.open().filter(attempts__gt=0)
        return rows.with_problems() if chosen == "problems" else rows


def is_failed(operation: Operation) -> bool:
    """Over, and a person is needed."""
    return operation.status == Status.FAILED


def is_open(operation: Operation) -> bool:
    return operation.status in OPEN_STATUSES


class OperationActions(ReadOnlyAdmin):
    """What can be done with an operation, from its list and from its page."""

    actions = [
        "retry_selected",
        "resume_selected",
        "cancel_selected",
        "acknowledge_selected",
        "retry_cause_selected",
        "acknowledge_cause_selected",
    ]

    @portal_action("Retry", needs="operate", shown_for=is_failed)
    def retry_selected(self, request: HttpRequest, operation: Operation) -> None:
        """Try again now, with a clean count; packages that failed with it are resent."""
        try_again(operation, person_of(request))

    @portal_action("Resume", needs="operate", shown_for=lambda each: is_open(each) and bool(each.paused_at))
    def resume_selected(self, request: HttpRequest, operation: Operation) -> None:
        """Let a paused operation go on."""
        dispatch.retry(operation, user=person_of(request), reason="Resumed.")

    @portal_action(
        "Cancel",
        needs="operate",
        confirm="Cancelled work ends as failed; its package stays where it is until a retry.",
        shown_for=is_open,
    )
    def cancel_selected(self, request: HttpRequest, operation: Operation) -> None:
        """End it; one that is in progress stops within seconds."""
        dispatch.cancel(operation, user=person_of(request))

    @portal_action("Acknowledge", needs="operate", shown_for=is_failed)
    def acknowledge_selected(self, request: HttpRequest, operation: Operation) -> None:
        """Leave it failed, and take it off the first page."""
        acknowledge(operation, person_of(request))

    @portal_action("Retry all of this cause", needs="operate", shown_for=is_failed)
    def retry_cause_selected(self, request: HttpRequest, operation: Operation) -> None:
        """All that failed with the same error at the same place."""
        retry_cause(operation, person_of(request))

    @portal_action("Acknowledge all of this cause", needs="operate", shown_for=is_failed)
    def acknowledge_cause_selected(self, request: HttpRequest, operation: Operation) -> None:
        acknowledge_cause(operation, person_of(request))

    @admin.display(description="Status", ordering="status")
    def state(self, operation: Operation) -> SafeString:
        """The status, and what makes it special."""
        shown = state_badge(operation.status, operation.get_status_display(), STATUS_COLOURS)
        if operation.paused_at and is_open(operation):
            return format_html("{} {}", shown, badge("Paused", "danger"))
        if operation.cancel_requested_at and is_open(operation):
            return format_html("{} {}", shown, badge("Stopping", "warning"))
        if operation.is_stalled:
            return format_html("{} {}", shown, badge("No progress", "danger"))
        return shown

    @admin.display(description="Progress")
    def progress(self, operation: Operation) -> SafeString:
        """Bytes done of bytes to do; of what is over, all of them."""
        done, total = operation.progress_bytes, operation.total_bytes
        if not done and not total:
            return NO_VALUE
        if total is None or operation.status == Status.COMPLETED:
            text = size_text(total or done)
        else:
            text = f"{size_text(done)} of {size_text(total)}"
        return format_html('<span class="nowrap">{}</span>', text)

    @admin.display(description="Error")
    def error(self, operation: Operation) -> SafeString:
        """Code and message of the last failure."""
        if not operation.error_code:
            return NO_VALUE
        return format_html('<code>{}</code> <span class="why">{}</span>', operation.error_code, operation.error_message)

    @admin.display(description="Error", ordering="error_code")
    def error_shortly(self, operation: Operation) -> SafeString:
        """The code; the message appears over it, and on the operation's page."""
        if not operation.error_code:
            return NO_VALUE
        return format_html('<code class="why" title="{}">{}</code>', operation.error_message, operation.error_code)


@admin.register(Operation)
class OperationAdmin(OperationActions, PolymorphicParentModelAdmin):
    list_display = [
        "what",
        "about_shown",
        "state",
        "location",
        "progress",
        "error_shortly",
        "created_at",
        "finished_at",
    ]
    list_select_related = ["location__site"]
    list_filter = ["status", NeedsAttention, "operation_type", AtWork]
    search_fields = ["subject"]
    search_help_text = "An operation's number, the beginning of a package's or bundle's name, or an error code."
    ordering = ["-created_at"]
    sortable_by = ["created_at"]

    def get_child_models(self) -> list[type[Operation]]:
        return Operation.__subclasses__()

    def get_queryset(self, request: HttpRequest) -> Any:
        return named(super().get_queryset(request))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By number, error code or name; names are looked up in their own indexes first."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdigit():
            return queryset.filter(pk=int(term)), False
        by_code = queryset.filter(error_code=term)
        if by_code.exists():
            return by_code, False
        found: set[int] = set()
        rows = Operation.objects.non_polymorphic()
        for name in NAMES:
            keys = rows.filter(**{f"{name}__startswith": term}).values_list("pk", flat=True)
            found.update(keys[:200])
        return queryset.filter(pk__in=found), False

    @admin.display(description="Work", ordering="operation_type")
    def what(self, operation: Operation) -> str:
        return str(operation)

    @admin.display(description="About")
    def about_shown(self, operation: Any) -> SafeString:
        """Name of the package or bundle."""
        return format_html('<span class="breakable">{}</span>', operation.about)
