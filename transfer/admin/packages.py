"""Portal pages of packages and bundles: where each is now, and everything that happened to it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import portal_action
from ccatdc.common.admin.badges import NO_VALUE, link_to_admin, link_to_list
from ccatdc.common.admin.base import SEARCH_LENGTH, ReadOnlyAdmin, code_column, fields_of, size_column, state_column
from ccatdc.common.states import STATUS_COLOURS
from datamgmt.admin.files import BelongsTo
from datamgmt.admin.sites import AtLocation, AtSource
from datamgmt.models import DataTransferPackage, RawDataPackage
from datamgmt.states import PACKAGE_STATE_COLOURS, PackageState
from transfer.operators.package_reasons import state_of_bundle, state_of_package
from transfer.operators.resend import send_again
from transfer.operators.timeline import timeline_of


@admin.register(RawDataPackage)
class RawDataPackageAdmin(ReadOnlyAdmin):
    state_shown = state_column("state", PACKAGE_STATE_COLOURS)
    status_shown = state_column("status", STATUS_COLOURS, "Tar")
    size_shown = size_column("size")
    digest_shown = code_column("digest", "BLAKE3 of the tar")
    list_display = [
        "name",
        "state_shown",
        "status_shown",
        "source_name",
        "instrument_module",
        "size_shown",
        "file_count",
        "created_at",
        "archived_at",
    ]
    list_select_related = [
        "executed_obs_unit__obs_unit__observing_program",
        "executed_obs_unit__obs_unit__source",
        "data_stream__instrument_module__instrument",
        "processing_run",
        "instrument_module__instrument",
        "source_location__site",
    ]
    list_filter = ["state", "status", "is_late", AtSource, BelongsTo]
    # What is searched is said in get_search_results; the box appears when this is not empty.
    search_fields = ["name__startswith"]
    search_help_text = "A package's name or a part of it, or its id (eight digits)."
    ordering = ["-created_at"]
    sortable_by = ["name", "created_at", "archived_at"]
    actions = ["send_again_selected"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "id",
                    "name",
                    "state_shown",
                    "status_shown",
                    "size_shown",
                    "digest_shown",
                    "file_count",
                    "files_link",
                    "late",
                ]
            },
        ),
        (
            "Belongs to",
            {"fields": ["execution_link", "data_stream", "processing_run", "instrument_module", "source_location"]},
        ),
        ("Times (UTC)", {"fields": ["start_time", "end_time", "created_at", "finalized_at", "archived_at"]}),
    ]
    readonly_fields = [
        *fields_of(RawDataPackage),
        "state_shown",
        "status_shown",
        "size_shown",
        "digest_shown",
        "files_link",
        "late",
        "execution_link",
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By id or by name: each has its index."""
        term = search_term.strip()[:SEARCH_LENGTH]
        return (queryset.found_by(term) if term else queryset), False

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Where it is now, what it waits for, and how it came there."""
        level = "warning" if obj.state == PackageState.FAILED else "info"
        return {"portal_notes": [(level, state_of_package(obj))], "portal_timeline": timeline_of(obj)}

    @admin.display(description="Source, data stream or run", ordering="executed_obs_unit__obs_unit__source__name")
    def source_name(self, package: RawDataPackage) -> str:
        return package.of_what

    @admin.display(description="Late files")
    def late(self, package: RawDataPackage) -> str:
        """Whether it was made of files that were filed after the first packages were made."""
        return "Yes: filed after the first packages were made" if package.is_late else "No"

    @admin.display(description="Execution")
    def execution_link(self, package: RawDataPackage) -> SafeString:
        """The observation that it belongs to; one of a data stream belongs to all that it overlaps."""
        execution = package.executed_obs_unit
        if execution is None:
            return NO_VALUE
        return link_to_admin("planning", "executedobsunit", execution.pk, str(execution))

    @admin.display(description="Its files")
    def files_link(self, package: RawDataPackage) -> SafeString:
        return link_to_list("datamgmt", "rawdatafile", "Files", raw_data_package__id__exact=package.pk)

    @portal_action("Resend", needs="operate", shown_for=lambda package: package.state == PackageState.FAILED)
    def send_again_selected(self, request: HttpRequest, package: RawDataPackage) -> None:
        send_again(package, person_of(request))


class AtOrigin(AtLocation):
    title = "origin"
    parameter_name = "origin"
    field = "origin_location"


@admin.register(DataTransferPackage)
class DataTransferPackageAdmin(ReadOnlyAdmin):
    """Bundles: packages that cross the network together."""

    status_shown = state_column("status", STATUS_COLOURS)
    size_shown = size_column("size")
    digest_shown = code_column("digest", "BLAKE3")
    list_display = [
        "name",
        "status_shown",
        "origin_location",
        "destination_site",
        "bundle_format",
        "size_shown",
        "created_at",
        "completed_at",
    ]
    list_select_related = ["origin_location__site", "destination_site", "final_site"]
    list_filter = ["status", "destination_site", "bundle_format", AtOrigin]
    search_fields = ["name__startswith"]
    search_help_text = "The beginning of a bundle's name."
    ordering = ["-id"]
    sortable_by = ["name"]
    shown = (
        "name",
        "status_shown",
        "bundle_format",
        "size_shown",
        "digest_shown",
        "origin_location",
        "destination_site",
        "destination_location",
        "final_site",
        "packages_link",
        "operations_link",
        "copies_link",
        "created_at",
        "completed_at",
    )
    fields = shown
    readonly_fields = shown

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What its packages wait for."""
        said = state_of_bundle(obj)
        return {"portal_notes": [("info", said)] if said else []}

    @admin.display(description="In it")
    def packages_link(self, bundle: DataTransferPackage) -> SafeString:
        text = f"{bundle.raw_data_packages.count()} packages"
        return link_to_list("datamgmt", "rawdatapackage", text, data_transfer_packages__id__exact=bundle.pk)

    @admin.display(description="Work on it")
    def operations_link(self, bundle: DataTransferPackage) -> SafeString:
        return link_to_list("transfer", "operation", "Operations", q=bundle.name)

    @admin.display(description="Where it is")
    def copies_link(self, bundle: DataTransferPackage) -> SafeString:
        return link_to_list("datamgmt", "physicalcopy", "Copies", data_transfer_package__id__exact=bundle.pk)
