"""Portal page of raw files: what was filed, what became of it, and which files are set aside and why."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import Given, bulk_action, portal_action
from ccatdc.common.admin.badges import NO_VALUE, badge, link_to_admin, link_to_list, state_badge
from ccatdc.common.admin.base import SEARCH_LENGTH, ReadOnlyAdmin, code_column, fields_of, size_column
from ccatdc.common.bulk_actions import Outcome
from datamgmt.admin.sites import AtSource
from datamgmt.copies.needs_attention import check_again
from datamgmt.copies.whereabouts import copies_of_file, where_now
from datamgmt.filing.quality import judge_files
from datamgmt.models import PhysicalCopy, RawDataFile
from datamgmt.models.streams import belonging_to
from datamgmt.states import INTEGRITY_COLOURS, NEEDS_ATTENTION, PACKAGE_STATE_COLOURS, PhysicalCopyStatus
from planning.models import ExecutionQuality

_JUDGE = "The quality of each of these files is set. The reason is their comment."


class SetAside(admin.SimpleListFilter):
    """Which files wait for a person?"""

    title = "set aside"
    parameter_name = "set_aside"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Missing, damaged or suspect"), ("unpackaged", "In no package yet")]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        if self.value() == "yes":
            return rows.set_aside()
        return rows.unpackaged() if self.value() == "unpackaged" else rows


class BelongsTo(admin.SimpleListFilter):
    """What belongs to an observation, of data streams too? Its page has the link."""

    title = "observation"
    parameter_name = "belongs_to"

    def lookups(self, request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        value = request.GET.get(self.parameter_name, "")
        return [(value, "This one, with data streams")] if value else []

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        if not self.value():
            return rows
        try:
            key = uuid.UUID(str(self.value()))
        except ValueError:
            return rows.none()
        return belonging_to(rows, key)


@admin.register(RawDataFile)
class RawDataFileAdmin(ReadOnlyAdmin):
    """Raw files. There may be 10^8: lists are narrowed by an index, never searched through."""

    size_shown = size_column("size")
    path_shown = code_column("relative_path", "Path")
    digest_shown = code_column("digest", "BLAKE3 when packaged")
    checksum_shown = code_column("checksum", "Checksum of the instrument")
    list_display = ["path_shown", "size_shown", "instrument_module", "package_link", "verdict", "registered_at"]
    list_display_links = ["path_shown"]
    list_select_related = ["instrument_module__instrument", "raw_data_package"]
    list_filter = [SetAside, AtSource, BelongsTo]
    # What is searched is said in get_search_results; the box appears when this is not empty.
    search_fields = ["id"]
    search_help_text = (
        "A file's name or how it begins, its path below the source's root, its id (eight digits), or a package."
    )
    actions = ["check_again_selected", "judge_good", "judge_usable", "judge_bad"]
    fieldsets = [
        (None, {"fields": ["id", "path_shown", "size_shown", "file_type", "description", "verdict", "copies_link"]}),
        (
            "Belongs to",
            {
                "fields": [
                    "execution_link",
                    "data_stream",
                    "data_product",
                    "instrument_module",
                    "package_link",
                    "source_location",
                ]
            },
        ),
        ("Judgement", {"fields": ["quality", "quality_comment"]}),
        ("Proof", {"fields": ["checksum_algorithm", "checksum_shown", "digest_shown"]}),
        ("Times (UTC)", {"fields": ["start_time", "end_time", "created_at", "registered_at"]}),
    ]
    readonly_fields = [
        *fields_of(RawDataFile),
        "path_shown",
        "size_shown",
        "digest_shown",
        "checksum_shown",
        "verdict",
        "package_link",
        "execution_link",
        "copies_link",
    ]

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """By path within an execution or a package; else by key, since any other order would sort the whole table."""
        return ["relative_path" if _is_narrow(request) else "id"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        """By type within an execution or a package: a type that is rare among 10^8 files would be looked for in all of
        them.
        """
        more = ["file_type"] if _is_narrow(request) else []
        return [*super().get_list_filter(request), *more]

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return super().get_sortable_by(request) if _is_narrow(request) else []

    def get_queryset(self, request: HttpRequest) -> Any:
        """With the SOURCE copies of a page's rows in one query."""
        return super().get_queryset(request).prefetch_related(_copies())

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By id, path, base name or package: each of them is a look into an index."""
        term = search_term.strip()[:SEARCH_LENGTH]
        return (queryset.found_by(term) if term else queryset), False

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Where its bytes are now, before anything else."""
        copies = copies_of_file(obj)
        return {"portal_notes": [where_now(obj, copies)], "portal_copies": [each for each in copies if each.exists]}

    @admin.display(description="Where it is")
    def verdict(self, file: RawDataFile) -> SafeString:
        """Of its package where the copy at SOURCE is deleted; else integrity and status of that copy, with what was said
        against it.
        """
        copies = list(file.copies.all())
        package = file.raw_data_package
        if package is not None and all(copy.status == PhysicalCopyStatus.DELETED for copy in copies):
            state = state_badge(package.state, package.get_state_display(), PACKAGE_STATE_COLOURS)
            return format_html("{} in its package", state)
        if not copies:
            return badge("No copy", "warning")
        copy = copies[0]
        text = state_badge(copy.integrity, copy.get_integrity_display(), INTEGRITY_COLOURS)
        if copy.integrity in NEEDS_ATTENTION:
            return format_html('{} <span class="why">{}</span>', text, copy.error_message)
        return format_html("{} {}", text, copy.get_status_display())

    @admin.display(description="Package", ordering=None)
    def package_link(self, file: RawDataFile) -> SafeString:
        if file.raw_data_package is None:
            return badge("In no package yet", "default")
        package = file.raw_data_package
        return link_to_admin("datamgmt", "rawdatapackage", package.pk, package.name)

    @admin.display(description="Execution")
    def execution_link(self, file: RawDataFile) -> SafeString:
        """The observation that it was filed for; one of a data stream belongs to all that it overlaps."""
        execution = file.executed_obs_unit
        if execution is None:
            return NO_VALUE
        return link_to_admin("planning", "executedobsunit", execution.pk, str(execution))

    @admin.display(description="Copies")
    def copies_link(self, file: RawDataFile) -> SafeString:
        """The rows about where it is."""
        return link_to_list("datamgmt", "physicalcopy", "Copies", raw_data_file__id__exact=file.pk)

    @portal_action(
        "Check again",
        needs="operate",
        shown_for=lambda file: any(copy.integrity in NEEDS_ATTENTION for copy in file.copies.all()),
    )
    def check_again_selected(self, request: HttpRequest, file: RawDataFile) -> None:
        """Its cause is gone: let the flow take it up again."""
        check_again(PhysicalCopy.objects.non_polymorphic().filter(raw_data_file=file), person_of(request))

    @bulk_action("Quality good", needs="operate", confirm=_JUDGE, shown_for=lambda file: file.quality != "good")
    def judge_good(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return judge_files(rows, ExecutionQuality.GOOD, user=person_of(request), reason=given.reason)

    @bulk_action("Quality usable", needs="operate", confirm=_JUDGE, shown_for=lambda file: file.quality != "usable")
    def judge_usable(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return judge_files(rows, ExecutionQuality.USABLE, user=person_of(request), reason=given.reason)

    @bulk_action("Quality bad", needs="operate", confirm=_JUDGE, shown_for=lambda file: file.quality != "bad")
    def judge_bad(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return judge_files(rows, ExecutionQuality.BAD, user=person_of(request), reason=given.reason)


def _is_narrow(request: HttpRequest) -> bool:
    """Whether the list is of one execution or package, of a search, or of what waits."""
    narrow = ("executed_obs_unit", "belongs_to", "data_product", "raw_data_package", "q", "set_aside")
    return any(key.startswith(narrow) and request.GET[key] for key in request.GET)


def _copies() -> Any:
    # Deleted ones are history; the page of copies has them.
    return Prefetch("copies", queryset=PhysicalCopy.objects.non_polymorphic().order_by("-id"))
