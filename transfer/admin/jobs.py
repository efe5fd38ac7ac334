"""Portal page of staging jobs: what scientists asked for, and how far it is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.admin.badges import badge, link_to_admin
from ccatdc.common.admin.base import ReadOnlyAdmin, ReadOnlyInline, size_column, state_column
from ccatdc.common.states import STATUS_COLOURS
from ccatdc.common.units import NOTHING
from datamgmt.admin.sites import AtLocation
from transfer.models import Staging, StagingJob
from transfer.operators.wait_reasons import Waiting


class AtDestination(AtLocation):
    title = "destination"
    parameter_name = "destination"
    field = "destination_location"


class Stagings(ReadOnlyInline):
    """The packages of a job, one operation each."""

    model = Staging
    fk_name = "staging_job"
    shown = ("package", "state", "why")
    fields = shown
    readonly_fields = shown
    state = state_column("status", STATUS_COLOURS, order=False)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows: Any = super().get_queryset(request)
        return rows.non_polymorphic().select_related("raw_data_package", "location__site").order_by("pk")

    @admin.display(description="Package")
    def package(self, staging: Staging) -> SafeString:
        return link_to_admin("transfer", "operation", staging.pk, staging.raw_data_package.name)

    @admin.display(description="Why it waits or failed")
    def why(self, staging: Staging) -> str:
        """The error, or the reason to wait."""
        return staging.error_message or self.waiting.why(staging) or NOTHING

    @cached_property
    def waiting(self) -> Waiting:
        """Read once for all rows of a page."""
        return Waiting()


@admin.register(StagingJob)
class StagingJobAdmin(ReadOnlyAdmin):
    state = state_column("status", STATUS_COLOURS)
    size = size_column("total_bytes", "Size")
    list_display = [
        "__str__",
        "requested_by",
        "destination_location",
        "state",
        "life",
        "size",
        "created_at",
        "expires_at",
    ]
    list_select_related = ["requested_by", "destination_location__site"]
    list_filter = ["status", AtDestination]
    search_fields = ["name", "requested_by__username"]
    inlines = [Stagings]
    shown = (
        "name",
        "requested_by",
        "destination_location",
        "state",
        "life",
        "size",
        "page",
        "failure_error_message",
        "created_at",
        "finished_at",
        "expires_at",
        "cancelled_at",
        "notified_at",
    )
    fields = shown
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    @admin.display(description="Data stays")
    def life(self, job: StagingJob) -> SafeString:
        if job.cancelled_at:
            return badge("Cancelled", "default")
        return badge("Active", "success") if job.active else badge("Expired", "default")

    @admin.display(description="As its owner sees it")
    def page(self, job: StagingJob) -> SafeString:
        """There it can be cancelled, extended and retried."""
        return format_html(
            '<a class="portal-link" href="{}">Follow this job</a>', reverse("staging:job", args=[job.pk])
        )
