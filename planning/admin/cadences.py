"""Portal page of calibration cadences, with what is due now."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from ccatdc.common.admin.actions import SwitchedAdmin
from ccatdc.common.admin.badges import badge
from ccatdc.common.admin.base import WithPreparedRows
from ccatdc.common.units import NOTHING, duration_text
from planning.models import CalibrationCadence
from planning.scheduling.calibrations import Calibration, states_of


@admin.register(CalibrationCadence)
class CalibrationCadenceAdmin(SwitchedAdmin):
    """How often modules are calibrated."""

    list_display = ["obs_mode", "instrument_module", "interval_shown", "active", "last_done", "due", "due_at"]
    list_select_related = ["instrument_module__instrument", "obs_mode"]
    list_filter = ["active", "instrument_module__instrument", "obs_mode"]
    search_fields = ["obs_mode__name", "instrument_module__name", "comment"]
    autocomplete_fields = ["instrument_module", "obs_mode"]
    fields = ["instrument_module", "obs_mode", "interval_s", "active", "comment"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return WithPreparedRows

    def prepare_rows(self, rows: list[Any]) -> None:
        """Look at the executions once for all rows."""
        found = states_of(rows, timezone.now())
        for row in rows:
            row.calibration = found[row.pk]

    @admin.display(description="Interval", ordering="interval_s")
    def interval_shown(self, cadence: CalibrationCadence) -> str:
        return duration_text(cadence.interval_s) if cadence.interval_s else "after each science observation"

    @admin.display(description="Last done (UTC)")
    def last_done(self, cadence: CalibrationCadence) -> Any:
        return _state(cadence).last_end or "not in 90 days"

    @admin.display(description="Now")
    def due(self, cadence: CalibrationCadence) -> SafeString | str:
        """Whether it is due, and for how long it has been."""
        state = _state(cadence)
        if not cadence.active:
            return NOTHING
        if not state.is_due:
            return badge("Done", "success")
        return badge("Due" if state.overdue is None else f"Due for {duration_text(state.overdue)}", "warning")

    @admin.display(description="Due at (UTC)")
    def due_at(self, cadence: CalibrationCadence) -> Any:
        return _state(cadence).due_at or NOTHING


def _state(cadence: CalibrationCadence) -> Calibration:
    state: Calibration = vars(cadence)["calibration"]
    return state
