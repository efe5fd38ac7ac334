"""Portal page of the metadata that IVOA records need beyond the core tables."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin.base import PortalAdmin
from datamgmt.models import RawDataPackageMetadata


@admin.register(RawDataPackageMetadata)
class RawDataPackageMetadataAdmin(PortalAdmin):
    list_display = ["raw_data_package", "t_exptime_s", "pol_states", "metadata_version"]
    list_select_related = ["raw_data_package"]
    search_fields = ["raw_data_package__name__startswith"]
    search_help_text = "The beginning of a package's name."
    autocomplete_fields = ["raw_data_package"]
    ordering = ["-id"]
    sortable_by = ()
    readonly_fields = ["computed", "computed_at"]
