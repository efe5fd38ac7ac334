"""Portal pages of data locations: one list of all, the technology is chosen when one is added."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin

from accounts.people import person_of
from ccatdc.common.admin.actions import portal_action
from ccatdc.common.admin.badges import badge, link_to_list
from ccatdc.common.units import size_text
from datamgmt.models import DataLocation
from transfer.admin.sites import SwitchedPlace
from transfer.engine.queue import queues_for
from transfer.operators.actions import check_now

FOUND = ["registered_at", "usage", "checked_at", "check_error", "inventory_at"]
COMMON_FIELDSETS = [
    (None, {"fields": ["site", "name", "location_type", "instrument", "priority", "active"]}),
    (
        "Deletion",
        {
            "fields": [
                "deletion_mode",
                "retention_days",
                "min_archive_copies",
                "evidence_max_age_days",
                "last_copy_read_hours",
                "scrub_days",
                "scrub_mb_per_s",
                "inventory_hours",
                "ignored_paths",
            ]
        },
    ),
    ("Fill levels (percent)", {"fields": ["warning_pct", "critical_pct", "emergency_pct", "check_interval_seconds"]}),
    (
        "Pace",
        {
            "fields": ["settle_seconds", "bundle_max_bytes", "bundle_max_age_seconds"],
            "description": "Times in seconds, sizes in bytes.",
        },
    ),
]


def usage_bar(location: DataLocation) -> SafeString:
    """How full it is, against its thresholds; text and bar."""
    percent = location.used_pct
    if percent is None:
        known = location.used_bytes is not None
        return format_html("{}", f"{size_text(location.used_bytes)} used" if known else "unknown")
    return format_html(
        '<span class="usage"><span class="usage-bar usage-{}"><span style="width:{}%"></span>'
        '<i style="left:{}%"></i><i style="left:{}%"></i></span>'
        '<span class="nowrap">{} % of {}</span></span>',
        usage_level(location),
        f"{min(percent, 100):.1f}",
        f"{location.warning_pct:g}",
        f"{location.critical_pct:g}",
        f"{percent:.0f}",
        size_text(location.capacity_bytes),
    )


def usage_level(location: DataLocation) -> str:
    percent = location.used_pct
    if percent is None or percent < location.warning_pct:
        return "ok"
    if percent < location.critical_pct:
        return "warning"
    return "critical" if percent < location.emergency_pct else "emergency"


class LocationActions(SwitchedPlace):
    """What can be done with a location, from its list and from its page."""

    actions = ["check_selected", "switch_on_selected", "switch_off_selected"]
    list_select_related = ["site", "instrument"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what its name is made of: selection boxes too name it."""
        rows: Any = super().get_queryset(request).select_related("site")
        return rows.with_full_name()

    @portal_action("Check now", needs="operate", shown_for=lambda location: location.registered_at is not None)
    def check_selected(self, request: HttpRequest, location: DataLocation) -> None:
        """Is it itself, and how full is it?"""
        check_now(location, person_of(request))

    @admin.display(description="Used")
    def usage(self, location: DataLocation) -> SafeString:
        return usage_bar(location)

    @admin.display(description="State")
    def condition(self, location: DataLocation) -> SafeString:
        """Off, never registered, in need of attention, or well."""
        if not location.active:
            return badge("Off", "default")
        if location.registered_at is None:
            return badge("Not registered", "warning")
        if location.check_error:
            return badge("Check failed", "danger")
        return badge("Full", "danger") if location.is_full else badge("In use", "success")


@admin.register(DataLocation)
class DataLocationAdmin(LocationActions, PolymorphicParentModelAdmin):
    add_type_template: str | None = "portal/choose_kind.html"  # type: ignore[assignment]

    list_display = ["full_name", "location_type", "storage_type", "priority", "condition", "usage", "checked_at"]
    list_filter = ["active", "location_type", "storage_type", "site"]
    search_fields = ["called", "site__name"]

    def get_child_models(self) -> list[type[DataLocation]]:
        """Every technology there is: a new one needs no line here."""
        return DataLocation.__subclasses__()


class TechnologyAdmin(LocationActions, PolymorphicChildModelAdmin):
    base_model = DataLocation
    list_display = ["full_name", "location_type", "condition", "usage"]
    search_fields = ["called"]
    autocomplete_fields = ["site", "instrument"]
    readonly_fields = [*FOUND, "queues", "contents"]

    def own_fields(self) -> list[str]:
        """The columns of this technology's own table."""
        return [f.name for f in self.model._meta.local_fields if not f.name.endswith("_ptr") and f.editable]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Where the bytes are comes second, what was found there last."""
        place = (str(self.model._meta.verbose_name).capitalize(), {"fields": self.own_fields()})
        found = ("Found there", {"fields": [*FOUND, "contents", "queues"]})
        return [COMMON_FIELDSETS[0], place, *COMMON_FIELDSETS[1:], *([found] if obj is not None else [])]

    def head(self, _request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What is wrong with it, and what to do."""
        notes = [("warning", f"It is {obj.why_off}.")] if obj.why_off else []
        if obj.registered_at is None:
            command = f"manage.py register_location --create {obj.full_name}"
            notes.append(("warning", f"Not registered yet. On a host that sees the place run: {command}"))
        if obj.check_error:
            notes.append(("danger", obj.check_error))
        if obj.is_full:
            text = f"More than {obj.emergency_pct:g} % full: nothing new is written here."
            notes.append(("danger", text))
        return {"portal_notes": notes}

    @admin.display(description="Its queues")
    def queues(self, location: DataLocation) -> SafeString:
        """What a worker of this location serves."""
        return format_html('<code class="breakable">{}</code>', ", ".join(queues_for(location)))

    @admin.display(description="Holds")
    def contents(self, location: DataLocation) -> SafeString:
        """Lists of what is there and what happens there."""
        return format_html(
            "{} · {} · {} · {}",
            link_to_list("datamgmt", "physicalcopy", "Copies", location=location.pk),
            link_to_list("datamgmt", "unrecordedfile", "Unrecorded files", location=location.pk),
            link_to_list("transfer", "operation", "Operations", location=location.pk),
            link_to_list("transfer", "circuitbreaker", "Breakers", location__id=location.pk),
        )


for technology in DataLocation.__subclasses__():
    admin.site.register(technology, TechnologyAdmin)
