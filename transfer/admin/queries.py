"""Portal page of query jobs: what astronomers ask as jobs (TAP), and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.contrib import admin

from ccatdc.common.admin.base import ReadOnlyAdmin, state_column
from transfer.models import QueryJob
from transfer.models.queries import Phase

_COLOURS: Final[Mapping[str, str]] = {
    Phase.PENDING: "default",
    Phase.QUEUED: "warning",
    Phase.EXECUTING: "primary",
    Phase.COMPLETED: "success",
    Phase.ERROR: "danger",
    Phase.ABORTED: "default",
}


@admin.register(QueryJob)
class QueryJobAdmin(ReadOnlyAdmin):
    state = state_column("phase", _COLOURS)
    list_display = ["id", "owner", "state", "rows", "created_at", "ended_at"]
    list_select_related = ["owner"]
    list_filter = ["phase"]
    search_fields = ["owner__username"]
    shown = (
        "id",
        "owner",
        "state",
        "query",
        "response_format",
        "max_rows",
        "rows",
        "error",
        "error_code",
        "run_id",
        "max_seconds",
        "starts",
        "created_at",
        "queued_at",
        "started_at",
        "ended_at",
        "destroyed_at",
    )
    fields = shown
    readonly_fields = shown
