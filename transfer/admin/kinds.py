"""Portal pages of single operations: one for each kind of work, made from its own columns."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from polymorphic.admin import PolymorphicChildModelAdmin

from ccatdc.common.admin.badges import NO_VALUE, badge
from ccatdc.common.admin.base import ReadOnlyInline, fields_of
from ccatdc.common.units import NOTHING, duration_text, rate_text, size_text
from datamgmt.models import DataLocation
from transfer.admin.operations import OperationActions
from transfer.engine.worker.logs import end_of_log, log_name_of
from transfer.models import (
    DataTransfer,
    DataTransferLog,
    Deletion,
    DeletionItem,
    LongTermArchiveTransfer,
    LongTermArchiveTransferLog,
    Operation,
)
from transfer.models.work import DeletionOutcome
from transfer.operators.wait_reasons import Waiting

COMMON = fields_of(Operation)
#: Claims whose logs the page of the log offers, the last ones.
CLAIMS_SHOWN = 50


class KindAdmin(OperationActions, PolymorphicChildModelAdmin):
    base_model = Operation
    list_display = ["__str__", "location", "state", "attempts", "created_at", "finished_at"]
    list_select_related = ["location__site"]
    ordering = ["-pk"]
    sortable_by = ()
    shown = ["state", "progress", "rate", "lasted", "error", "problems_shown", "log_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """With the names of the places that its page names."""
        columns = self.model._meta.concrete_fields
        places = [f"{f.name}__site" for f in columns if f.related_model is DataLocation]
        return super().get_queryset(request).select_related(*places)

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_log"
        return [path("<int:pk>/log/", self.admin_site.admin_view(self.log_view), name=name), *super().get_urls()]

    def log_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The end of the log of a claim, of the last one unless ``claim`` says which."""
        operation = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, operation):
            raise PermissionDenied
        claims = range(max(1, operation.claims - CLAIMS_SHOWN + 1), operation.claims + 1)
        asked = request.GET.get("claim", "")
        claim = next((each for each in claims if str(each) == asked), operation.claims)
        name = operation.log_path if claim == operation.claims else log_name_of(pk, claim)
        text, missing = None, "There is no log: the work did not begin, or its log was removed after a while."
        try:
            text = end_of_log(name) if name else None
        except OSError as error:
            missing = f"The storage of logs does not answer: {error}"
        return TemplateResponse(
            request,
            "portal/log.html",
            {
                **self.admin_site.each_context(request),
                "title": f"Log of {operation}",
                "opts": self.opts,
                "operation": operation,
                "text": text,
                "missing": missing,
                "claim": claim,
                "claims": claims,
                "back": reverse("admin:transfer_operation_change", args=[pk]),
            },
        )

    @admin.display(description="Log")
    def log_shown(self, operation: Operation) -> SafeString:
        """To what was said during the last claim."""
        if not operation.log_path:
            return NO_VALUE
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_log", args=[operation.pk])
        return format_html('<a class="portal-link" href="{}">{}</a>', address, operation.log_path)

    def own_fields(self) -> list[str]:
        """The columns of this kind's own table."""
        return [f.name for f in self.model._meta.local_fields if not f.name.endswith("_ptr")]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*COMMON, *self.own_fields(), *self.shown]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """What it is about, how it goes, when, and who does it."""
        about = [*self.own_fields(), "location", "priority"]
        return [
            ("What", {"fields": [f for f in about if f not in ("bytes_transferred", "seconds")]}),
            ("How it goes", {"fields": ["state", "progress", "rate", "lasted", "error", "problems_shown"]}),
            (
                "Times (UTC)",
                {
                    "fields": [
                        "created_at",
                        "scheduled_at",
                        "started_at",
                        "progress_at",
                        "finished_at",
                        "run_after",
                        "acknowledged_at",
                    ]
                },
            ),
            (
                "Attempts",
                {"fields": ["attempts", "max_attempts", "claims", "lost_leases", "owner", "lease_until", "log_shown"]},
            ),
        ]

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Why it waits, above all else."""
        reason = Waiting().why(obj)
        return {"portal_notes": [("warning", reason)] if reason else []}

    @admin.display(description="Rate")
    def rate(self, operation: Operation) -> str:
        """Bytes per second since it started, or of the transfer itself where that was measured."""
        seconds = getattr(operation, "seconds", None)
        if seconds:
            return rate_text(getattr(operation, "bytes_transferred", None), seconds)
        end = operation.finished_at or operation.progress_at
        if operation.started_at is None or end is None:
            return NOTHING
        return rate_text(operation.progress_bytes, (end - operation.started_at).total_seconds())

    @admin.display(description="Took")
    def lasted(self, operation: Operation) -> str:
        if operation.started_at is None or operation.finished_at is None:
            return NOTHING
        return duration_text(operation.finished_at - operation.started_at)

    @admin.display(description="Set aside on the way")
    def problems_shown(self, operation: Operation) -> SafeString:
        """What could not be done though the rest went on."""
        if not operation.problems:
            return SafeString("Nothing")
        return format_html(
            '<ul class="problems">{}</ul>',
            format_html_join("", "<li>{}</li>", ((_sentence(p),) for p in operation.problems)),
        )


def _sentence(problem: Any) -> str:
    """A problem as text (transfer/operations/base.py writes subject, message and code)."""
    if isinstance(problem, dict):
        subject, message = problem.get("subject", ""), problem.get("message", "")
        return f"{subject}: {message} ({problem.get('code', 'no code')})"
    return str(problem)


def _reason(reason: Any) -> str:
    return str(reason.get("text") or reason) if isinstance(reason, dict) else str(reason)


class TransferLogs(ReadOnlyInline):
    model = DataTransferLog
    shown = ("timestamp", "status", "message")
    fields = shown
    readonly_fields = shown


class ArchiveLogs(ReadOnlyInline):
    """The changes of an archive transfer."""

    model = LongTermArchiveTransferLog
    shown = ("timestamp", "status", "message")
    fields = shown
    readonly_fields = shown


OUTCOME_COLOURS: dict[str, str] = {
    DeletionOutcome.PENDING: "warning",
    DeletionOutcome.DELETED: "success",
    DeletionOutcome.KEPT: "info",
    DeletionOutcome.FAILED: "danger",
}


class DeletionItems(ReadOnlyInline):
    """The copies of a batch, and what became of each."""

    model = DeletionItem
    shown = ("copy", "size", "outcome_shown", "why")
    fields = shown
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what names are made of."""
        return (
            super()
            .get_queryset(request)
            .select_related(
                "physical_copy__raw_data_file",
                "physical_copy__raw_data_package",
                "physical_copy__data_transfer_package",
                "physical_copy__data_location__site",
            )
            .order_by("pk")
        )

    @admin.display(description="Copy")
    def copy(self, item: DeletionItem) -> str:
        return str(item.physical_copy.subject)

    @admin.display(description="Size")
    def size(self, item: DeletionItem) -> str:
        return size_text(item.physical_copy.size)

    @admin.display(description="Why it was kept")
    def why(self, item: DeletionItem) -> str:
        """The reasons that had appeared, or the error."""
        return "; ".join(map(_reason, item.reasons)) or NOTHING

    @admin.display(description="Outcome")
    def outcome_shown(self, item: DeletionItem) -> SafeString:
        return badge(item.get_outcome_display(), OUTCOME_COLOURS[item.outcome])


INLINES: dict[type[Operation], list[Any]] = {
    DataTransfer: [TransferLogs],
    LongTermArchiveTransfer: [ArchiveLogs],
    Deletion: [DeletionItems],
}

for kind in Operation.__subclasses__():
    admin.site.register(kind, KindAdmin, inlines=INLINES.get(kind, []))
