"""Which calibrations are due, when, and for which module: from the cadences and from what was observed.

Read by the scheduler's call (planning/api/scheduler_views.py) and by the portal; nothing is stored. A calibration was
done when an execution of its mode was completed whose data are not bad. It counts for the modules that the execution
names, else for those that its obs unit plans, else for all of the instrument.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Max, QuerySet

from observatory.models import InstrumentModule, InstrumentType
from planning.models import CalibrationCadence, ExecutedObsUnit, ExecutionQuality, ExecutionStatus, ObsUnit
from planning.models.cadences import LONGEST_INTERVAL_S
from planning.models.obs_units import ObsModeCategory

#: How old a calibration may be to be found: every interval is shorter.
LOOK_BACK: Final = timedelta(seconds=LONGEST_INTERVAL_S)
#: An execution that began before this did not end within LOOK_BACK: none runs so long.
_LONGEST_EXECUTION: Final = timedelta(days=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A cadence at one moment. ``last_end`` is when it was last done, None where that is longer ago than any interval.

    ``due_at`` is from when on it is wanted: None where it was not done for so long, or waits for the end of a science
    observation. ``overdue`` is how long ago that is, None where it is not due.
    """

    cadence: CalibrationCadence
    last_end: datetime | None
    due_at: datetime | None
    is_due: bool
    overdue: timedelta | None


def calibrations(cadences: QuerySet[CalibrationCadence], at: datetime) -> list[Calibration]:
    """Those of modules that can be used, the most urgent first: never done, then longest overdue, then next.

    In a constant number of queries over the executions of the last 90 days.
    """
    used = cadences.filter(
        active=True, instrument_module__available=True, instrument_module__instrument__available=True
    )
    found = states_of(used.select_related("instrument_module__instrument", "obs_mode"), at).values()
    return sorted(found, key=_urgency)


def states_of(cadences: Iterable[CalibrationCadence], at: datetime) -> dict[int, Calibration]:
    """Of each cadence, by key, also of those that are not in use."""
    rows = list(cadences)
    if not rows:
        return {}
    ended = ExecutedObsUnit.objects.filter(start_time__gte=at - LOOK_BACK - _LONGEST_EXECUTION, end_time__lte=at)
    done = _Ends(
        ended.filter(
            obs_unit__in=ObsUnit.objects.filter(obs_mode__in={row.obs_mode_id for row in rows}).order_by(),
            status=ExecutionStatus.COMPLETED,
        ).exclude(quality=ExecutionQuality.BAD)
    )
    lasts = {row.pk: done.last(row.instrument_module, row.obs_mode_id) for row in rows}
    following = [last for row in rows if row.interval_s == 0 and (last := lasts[row.pk]) is not None]
    observed = _Ends(
        ended.filter(obs_unit__obs_mode__category=ObsModeCategory.SCIENCE, end_time__gt=min(following))
        if following
        else ended.none(),
        of_modes=False,
    )
    return {row.pk: _state(row, lasts[row.pk], observed.last(row.instrument_module), at) for row in rows}


def _state(cadence: CalibrationCadence, last: datetime | None, observed: datetime | None, at: datetime) -> Calibration:
    """``observed`` is when a science observation of the module last ended."""
    if last is None:
        return Calibration(cadence, None, None, is_due=True, overdue=None)
    if cadence.interval_s:
        due_at: datetime | None = last + timedelta(seconds=cadence.interval_s)
    else:
        due_at = observed if observed is not None and observed > last else None
    is_due = due_at is not None and due_at <= at
    return Calibration(cadence, last, due_at, is_due, at - due_at if is_due and due_at is not None else None)


def _urgency(state: Calibration) -> tuple[bool, bool, datetime, int]:
    """What waits for a science observation comes last."""
    waits = state.due_at is None and not state.is_due
    return not state.is_due, waits, state.due_at or _NEVER, state.cadence.pk


class _Ends:
    """When executions last ended, by the modules for which they count. In two queries."""

    def __init__(self, executions: QuerySet[ExecutedObsUnit], *, of_modes: bool = True) -> None:
        self._found: dict[tuple[Any, ...], datetime] = {}
        self._of_modes = of_modes
        module = "instrument_module_configurations__instrument_module"
        ends = executions.order_by().values_list("obs_unit", module).annotate(end=Max("end_time"))
        of_units: dict[int, list[tuple[int | None, datetime]]] = {}
        for unit, used, end in ends:
            of_units.setdefault(unit, []).append((used, end))
        columns = ("obs_mode", "obs_mode__instrument", "obs_unit_type", module)
        for unit, mode, instrument, kind, planned in ObsUnit.objects.filter(pk__in=of_units).values_list(
            "pk", *columns
        ):
            for used, end in of_units[unit]:
                # What the unit plans counts only where the execution names nothing.
                named = used or planned
                whose = ("module", named) if named else ("instrument", instrument) if instrument else ("kind", kind)
                self._note(mode, whose, end)

    def _note(self, mode: int, whose: tuple[str, Any], end: datetime) -> None:
        key = (mode if self._of_modes else None, *whose)
        self._found[key] = max(end, self._found.get(key, _NEVER))

    def last(self, module: InstrumentModule, mode: int | None = None) -> datetime | None:
        """The last end that counts for the module."""
        heterodyne = module.instrument.instrument_type == InstrumentType.HETERODYNE
        kind = "chai_obs_unit" if heterodyne else "prime_cam_obs_unit"
        keys = (("module", module.pk), ("instrument", module.instrument_id), ("kind", kind))
        ends = [self._found[(mode, *key)] for key in keys if (mode, *key) in self._found]
        return max(ends, default=None)
