"""Portal pages of downloads, and of the quotas of staged data."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import admin

from ccatdc.common.admin.base import PortalAdmin, ReadOnlyAdmin, size_column, state_column
from transfer.models import Download, StagingQuota
from transfer.models.downloads import DownloadOutcome

OUTCOME_COLOURS: Mapping[str, str] = {
    DownloadOutcome.RUNNING: "info",
    DownloadOutcome.COMPLETE: "success",
    DownloadOutcome.CUT: "warning",
    DownloadOutcome.DAMAGED: "danger",
}


@admin.register(Download)
class DownloadAdmin(ReadOnlyAdmin):
    """Who got how much, and how it ended."""

    outcome_shown = state_column("outcome", OUTCOME_COLOURS)
    size_shown = size_column("size", "Size")
    sent = size_column("sent_bytes", "Sent")
    list_display = ["name", "user", "kind", "size_shown", "sent", "outcome_shown", "error_code", "started_at"]
    list_select_related = ["user"]
    list_filter = ["outcome", "kind"]
    search_fields = ["user__username"]
    sortable_by = ()


@admin.register(StagingQuota)
class StagingQuotaAdmin(PortalAdmin):
    """How much the active staging jobs of a person, or of a program's data, may hold."""

    list_display = ["__str__", "max_gb"]
    list_select_related = ["user", "program"]
    autocomplete_fields = ["user", "program"]
