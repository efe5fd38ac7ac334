"""What the weather was during an execution: mean and extremes of the samples of all stations of its telescope.

Computed when an execution ends, and again when samples of its time arrive afterwards.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Avg, Count, Max, Min, Q
from django.db.models.functions import Cos, Radians, Sin

from planning.models import ExecutedObsUnit, ExecutionStatus, WeatherSample
from planning.models.weather import SAMPLE_LIMITS

#: An execution without a sample in it has those that are this much before its start or after its end.
NEAR: Final = timedelta(minutes=5)
#: Directions whose mean vector is shorter have no mean: the wind came from everywhere.
_NO_DIRECTION: Final = 1e-6
_DIRECTION: Final = "wind_direction_deg"


def weather_of(execution: ExecutedObsUnit) -> dict[str, Any]:
    """By quantity ``mean``, ``min`` and ``max``; of the wind's direction the circular mean alone. ``samples`` is how many
    there are. Empty without any.
    """
    if execution.end_time is None:
        return {}
    telescope, start, end = execution.obs_unit.telescope_id, execution.start_time, execution.end_time
    within = WeatherSample.objects.between(telescope, start, end)
    return _summary(within) or _summary(WeatherSample.objects.between(telescope, start - NEAR, end + NEAR))


def note_weather(telescope: int, first: datetime, last: datetime) -> int:
    """Compute it anew for executions that samples of this time belong to; how many there are. Within a transaction.

    Executions that run are locked too, and so end after the samples are there: whoever is second sees the other.
    """
    rows = ExecutedObsUnit.objects.filter(obs_unit__telescope=telescope)
    ended = rows.overlapping(first - NEAR, last + NEAR).order_by().values("pk")
    running = rows.filter(status=ExecutionStatus.RUNNING, start_time__lte=last + NEAR).order_by().values("pk")
    locked = ExecutedObsUnit.objects.select_for_update(of=("self",)).select_related("obs_unit")
    changed = []
    for execution in locked.filter(Q(pk__in=ended) | Q(pk__in=running)).order_by("pk"):
        found = weather_of(execution)
        if found != execution.weather:
            execution.weather = found
            changed.append(execution)
    ExecutedObsUnit.objects.bulk_update(changed, ["weather"], batch_size=1000)
    return len(changed)


def _summary(samples: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"samples": Count("pk")}
    for name in SAMPLE_LIMITS:
        if name == _DIRECTION:
            continue
        asked |= {f"{name}_mean": Avg(name), f"{name}_min": Min(name), f"{name}_max": Max(name)}
    east, north = Avg(Sin(Radians(_DIRECTION))), Avg(Cos(Radians(_DIRECTION)))
    asked |= {"east": east, "north": north}
    found = samples.order_by().aggregate(**asked)
    if not found["samples"]:
        return {}
    summary: dict[str, Any] = {"samples": found["samples"]}
    for name in SAMPLE_LIMITS:
        if found.get(f"{name}_mean") is not None:
            summary[name] = {each: round(found[f"{name}_{each}"], 6) for each in ("mean", "min", "max")}
    mean = _direction(found["east"], found["north"])
    if mean is not None:
        summary[_DIRECTION] = {"mean": mean}
    return summary


def _direction(east: float | None, north: float | None) -> float | None:
    """Degrees from north over east, 0 to 360, of the mean of unit vectors."""
    if east is None or north is None or math.hypot(east, north) < _NO_DIRECTION:
        return None
    return round(math.degrees(math.atan2(east, north)) % 360, 6) % 360
