"""Samples of a weather station, many at a time. The same again changes nothing, another value replaces the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from ccatdc.common.errors import RequestError
from ccatdc.common.row_errors import RowError, in_words, listed
from observatory.models import Telescope
from planning.models import WeatherSample
from planning.models.weather import SAMPLE_LIMITS
from planning.weather.summaries import note_weather

MAX_SAMPLES: Final = 5000
#: How far a clock may be ahead of ours.
_AHEAD: Final = timedelta(days=1)
_VALUES: Final = tuple(SAMPLE_LIMITS)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured at ``time``: values by quantity (SAMPLE_LIMITS), within the limits."""

    time: datetime
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """How many samples are new or were changed, and for how many executions the weather is another one now."""

    stored: int
    unchanged: int
    executions: int


class WeatherError(RequestError):
    """Samples that make no sense; none of the call was stored."""

    default_code = "weather.invalid_samples"

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(
            in_words(errors, "Sample"), remedy="Nothing was stored. Correct the samples and send all of them again."
        )
        self.extra = listed(errors)


@transaction.atomic
def take_samples(telescope: Telescope, station: str, samples: Sequence[Sample]) -> Taken:
    """Store what is new or differs, and bring executions of this time up to date. Raises WeatherError."""
    errors = _impossible(samples)
    if errors:
        raise WeatherError(errors)
    if not samples:
        return Taken(0, 0, 0)
    # In the order of time, so that two calls never wait for each other.
    ordered = sorted(samples, key=lambda sample: sample.time)
    first, last = ordered[0].time, ordered[-1].time
    there = {row.time: row for row in WeatherSample.objects.between(telescope.pk, first, last).filter(station=station)}
    rows = [
        WeatherSample(telescope=telescope, station=station, time=sample.time, **sample.values)
        for sample in ordered
        if not _same(there.get(sample.time), sample)
    ]
    WeatherSample.objects.bulk_create(
        rows,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["telescope", "time", "station"],
        update_fields=list(_VALUES),
    )
    executions = note_weather(telescope.pk, rows[0].time, rows[-1].time) if rows else 0
    return Taken(len(rows), len(ordered) - len(rows), executions)


def _same(row: WeatherSample | None, sample: Sample) -> bool:
    return row is not None and all(getattr(row, name) == sample.values.get(name) for name in _VALUES)


def _impossible(samples: Sequence[Sample]) -> list[RowError]:
    errors: list[RowError] = []
    seen: dict[datetime, int] = {}
    latest = timezone.now() + _AHEAD
    for index, sample in enumerate(samples):
        if not sample.values:
            errors.append(
                RowError(index, "time", "required", f"Nothing was measured: give one of {', '.join(_VALUES)}.")
            )
        if sample.time > latest:
            errors.append(RowError(index, "time", "clock", "This is more than a day ahead: check the clock."))
        if seen.setdefault(sample.time, index) != index:
            errors.append(RowError(index, "time", "twice", f"Sample {seen[sample.time]} is of this time."))
    return errors
