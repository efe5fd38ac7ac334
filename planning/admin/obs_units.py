"""Portal pages of planned observations and observing modes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.people import person_of
from ccatdc.common.admin.actions import Given, bulk_action
from ccatdc.common.admin.badges import link_to_list
from ccatdc.common.admin.base import PortalAdmin, PortalInline, state_column
from ccatdc.common.bulk_actions import Outcome
from ccatdc.common.units import duration_text
from planning.admin.pictures import visibility_picture
from planning.models import (
    OBS_UNIT_COLOURS,
    OBS_UNIT_MOVES,
    ObsMode,
    ObsUnit,
    ObsUnitState,
    PreScheduledSlot,
    SlotStatus,
)
from planning.scheduling.availability import cancel_slots, set_obs_units_availability, set_obs_units_priority

SLOT_COLOURS: dict[str, str] = {
    SlotStatus.PLANNED: "info",
    SlotStatus.DONE: "success",
    SlotStatus.MISSED: "warning",
    SlotStatus.CANCELLED: "default",
}
#: What a unit's name is made of.
NAMED_BY = "obs_unit__observing_program"


class Slots(PortalInline):
    """The times that a unit was given before."""

    model = PreScheduledSlot
    fields = ["start_time", "end_time", "status", "comment"]


@admin.register(PreScheduledSlot)
class SlotAdmin(PortalAdmin):
    status_shown = state_column("status", SLOT_COLOURS)
    list_display = ["start_time", "end_time", "obs_unit", "telescope", "status_shown"]
    list_select_related = [NAMED_BY, "telescope"]
    list_filter = ["status", "telescope"]
    search_fields = ["obs_unit__name", "obs_unit__observing_program__short_name"]
    date_hierarchy = "start_time"
    autocomplete_fields = ["obs_unit"]
    readonly_fields = ["telescope"]
    actions = ["cancel_selected"]

    @bulk_action(
        "Cancel",
        needs="change",
        confirm="The telescope's time is given back: other slots may take it. Cancel?",
        shown_for=lambda slot: slot.status == SlotStatus.PLANNED,
    )
    def cancel_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return cancel_slots(rows, person_of(request), given.reason)


@admin.register(ObsMode)
class ObsModeAdmin(PortalAdmin):
    list_display = ["name", "category", "instrument", "description"]
    list_select_related = ["instrument"]
    list_filter = ["category", "instrument"]
    search_fields = ["name"]
    autocomplete_fields = ["instrument"]


def _may_become(state: ObsUnitState) -> Any:
    """Whether the button stands on a unit's page."""
    return lambda unit: state in OBS_UNIT_MOVES[unit.state]


