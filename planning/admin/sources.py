"""Portal pages of sources: one list of all, the kind is chosen when one is added."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin

from ccatdc.common.admin import PortalAdmin, PortalInline
from planning.admin.pictures import visibility_picture
from planning.models import ConstantElevationAzimuthRange, ConstantElevationSource, Source


class AzimuthRanges(PortalInline):
    """The azimuth table of a field."""

    model = ConstantElevationAzimuthRange
    fields = ["lst_start_h", "lst_stop_h", "elevation_deg", "az_min_deg", "az_max_deg"]
    can_delete = True


@admin.register(ConstantElevationAzimuthRange)
class AzimuthRangeAdmin(PortalAdmin):
    """The lines of all azimuth tables."""

    list_display = [
        "source",
        "lst_start_h",
        "lst_stop_h",
        "elevation_deg",
        "az_min_deg",
        "az_max_deg",
    ]
    list_select_related = ["source"]
    search_fields = ["source__name"]
    autocomplete_fields = ["source"]


@admin.register(Source)
class SourceAdmin(PortalAdmin, PolymorphicParentModelAdmin):
    """All sources."""

    add_type_template = "portal/choose_kind.html"  # type: ignore[assignment]

    list_display = ["name", "type", "source_class", "description"]
    list_filter = ["type"]
    search_fields = ["name", "aliases"]

    def get_child_models(self) -> list[type[Source]]:
        """Every kind there is: a new one needs no line here."""
        return Source.__subclasses__()


class SourceKindAdmin(PortalAdmin, PolymorphicChildModelAdmin):
    """One kind of source."""

    base_model = Source
    search_fields = ["name"]
    list_display = ["name", "source_class"]
    readonly_fields = ["tonight"]

    @admin.display(description="Tonight")
    def tonight(self, source: Any) -> SafeString:
        """When it is up."""
        return visibility_picture(source.pk)


#: Kinds that have rows of their own.
INLINES: dict[type[Source], list[type[PortalInline]]] = {ConstantElevationSource: [AzimuthRanges]}

for kind in Source.__subclasses__():
    admin.site.register(kind, SourceKindAdmin, inlines=INLINES.get(kind, []))
