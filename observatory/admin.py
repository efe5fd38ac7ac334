"""Portal pages of what produces data: observatories, telescopes, instruments and their modules."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin

from ccatdc.common.admin.actions import Given, SwitchedAdmin, bulk_action
from ccatdc.common.admin.base import PortalAdmin, PortalInline
from ccatdc.common.bulk_actions import Outcome
from observatory.availability import set_instruments_availability, set_modules_availability
from observatory.models import (
    DataStream,
    Instrument,
    InstrumentModule,
    InstrumentModuleConfiguration,
    Line,
    Observatory,
    Telescope,
)


def _person(request: HttpRequest) -> AbstractBaseUser | None:
    return request.user if isinstance(request.user, AbstractBaseUser) else None


class Telescopes(PortalInline):
    model = Telescope
    fields = ["name", "short_name", "aperture_m", "alt_m", "lat_deg", "lon_deg"]


class Instruments(PortalInline):
    model = Instrument
    fields = ["name", "short_name", "instrument_type", "available"]


class Modules(PortalInline):
    model = InstrumentModule
    fields = ["name", "short_name", "available", "n_pixels", "freq_min_ghz", "freq_max_ghz"]


@admin.register(Observatory)
class ObservatoryAdmin(PortalAdmin):
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
    list_display = ["name", "short_name", "telescope", "instrument_type", "available"]
    list_select_related = ["telescope"]
    list_filter = ["available", "instrument_type", "telescope"]
    search_fields = ["name", "short_name"]
    autocomplete_fields = ["telescope"]
    inlines = [Modules]
    actions = ["available_selected", "unavailable_selected"]

    @bulk_action("Available", needs="configure", shown_for=lambda instrument: not instrument.available)
    def available_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return set_instruments_availability(rows, True, _person(request), given.reason)

    @bulk_action(
        "Not available",
        needs="configure",
        confirm="What is not available is not scheduled. Say so?",
        shown_for=lambda instrument: instrument.available,
    )
    def unavailable_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return set_instruments_availability(rows, False, _person(request), given.reason)


@admin.register(InstrumentModule)
class InstrumentModuleAdmin(PortalAdmin):
    """The parts of instruments that write files."""

    list_display = ["name", "short_name", "instrument", "available", "n_pixels", "freq_min_ghz", "freq_max_ghz"]
    list_select_related = ["instrument"]
    list_filter = ["available", "instrument"]
    search_fields = ["name", "short_name", "instrument__name"]
    autocomplete_fields = ["instrument"]
    actions = ["available_selected", "unavailable_selected"]

    @bulk_action("Available", needs="configure", shown_for=lambda module: not module.available)
    def available_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return set_modules_availability(rows, True, _person(request), given.reason)

    @bulk_action(
        "Not available",
        needs="configure",
        confirm="What is not available is not scheduled. Say so?",
        shown_for=lambda module: module.available,
    )
    def unavailable_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return set_modules_availability(rows, False, _person(request), given.reason)


@admin.register(DataStream)
class DataStreamAdmin(SwitchedAdmin, PortalAdmin):
    """What modules write without regard to observations."""

    list_display = [
        "name",
        "instrument_module",
        "active",
        "is_public",
        "of_telescope",
        "package_seconds",
        "settle_seconds",
        "priority",
    ]
    list_select_related = ["instrument_module__instrument"]
    list_filter = ["active", "instrument_module__instrument"]
    search_fields = ["name", "description"]
    autocomplete_fields = ["instrument_module"]


class OfModule(admin.SimpleListFilter):
    """Which module can observe it? One query: a module's name is made of its instrument's."""

    title = "module"
    parameter_name = "module"

    def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
        modules = InstrumentModule.objects.filter(lines__isnull=False).distinct()
        return [(str(row.pk), str(row)) for row in modules.select_related("instrument")]

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        value = self.value()
        return rows.filter(instrument_modules=value) if value and value.isdigit() else rows


@admin.register(Line)
class LineAdmin(PortalAdmin):
    list_display = ["name", "species", "transition", "rest_frequency_ghz", "reference"]
    list_filter = [OfModule, "species"]
    search_fields = ["name", "species"]
    search_help_text = "Part of the name or species."
    autocomplete_fields = ["instrument_modules"]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """With what names of modules are made of."""
        kwargs["queryset"] = InstrumentModule.objects.select_related("instrument")
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(InstrumentModuleConfiguration)
class ModuleConfigurationAdmin(SwitchedAdmin, PolymorphicParentModelAdmin):
    """All module configurations: one list, the kind is chosen when one is added."""

    add_type_template = "portal/choose_kind.html"  # type: ignore[assignment]

    list_display = ["name", "instrument_module", "type", "active", "valid_from", "valid_to"]
    list_select_related = ["instrument_module__instrument"]
    list_filter = ["active", "type", "instrument_module__instrument"]
    search_fields = ["name", "instrument_module__name", "comment"]

    def get_child_models(self) -> list[type[InstrumentModuleConfiguration]]:
        """Every kind there is: a new one needs no line here."""
        return InstrumentModuleConfiguration.__subclasses__()


class ModuleConfigurationKindAdmin(SwitchedAdmin, PolymorphicChildModelAdmin):
    base_model = InstrumentModuleConfiguration
    list_display = ["name", "instrument_module", "active"]
    list_select_related = ["instrument_module__instrument"]
    search_fields = ["name", "instrument_module__name"]
    autocomplete_fields = ["instrument_module"]


for kind in InstrumentModuleConfiguration.__subclasses__():
    admin.site.register(kind, ModuleConfigurationKindAdmin)