@admin.register(ObsUnit)
class ObsUnitAdmin(PortalAdmin):
    """Planned observations. Their state moves by the actions, as the scheduler moves it through the API."""

    state_shown = state_column("state", OBS_UNIT_COLOURS)
    list_display = [
        "name",
        "observing_program",
        "source_name",
        "obs_mode",
        "state_shown",
        "priority",
        "duration",
        "executions_link",
    ]
    list_select_related = ["observing_program", "obs_mode", "source"]
    list_filter = ["state", "observing_program", "obs_unit_type", "obs_mode"]
    search_fields = ["name", "source__name", "observing_program__short_name"]
    search_help_text = "Part of the name of a unit, its source or its program."
    autocomplete_fields = [
        "observing_program",
        "sub_observing_program",
        "source",
        "obs_mode",
        "telescope",
        "instrument_module_configurations",
        "created_by",
    ]
    actions = [
        "activate_selected",
        "hold_selected",
        "set_priority_selected",
        "complete_selected",
        "cancel_selected",
        "reopen_selected",
    ]
    readonly_fields = ["state_shown", "tonight", "created_at", "updated_at"]
    fieldsets = [
        (
            None,
            {"fields": ["name", "observing_program", "sub_observing_program", "obs_unit_type", "state", "priority"]},
        ),
        (
            "What and how",
            {
                "fields": [
                    "source",
                    "target_azimuth_deg",
                    "target_elevation_deg",
                    "tonight",
                    "obs_mode",
                    "telescope",
                    "instrument_module_configurations",
                    "planned_duration_s",
                    "repetitions_requested",
                    "time_goal_h",
                ]
            },
        ),
        (
            "Limits",
            {
                "fields": [
                    "min_elevation_deg",
                    "max_elevation_deg",
                    "max_pwv_mm",
                    "min_sun_distance_deg",
                    "lst_start_h",
                    "lst_stop_h",
                ],
                "description": "Empty: no limit. A range of sidereal time may pass 24 h.",
            },
        ),
        ("Record", {"fields": ["created_by", "created_at", "updated_at"]}),
    ]
    inlines = [Slots]

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what its name is made of, on every page."""
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The first state is chosen; later ones are moves."""
        shown = super().get_fieldsets(request, obj)
        if obj is None:
            return shown
        first = [name if name != "state" else "state_shown" for name in shown[0][1]["fields"]]
        return [(None, {"fields": first}), *shown[1:]]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A new unit is not over."""
        if db_field.name == "state":
            over = (ObsUnitState.COMPLETED, ObsUnitState.CANCELLED)
            kwargs["choices"] = [pair for pair in ObsUnitState.choices if pair[0] not in over]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    @admin.display(description="Tonight")
    def tonight(self, unit: ObsUnit) -> SafeString:
        """When its source is inside its limits."""
        return visibility_picture(unit.source_id, obs_unit=unit.pk)

    @admin.display(description="Target", ordering="source__name")
    def source_name(self, unit: ObsUnit) -> str:
        return unit.target_name

    @admin.display(description="Planned", ordering="planned_duration_s")
    def duration(self, unit: ObsUnit) -> str:
        """How long it is planned to take."""
        return duration_text(unit.planned_duration_s)

    @admin.display(description="")
    def executions_link(self, unit: ObsUnit) -> SafeString:
        return link_to_list("planning", "executedobsunit", "Executions", obs_unit__id=unit.pk)

    @bulk_action("Activate", needs="change", shown_for=_may_become(ObsUnitState.ACTIVE))
    def activate_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return _set_state(request, rows, ObsUnitState.ACTIVE, given)

    @bulk_action(
        "Put on hold",
        needs="change",
        confirm="Units on hold are not scheduled until they are activated again. Put on hold?",
        shown_for=_may_become(ObsUnitState.ON_HOLD),
    )
    def hold_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return _set_state(request, rows, ObsUnitState.ON_HOLD, given)

    @bulk_action(
        "Set priority",
        needs="change",
        confirm="Lower is sooner.",
        number="priority",
        shown_for=_may_become(ObsUnitState.CANCELLED),
    )
    def set_priority_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return set_obs_units_priority(rows, given.number or 0, person_of(request), given.reason)

    @bulk_action(
        "Call completed",
        needs="change",
        confirm="Completed units are not scheduled any more. Call them completed?",
        shown_for=_may_become(ObsUnitState.COMPLETED),
    )
    def complete_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        """All that was wanted was observed."""
        return _set_state(request, rows, ObsUnitState.COMPLETED, given)

    @bulk_action(
        "Cancel",
        needs="change",
        confirm="Cancelled units are not scheduled any more. Cancel?",
        shown_for=_may_become(ObsUnitState.CANCELLED),
    )
    def cancel_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        return _set_state(request, rows, ObsUnitState.CANCELLED, given)

    @bulk_action("Take up again as draft", needs="change", shown_for=_may_become(ObsUnitState.DRAFT))
    def reopen_selected(self, request: HttpRequest, rows: Any, given: Given) -> Outcome:
        """What was over is planned anew."""
        return _set_state(request, rows, ObsUnitState.DRAFT, given)


def _set_state(request: HttpRequest, rows: Any, state: str, given: Given) -> Outcome:
    return set_obs_units_availability(rows, state, person_of(request), given.reason)
