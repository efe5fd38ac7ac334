"""Portal pages of data products, the runs that made them, their software, and publications."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import SwitchedAdmin
from ccatdc.common.admin.badges import link_to_list
from ccatdc.common.admin.base import PortalAdmin, ReadOnlyAdmin, fields_of, state_column
from datamgmt.lineage.graph import bad_inputs
from datamgmt.models import DataProduct, ProcessingRun, Publication, ReductionSoftware, ReductionSoftwareVersion
from datamgmt.models.runs import RUN_COLOURS


@admin.register(ReductionSoftware)
class ReductionSoftwareAdmin(SwitchedAdmin):
    """Software that reduces data. What is switched off makes no new runs."""

    list_display = ["name", "description", "active"]
    list_filter = ["active"]
    search_fields = ["name"]


@admin.register(ReductionSoftwareVersion)
class ReductionSoftwareVersionAdmin(ReadOnlyAdmin):
    list_display = ["reduction_software", "version", "created_at"]
    list_select_related = ["reduction_software"]
    list_filter = ["reduction_software"]
    search_fields = ["version"]


@admin.register(ProcessingRun)
class ProcessingRunAdmin(ReadOnlyAdmin):
    """Runs: which software, for which program, and how they fared."""

    status_shown = state_column("status", RUN_COLOURS)
    list_display = ["name", "status_shown", "observing_program", "software_version", "instrument_module", "created_at"]
    list_select_related = [
        "observing_program",
        "software_version__reduction_software",
        "instrument_module__instrument",
        "location__site",
        "submitted_by",
    ]
    list_filter = ["status", "software_version__reduction_software"]
    search_fields = ["id__exact", "name__startswith"]
    search_help_text = "A run's id, or the beginning of its name."
    sortable_by = ["created_at"]
    shown = (*fields_of(ProcessingRun, "filed"), "products_link", "packages_link")
    fields = shown
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    @admin.display(description="What it made")
    def products_link(self, run: ProcessingRun) -> SafeString:
        return link_to_list("datamgmt", "dataproduct", "Products", processing_run__id__exact=run.pk)

    @admin.display(description="Its packages")
    def packages_link(self, run: ProcessingRun) -> SafeString:
        return link_to_list("datamgmt", "rawdatapackage", "Packages", processing_run__id__exact=run.pk)


@admin.register(DataProduct)
class DataProductAdmin(ReadOnlyAdmin):
    """Products, each with a warning where it rests on data that was judged bad."""

    list_display = ["name", "version", "kind", "level", "observing_program", "release", "registered_at"]
    list_select_related = ["observing_program"]
    list_filter = ["kind", "level", "release"]
    search_fields = ["id__exact", "name__startswith"]
    search_help_text = "A product's id, or the beginning of its name."
    sortable_by = ["registered_at"]
    shown = (*fields_of(DataProduct), "files_link")
    fields = shown
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("observing_program", "processing_run", "superseded_by")

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Whether it rests on bad data."""
        said = [("warning", "Something in its lineage was judged bad.")]
        return {"portal_notes": said if bad_inputs([obj.pk]).products else []}

    @admin.display(description="Its files")
    def files_link(self, product: DataProduct) -> SafeString:
        return link_to_list("datamgmt", "rawdatafile", "Files", data_product__id__exact=product.pk)


@admin.register(Publication)
class PublicationAdmin(PortalAdmin):
    """Papers, and the data that they cite."""

    list_display = ["title", "year", "doi", "bibcode"]
    search_fields = ["title", "doi", "bibcode"]
    autocomplete_fields = ["data_products", "executed_obs_units"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """With who added it."""
        if not change:
            obj.added_by = person_of(request)
        super().save_model(request, obj, form, change)
