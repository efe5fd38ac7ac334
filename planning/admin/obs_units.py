"""Portal pages of planned observations and observing modes."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from ccatdc.common.admin import PortalAdmin, PortalInline
from ccatdc.common.badges import link_to_list
from planning.admin.pictures import visibility_picture
from planning.models import ObsMode, ObsUnit, PreScheduledSlot


class Slots(PortalInline):
    """The times that a unit was given before."""

    model = PreScheduledSlot
    fields = ["start_time", "end_time", "status", "comment"]


@admin.register(PreScheduledSlot)
class SlotAdmin(PortalAdmin):
    """Times that are given away."""

    list_display = ["start_time", "end_time", "obs_unit", "telescope", "status"]
    list_select_related = ["obs_unit__observing_program", "telescope"]
    list_filter = ["status", "telescope"]
    search_fields = ["obs_unit__name", "obs_unit__observing_program__short_name"]
    date_hierarchy = "start_time"
    autocomplete_fields = ["obs_unit"]


@admin.register(ObsMode)
class ObsModeAdmin(PortalAdmin):
    """Observing modes."""

    list_display = ["name", "category", "instrument", "description"]
    list_select_related = ["instrument"]
    list_filter = ["category", "instrument"]
    search_fields = ["name"]
    autocomplete_fields = ["instrument"]


@admin.register(ObsUnit)
class ObsUnitAdmin(PortalAdmin):
    """Planned observations."""

    list_display = [
        "name",
        "observing_program",
        "source_name",
        "obs_mode",
        "state",
        "priority",
        "planned_duration_s",
        "executions",
    ]
    list_select_related = ["observing_program", "obs_mode", "source"]
    list_filter = ["state", "observing_program", "obs_unit_type"]
    search_fields = ["name", "source__name", "observing_program__short_name"]
    autocomplete_fields = [
        "observing_program",
        "sub_observing_program",
        "source",
        "obs_mode",
        "telescope",
        "instrument_module_configurations",
        "created_by",
    ]
    readonly_fields = ["tonight"]
    inlines = [Slots]

    @admin.display(description="Tonight")
    def tonight(self, unit: ObsUnit) -> SafeString:
        """When its source is inside its limits."""
        return visibility_picture(unit.source_id, obs_unit=unit.pk)

    @admin.display(description="Source", ordering="source__name")
    def source_name(self, unit: ObsUnit) -> str:
        """The source's name."""
        return unit.source.name

    @admin.display(description="")
    def executions(self, unit: ObsUnit) -> SafeString:
        """What was observed of it."""
        return link_to_list("planning", "executedobsunit", "Executions", obs_unit__id=unit.pk)
