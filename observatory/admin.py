"""Portal pages of what produces data: observatories, telescopes, instruments and their modules."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin import PortalAdmin
from observatory.models import Instrument, InstrumentModule, Observatory, Telescope


@admin.register(Observatory)
class ObservatoryAdmin(PortalAdmin):
    """Facilities."""

    list_display = ["name", "short_name", "url"]
    search_fields = ["name", "short_name"]


@admin.register(Telescope)
class TelescopeAdmin(PortalAdmin):
    """Telescopes, where they stand and what their mounts can reach."""

    list_display = ["name", "observatory", "aperture_m", "alt_m", "lat_deg", "lon_deg"]
    list_select_related = ["observatory"]
    list_filter = ["observatory"]
    search_fields = ["name", "short_name"]
    autocomplete_fields = ["observatory"]


@admin.register(Instrument)
class InstrumentAdmin(PortalAdmin):
    """Instruments."""

    list_display = ["name", "short_name", "telescope", "instrument_type", "available"]
    list_select_related = ["telescope"]
    list_filter = ["available", "instrument_type", "telescope"]
    search_fields = ["name", "short_name"]
    autocomplete_fields = ["telescope"]


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
