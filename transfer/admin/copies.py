"""Portal page of physical copies: where everything is, whether its bytes can be trusted, and what may be done about it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import portal_action
from ccatdc.common.admin.badges import NO_VALUE, link_to_admin
from ccatdc.common.admin.base import ReadOnlyAdmin, code_column, fields_of, size_column, state_column
from datamgmt.admin.sites import AtLocation
from datamgmt.copies.needs_attention import check_again, check_cause_again
from datamgmt.models import DataTransferPackage, PhysicalCopy, RawDataPackage
from datamgmt.models.copies import CopyType
from datamgmt.states import COPY_COLOURS, INTEGRITY_COLOURS, NEEDS_ATTENTION, PhysicalCopyStatus
from transfer.retention.deletions import approve
from transfer.retention.facts import facts_about
from transfer.retention.rules import reasons_to_keep

KINDS: dict[str, str] = {
    CopyType.RAW_DATA_FILE: "File",
    CopyType.RAW_DATA_PACKAGE: "Package",
    CopyType.DATA_TRANSFER_PACKAGE: "Bundle",
}
#: Names that a search looks at before it looks at copies.
MOST_NAMES = 200


class InTrouble(admin.SimpleListFilter):
    title = "attention"
    parameter_name = "attention"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("needs_attention", "Missing, damaged or suspect"),
            *((str(each.value), str(each.label)) for each in NEEDS_ATTENTION),
            ("approval", "Waits for approval to be deleted"),
        ]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        if self.value() == "needs_attention":
            return rows.needing_attention()
        if self.value() == "approval":
            return rows.filter(status=PhysicalCopyStatus.DELETION_PENDING)
        return rows.filter(integrity=self.value()) if self.value() in NEEDS_ATTENTION else rows


@admin.register(PhysicalCopy)
class PhysicalCopyAdmin(ReadOnlyAdmin):
    """Copies of files, packages and bundles. There may be 10^8: lists are narrowed by an index."""

    status_shown = state_column("status", COPY_COLOURS)
    integrity_shown = state_column("integrity", INTEGRITY_COLOURS)
    size_shown = size_column("size")
    digest_shown = code_column("digest", "BLAKE3")
    path_shown = code_column("full_path", "Path")
    list_display = [
        "what",
        "kind",
        "data_location",
        "status_shown",
        "integrity_shown",
        "size_shown",
        "verified_at",
        "error",
    ]
    list_select_related = ["raw_data_file", "raw_data_package", "data_transfer_package", "data_location__site"]
    list_filter = [InTrouble, AtLocation, "status", "type"]
    search_fields = ["id"]
    search_help_text = "The id of a file or package, or the beginning of a package's or bundle's name."
    ordering = ["-id"]
    sortable_by = ()
    actions = ["check_again_selected", "check_cause_again_selected", "approve_selected"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "subject_link",
                    "type",
                    "data_location",
                    "path_shown",
                    "size_shown",
                    "status_shown",
                    "deleted_at",
                ]
            },
        ),
        (
            "Can its bytes be trusted?",
            {
                "fields": [
                    "integrity_shown",
                    "verified_at",
                    "verified_how",
                    "digest_shown",
                    "error",
                    "mtime_ns",
                    "inode",
                ]
            },
        ),
        ("Deletion", {"fields": ["proof"]}),
        ("Times (UTC)", {"fields": ["created_at"]}),
    ]
    readonly_fields = [
        *fields_of(PhysicalCopy),
        "subject_link",
        "status_shown",
        "integrity_shown",
        "size_shown",
        "digest_shown",
        "path_shown",
        "error",
        "proof",
    ]

    def get_queryset(self, request: HttpRequest) -> Any:
        """As rows of the one table: the kinds differ in nothing that a list shows."""
        rows: Any = super().get_queryset(request)
        return rows.non_polymorphic()

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By what it is a copy of, found in that table's own index first."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            key = uuid.UUID(term)
        except ValueError:
            packages = RawDataPackage.objects.filter(name__startswith=term).values_list("pk")
            bundles = DataTransferPackage.objects.filter(name__startswith=term).values_list("pk")
            found = Q(raw_data_package_id__in=[pk for (pk,) in packages[:MOST_NAMES]]) | Q(
                data_transfer_package_id__in=[pk for (pk,) in bundles[:MOST_NAMES]]
            )
            return queryset.filter(found), False
        return queryset.filter(Q(raw_data_file_id=key) | Q(raw_data_package_id=key)), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Its own page needs the location as its own kind, which a join does not give: only that knows the full path."""
        rows = PhysicalCopy.objects.non_polymorphic()
        return rows.filter(pk=object_id).first() if object_id.isdigit() else None

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the rule of deletion says about it now."""
        if obj.status == PhysicalCopyStatus.DELETED:
            return {}
        (facts,) = facts_about([obj])
        reasons = " ".join(reason.text for reason in reasons_to_keep(facts))
        text = f"It is kept: {reasons}" if reasons else "There is no reason to keep it: it may go."
        return {"portal_notes": [("info", text)]}

    @admin.display(description="Copy of")
    def what(self, copy: PhysicalCopy) -> str:
        """Path of the file, or name of the package or bundle."""
        return str(copy.subject)

    @admin.display(description="Kind", ordering="type")
    def kind(self, copy: PhysicalCopy) -> str:
        return KINDS[copy.type]

    @admin.display(description="Copy of")
    def subject_link(self, copy: PhysicalCopy) -> SafeString:
        subject = copy.subject
        return link_to_admin(subject._meta.app_label, str(subject._meta.model_name), subject.pk, str(subject))

    @admin.display(description="Error")
    def error(self, copy: PhysicalCopy) -> SafeString:
        if not copy.error_code:
            return NO_VALUE
        return format_html('<code>{}</code> <span class="why">{}</span>', copy.error_code, copy.error_message)

    @admin.display(description="Evidence stored with its deletion")
    def proof(self, copy: PhysicalCopy) -> SafeString:
        """Which archive copies let it go, verified when and how."""
        proofs = (copy.evidence or {}).get("archive_copies", [])
        lines = ((p["location"], p.get("key", ""), p.get("verified_at", "")) for p in proofs)
        return format_html_join("", "<div>{}: {}, verified {}</div>", lines) or NO_VALUE

    @portal_action("Check again", needs="operate", shown_for=lambda copy: copy.integrity in NEEDS_ATTENTION)
    def check_again_selected(self, request: HttpRequest, copy: PhysicalCopy) -> None:
        """Its cause is gone: let the flow take it up again."""
        check_again(PhysicalCopy.objects.non_polymorphic().filter(pk=copy.pk), person_of(request))

    @portal_action(
        "Check all of this cause again", needs="operate", shown_for=lambda copy: copy.integrity in NEEDS_ATTENTION
    )
    def check_cause_again_selected(self, request: HttpRequest, copy: PhysicalCopy) -> None:
        """All about which the same was found at the same place."""
        check_cause_again(copy, person_of(request))

    @portal_action(
        "Approve deletion",
        needs="operate",
        confirm="The bytes are deleted, after the rule of deletion was asked again. Approve?",
        shown_for=lambda copy: copy.status == PhysicalCopyStatus.DELETION_PENDING,
    )
    def approve_selected(self, request: HttpRequest, copy: PhysicalCopy) -> None:
        """An operator's word, where the location wants one."""
        approve([copy], person_of(request))
