"""Portal pages of sources: one list of all, the kind is chosen when one is added."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin

from ccatdc.common.admin.base import PortalAdmin, PortalInline, ReadOnlyInline, state_column
from ccatdc.common.visibility import visible
from planning.admin.pictures import visibility_picture
from planning.models import OBS_UNIT_COLOURS, ConstantElevationAzimuthRange, ConstantElevationSource, ObsUnit, Source


class AzimuthRanges(PortalInline):
    """The azimuth table of a field."""

    model = ConstantElevationAzimuthRange
    fields = ["lst_start_h", "lst_stop_h", "elevation_deg", "az_min_deg", "az_max_deg"]
    can_delete = True


class UnitsOfSource(ReadOnlyInline):
    """The obs units that observe a source; they are edited on their own pages."""

    model = ObsUnit
    verbose_name_plural = "obs units"
    state_shown = state_column("state", OBS_UNIT_COLOURS)
    shown = ("name", "observing_program", "state_shown", "priority")
    fields = shown
    readonly_fields = shown
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> Any:
        """What the person may see, with the program of each."""
        rows = super().get_queryset(request).select_related("observing_program")
        return visible(rows, request.user)


@admin.register(ConstantElevationAzimuthRange)
class AzimuthRangeAdmin(PortalAdmin):
    """The lines of all azimuth tables."""

    list_display = ["source", "lst_start_h", "lst_stop_h", "elevation_deg", "az_min_deg", "az_max_deg"]
    list_select_related = ["source"]
    search_fields = ["source__name"]
    autocomplete_fields = ["source"]


@admin.register(Source)
class SourceAdmin(PortalAdmin, PolymorphicParentModelAdmin):
    add_type_template = "portal/choose_kind.html"  # type: ignore[assignment]

    list_display = ["name", "type", "source_class", "description"]
    list_filter = ["type"]
    search_fields = ["name", "aliases"]

    def get_child_models(self) -> list[type[Source]]:
        """Every kind there is: a new one needs no line here."""
        return Source.__subclasses__()


class SourceKindAdmin(PortalAdmin, PolymorphicChildModelAdmin):
    base_model = Source
    search_fields = ["name"]
    list_display = ["name", "source_class"]
    readonly_fields = ["tonight"]

    @admin.display(description="Tonight")
    def tonight(self, source: Any) -> SafeString:
        return visibility_picture(source.pk)


#: Kinds that have rows of their own.
INLINES: dict[type[Source], list[Any]] = {ConstantElevationSource: [AzimuthRanges, UnitsOfSource]}

for kind in Source.__subclasses__():
    admin.site.register(kind, SourceKindAdmin, inlines=INLINES.get(kind, [UnitsOfSource]))
