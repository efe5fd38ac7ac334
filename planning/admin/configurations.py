"""Portal pages of how obs units are observed: configurations by kind, CHAI's tiles and parameters."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin

from ccatdc.common.admin.base import PortalAdmin, PortalInline
from planning.models import ChaiInparParameter, ChaiObservationConfiguration, ChaiTiling, ObservationConfiguration


class InparParameters(PortalInline):
    """The parameters of an inpar file, in their order."""

    model = ChaiInparParameter
    fields = ["position", "name", "value", "value_type", "unit", "comment"]
    can_delete = True


@admin.register(ObservationConfiguration)
class ObservationConfigurationAdmin(PortalAdmin, PolymorphicParentModelAdmin):
    """All configurations: one list, the kind is chosen when one is added."""

    add_type_template = "portal/choose_kind.html"  # type: ignore[assignment]

    list_display = ["obs_unit", "type", "version", "comment"]
    list_select_related = ["obs_unit__observing_program"]
    list_filter = ["type", "obs_unit__observing_program"]
    search_fields = ["obs_unit__name", "comment"]

    def get_child_models(self) -> list[type[ObservationConfiguration]]:
        """Every kind there is: a new one needs no line here."""
        return ObservationConfiguration.__subclasses__()


class ConfigurationKindAdmin(PortalAdmin, PolymorphicChildModelAdmin):
    base_model = ObservationConfiguration
    list_display = ["obs_unit", "version"]
    list_select_related = ["obs_unit__observing_program"]
    search_fields = ["obs_unit__name"]
    autocomplete_fields = ["obs_unit"]

    def get_autocomplete_fields(self, request: HttpRequest) -> list[str]:
        """Tiles too, of the kind that has some: there are as many as maps have."""
        fields = list(super().get_autocomplete_fields(request))
        has_tiling = any(field.name == "tiling" for field in self.opts.local_fields)
        return [*fields, "tiling"] if has_tiling else fields


#: Kinds that have rows of their own.
INLINES: dict[type[ObservationConfiguration], list[type[PortalInline]]] = {
    ChaiObservationConfiguration: [InparParameters]
}

for kind in ObservationConfiguration.__subclasses__():
    admin.site.register(kind, ConfigurationKindAdmin, inlines=INLINES.get(kind, []))


@admin.register(ChaiTiling)
class ChaiTilingAdmin(PortalAdmin):
    """The tiles of large CHAI maps."""

    list_display = ["name", "tile_number", "source", "width_arcsec", "height_arcsec", "priority"]
    list_select_related = ["source"]
    search_fields = ["name", "source__name"]
    autocomplete_fields = ["source", "obs_unit"]


@admin.register(ChaiInparParameter)
class ChaiInparParameterAdmin(PortalAdmin):
    """The parameters of all inpar files."""

    list_display = ["name", "value", "unit", "chai_observation_configuration"]
    list_select_related = ["chai_observation_configuration__obs_unit__observing_program"]
    list_filter = ["value_type"]
    search_fields = ["name", "value"]
    autocomplete_fields = ["chai_observation_configuration"]
