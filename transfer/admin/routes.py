"""Portal pages of routes that an operator writes, and of the cursors of the automatic ones."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin.actions import SwitchedAdmin
from ccatdc.common.admin.base import ReadOnlyAdmin
from ccatdc.common.db.notify import notify_managers
from transfer.models import DataTransferRoute, RoundRobinCursor


@admin.register(DataTransferRoute)
class DataTransferRouteAdmin(SwitchedAdmin):
    """Manual overrides. Without any, routes follow from sites, locations and priorities."""

    list_display = [
        "name",
        "route_type",
        "origin_site",
        "relay_site",
        "destination_site",
        "method",
        "bundle_format",
        "priority",
        "active",
    ]
    list_select_related = ["origin_site", "destination_site", "relay_site"]
    list_filter = ["active", "route_type", "origin_site", "destination_site"]
    search_fields = ["name"]
    autocomplete_fields = ["origin_site", "destination_site", "relay_site", "origin_location", "destination_location"]
    fieldsets = [
        (None, {"fields": ["name", "route_type", "priority", "active"]}),
        (
            "From and to",
            {"fields": ["origin_site", "origin_location", "relay_site", "destination_site", "destination_location"]},
        ),
        (
            "How",
            {
                "fields": ["method", "bundle_format", "bundle_max_bytes", "bundle_max_age_seconds", "parameters"],
                "description": "Bytes and seconds. Empty: the buffer's, and the first method.",
            },
        ),
    ]

    def after_switching(self) -> None:
        """Work may have another way to go now."""
        notify_managers()


@admin.register(RoundRobinCursor)
class RoundRobinCursorAdmin(ReadOnlyAdmin):
    list_display = ["name", "last_site"]
    list_select_related = ["last_site"]
