"""Portal page of archives as older documents name them, and filters of lists by location."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ccatdc.common.admin.actions import SwitchedAdmin
from datamgmt.models import DataArchive, DataLocation


class AtLocation(admin.SimpleListFilter):
    """At which location? One query: a location's name is made of its site's."""

    title = "location"
    parameter_name = "location"
    field = "data_location"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        rows = DataLocation.objects.non_polymorphic().with_site()
        return [(str(location.pk), location.full_name) for location in rows]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        value = self.value()
        return rows.filter(**{f"{self.field}_id": value}) if value and value.isdigit() else rows


class AtSource(AtLocation):
    title = "source location"
    parameter_name = "source"
    field = "source_location"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        rows = DataLocation.objects.non_polymorphic().of_type("source").with_site()
        return [(str(location.pk), location.full_name) for location in rows]


@admin.register(DataArchive)
class DataArchiveAdmin(SwitchedAdmin):
    list_display = ["name", "short_name", "site", "is_primary", "active"]
    list_select_related = ["site"]
    list_filter = ["active", "is_primary"]
    search_fields = ["name", "short_name"]
    autocomplete_fields = ["site", "data_location"]
