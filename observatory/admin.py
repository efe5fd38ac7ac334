"""Portal pages of what produces data: observatories, telescopes, instruments and their modules."""

from __future__ import annotations

from django.contrib import admin
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin

from ccatdc.common.admin import PortalAdmin, PortalInline
from observatory.models import (
    Instrument,
    InstrumentModule,
    InstrumentModuleConfiguration,
    Line,
    Observatory,
    Telescope,
)


class Telescopes(PortalInline):
    """The telescopes of an observatory."""

    model = Telescope
    fields = ["name", "short_name", "aperture_m", "alt_m", "lat_deg", "lon_deg"]


class Instruments(PortalInline):
    """The instruments on a telescope."""

    model = Instrument
    fields = ["name", "short_name", "instrument_type", "available"]


class Modules(PortalInline):
    """The modules of an instrument."""

    model = InstrumentModule
    fields = ["name", "short_name", "available", "n_pixels", "freq_min_ghz", "freq_max_ghz"]


@admin.register(Observatory)
class ObservatoryAdmin(PortalAdmin):
    """Facilities."""

    list_display = ["name", "short_name", "url"]
    search_fields = ["name", "short_name"]
    inlines = [Telescopes]


@admin.register(Telescope)
class TelescopeAdmin(PortalAdmin):
    """Telescopes, where they stand and what their mounts can reach."""

    list_display = ["name", "observatory", "aperture_m", "alt_m", "lat_deg", "lon_deg"]
    list_select_related = ["observatory"]
    list_filter = ["observatory"]
    search_fields = ["name", "short_name"]
    autocomplete_fields = ["observatory"]
    inlines = [Instruments]


@admin.register(Instrument)
class InstrumentAdmin(PortalAdmin):
    """Instruments."""

    list_display = ["name", "short_name", "telescope", "instrument_type", "available"]
    list_select_related = ["telescope"]
    list_filter = ["available", "instrument_type", "telescope"]
    search_fields = ["name", "short_name"]
    autocomplete_fields = ["telescope"]
    inlines = [Modules]


@admin.register(InstrumentModule)
class InstrumentModuleAdmin(PortalAdmin):
    """The parts of instruments that write files."""

    list_display = [
        "name",
        "short_name",
        "instrument",
        "available",
        "n_pixels",
        "freq_min_ghz",
        "freq_max_ghz",
    ]
    list_select_related = ["instrument"]
    list_filter = ["available", "instrument"]
    search_fields = ["name", "short_name", "instrument__name"]
    autocomplete_fields = ["instrument"]


@admin.register(Line)
class LineAdmin(PortalAdmin):
    """Spectral lines."""

    list_display = ["name", "species", "transition", "rest_frequency_ghz", "reference"]
    list_filter = ["instrument_modules"]
    search_fields = ["name", "species"]
    autocomplete_fields = ["instrument_modules"]


@admin.register(InstrumentModuleConfiguration)
class ModuleConfigurationAdmin(PortalAdmin, PolymorphicParentModelAdmin):
    """All set-ups of modules: one list, the kind is chosen when one is added."""

    add_type_template = "portal/choose_kind.html"  # type: ignore[assignment]

    list_display = ["name", "instrument_module", "type", "active", "valid_from", "valid_to"]
    list_select_related = ["instrument_module__instrument"]
    list_filter = ["active", "type", "instrument_module__instrument"]
    search_fields = ["name", "instrument_module__name", "comment"]

    def get_child_models(self) -> list[type[InstrumentModuleConfiguration]]:
        """Every kind there is: a new one needs no line here."""
        return InstrumentModuleConfiguration.__subclasses__()


class ModuleConfigurationKindAdmin(PortalAdmin, PolymorphicChildModelAdmin):
    """One kind of set-up."""

    base_model = InstrumentModuleConfiguration
    list_display = ["name", "instrument_module", "active"]
    list_select_related = ["instrument_module__instrument"]
    search_fields = ["name", "instrument_module__name"]
    autocomplete_fields = ["instrument_module"]


for kind in InstrumentModuleConfiguration.__subclasses__():
    admin.site.register(kind, ModuleConfigurationKindAdmin)
