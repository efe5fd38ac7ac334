"""Portal pages of sites, and of archives as older documents name them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ccatdc.common.admin_bulk import SwitchedAdmin
from ccatdc.common.wake import wake_managers
from datamgmt.models import DataArchive, DataLocation, Site


class AtLocation(admin.SimpleListFilter):
    """At which location? One query: a location's name is made of its site's."""

    title = "location"
    parameter_name = "location"
    field = "data_location"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        """All locations by name."""
        rows = DataLocation.objects.non_polymorphic().with_site()
        return [(str(location.pk), location.full_name) for location in rows]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        """Rows at the chosen one."""
        value = self.value()
        return rows.filter(**{f"{self.field}_id": value}) if value and value.isdigit() else rows


class AtSource(AtLocation):
    """At which SOURCE?"""

    title = "source location"
    parameter_name = "source"
    field = "source_location"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        """Sources only."""
        rows = DataLocation.objects.non_polymorphic().of_type("source").with_site()
        return [(str(location.pk), location.full_name) for location in rows]


@admin.register(Site)
class SiteAdmin(SwitchedAdmin):
    """Sites. An inactive site gets no new work."""

    list_display = ["short_name", "name", "location", "timezone", "active"]
    list_filter = ["active"]
    search_fields = ["short_name", "name"]

    def after_switching(self) -> None:
        """Work may have another place to go now."""
        wake_managers()


@admin.register(DataArchive)
class DataArchiveAdmin(SwitchedAdmin):
    """Archives by their older names."""

    list_display = ["name", "short_name", "site", "is_primary", "active"]
    list_select_related = ["site"]
    list_filter = ["active", "is_primary"]
    search_fields = ["name", "short_name"]
    autocomplete_fields = ["site", "data_location"]
