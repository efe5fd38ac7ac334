"""Portal page of unrecorded files: what lies in a store although no row names it, and what to do with it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.people import person_of
from ccatdc.common.admin.actions import Given, bulk_action, portal_action
from ccatdc.common.admin.base import ReadOnlyAdmin, code_column, fields_of, size_column
from ccatdc.common.bulk_actions import Outcome
from datamgmt.admin.sites import AtLocation
from datamgmt.copies.unrecorded import can_be_adopted, decide
from datamgmt.filing.unrecorded import file_unrecorded, owner_named
from datamgmt.models import Decision, LocationType, UnrecordedFile


class AtItsLocation(AtLocation):
    field = "location"


@admin.register(UnrecordedFile)
class UnrecordedFileAdmin(ReadOnlyAdmin):
    """What stage 95 found. At a SOURCE these are files that nobody filed."""

    key_shown = code_column("key", "Key")
    size_shown = size_column("size")
    list_display = ["key_shown", "location", "size_shown", "raw_data_package", "found_at", "decision", "error_message"]
    list_select_related = ["location__site", "raw_data_package"]
    list_filter = [AtItsLocation, "decision"]
    search_fields = ["key"]
    readonly_fields = [*fields_of(UnrecordedFile), "key_shown", "size_shown"]
    actions = ["file_selected", "adopt_selected", "remove_selected", "keep_selected"]
    fieldsets = [
        (None, {"fields": ["key_shown", "location", "size_shown", "store_version", "raw_data_package"]}),
        ("What is done with it", {"fields": ["decision", "decided_by", "error_message"]}),
        ("Times (UTC)", {"fields": ["modified_at", "found_at", "seen_at"]}),
    ]

    @bulk_action(
        "File",
        needs="operate",
        confirm="They are filed as if their instrument had done it: packaged, archived and deleted from the SOURCE."
        " Nothing of their times is known but their last change.",
        text="instrument/module/data stream, or instrument/module/id of the execution",
        shown_for=lambda file: file.location.location_type == LocationType.SOURCE,
    )
    def file_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        """As of a data stream or an execution."""
        files = rows.at_sources().select_related("location__site")
        return file_unrecorded(list(files), owner_named(given.text), user=person_of(request), reason=given.reason)

    @portal_action("Record as a copy", needs="operate", shown_for=can_be_adopted)
    def adopt_selected(self, request: HttpRequest, file: UnrecordedFile) -> None:
        """It is read in full first."""
        decide(file, Decision.ADOPT, person_of(request))

    @portal_action(
        "Remove",
        needs="operate",
        confirm="The bytes are deleted, unless a row names them by then or they may be the last of a package. Remove?",
        shown_for=lambda file: file.location.location_type != LocationType.SOURCE,
    )
    def remove_selected(self, request: HttpRequest, file: UnrecordedFile) -> None:
        decide(file, Decision.REMOVE, person_of(request))

    @portal_action("Keep", needs="operate", shown_for=lambda file: file.decision != Decision.KEEP)
    def keep_selected(self, request: HttpRequest, file: UnrecordedFile) -> None:
        """It is known, and stays where it is."""
        decide(file, Decision.KEEP, person_of(request))
