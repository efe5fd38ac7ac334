"""Portal pages of the totals of hours and days, as rows; the page *Over time* shows them as charts."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin.base import ReadOnlyAdmin, size_column
from transfer.admin.operations import AtWork
from transfer.models import LocationUsage, WorkTotal


@admin.register(WorkTotal)
class WorkTotalAdmin(ReadOnlyAdmin):
    list_display = [
        "starts_at",
        "period",
        "kind",
        "location",
        "destination",
        "done",
        "failed",
        "files",
        "moved",
        "seconds",
        "waiting",
    ]
    list_select_related = ["location__site", "destination__site"]
    list_filter = ["period", "kind", AtWork]

    moved = size_column("bytes")


@admin.register(LocationUsage)
class LocationUsageAdmin(ReadOnlyAdmin):
    list_display = ["starts_at", "period", "location", "used", "capacity"]
    list_select_related = ["location__site"]
    list_filter = ["period", AtWork]

    used = size_column("used_bytes", "Used")
    capacity = size_column("capacity_bytes", "Capacity")
