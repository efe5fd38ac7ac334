"""Files of weather archives: CSV in UTF-8, one sample a line, times in UTC.

With a line of names: ours (``time`` and the quantities of a sample), or those of CCAT's archive of Cerro Chajnantor
(github.com/ccatobs/historical-weather-data, merge-and-reformat.py). Without one, the archive's monthly files as the
logger wrote them: unit, date (yy/mm/dd), time, mean wind, its direction and spread, peak wind, temperature, relative
humidity in percent, pressure in mbar, battery, a flag. ``#`` begins a comment.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from ccatdc.common.errors import RequestError
from planning.models.weather import SAMPLE_LIMITS
from planning.weather.samples import Sample

_LOGGER_COLUMNS: Final[tuple[str, ...]] = (
    "unit",
    "date",
    "clock",
    "wind_speed_avg_mps",
    "wind_direction_avg_deg",
    "wind_direction_stddev_deg",
    "wind_speed_peak_mps",
    "temperature_C",
    "relative_humidity",
    "pressure_mbar",
    "battery_V",
    "zero",
)
#: What a column is of ours, and by what its values are multiplied and what is added then.
_COLUMNS: Final[Mapping[str, tuple[str, float, float]]] = {
    **{name: (name, 1.0, 0.0) for name in SAMPLE_LIMITS},
    "wind_speed_avg_mps": ("wind_m_s", 1.0, 0.0),
    "wind_speed_peak_mps": ("wind_gust_m_s", 1.0, 0.0),
    "wind_direction_avg_deg": ("wind_direction_deg", 1.0, 0.0),
    "temperature_C": ("temperature_c", 1.0, 0.0),
    "temperature_k": ("temperature_c", 1.0, -273.15),
    "relative_humidity": ("relative_humidity_pct", 1.0, 0.0),
    "relative_humidity_fraction": ("relative_humidity_pct", 100.0, 0.0),
    "pressure_mbar": ("pressure_hpa", 1.0, 0.0),
    # 1 Torr is 101325/760 Pa.
    "pressure_torr": ("pressure_hpa", 1013.25 / 760, 0.0),
}
_UNUSED: Final = frozenset({"unit", "wind_direction_stddev_deg", "battery_V", "zero"})
_TIMES: Final = frozenset({"time", "datetime", "date", "clock"})


@dataclass(slots=True)
class Archive:
    """What a file holds. ``left_out`` counts values outside their limits (a broken sensor), by quantity."""

    samples: list[Sample] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def read_archive(lines: Iterable[str]) -> Archive:
    """The samples of a file, one for each time: the last one. RequestError for what is no such file."""
    rows = _rows(lines)
    first = next(rows, None)
    if first is None:
        return Archive()
    number, cells = first
    if "/" in "".join(cells[1:2]):
        names, rows = _LOGGER_COLUMNS, chain([first], rows)
    else:
        names = tuple(cells)
        _require_known(names)
    found = Archive()
    by_time: dict[datetime, Sample] = {}
    unitless: list[float] = []
    for number, cells in rows:
        if len(cells) < len(names):
            raise _problem(f"Line {number} has {len(cells)} values for {len(names)} columns.")
        said = dict(zip(names, cells, strict=False))
        try:
            time, values = _time(said), _values(said, found)
        except ValueError as error:
            raise _problem(f"Line {number}: {error}.") from error
        if "relative_humidity" in said and "relative_humidity_pct" in values:
            unitless.append(values["relative_humidity_pct"])
        if values:
            by_time[time] = Sample(time, values)
    if len(unitless) > 1 and max(unitless) <= 1:
        raise _problem("No relative_humidity is above 1: name the column relative_humidity_fraction, or _pct.")
    found.samples = sorted(by_time.values(), key=lambda sample: sample.time)
    return found


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Numbers of lines, and their values without the empty one behind a last comma."""
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line]))]
        yield number, cells


def _require_known(names: tuple[str, ...]) -> None:
    unknown = [
        name for name in names if name not in _COLUMNS and name not in _UNUSED and name not in {"time", "datetime"}
    ]
    if unknown:
        raise _problem(f"There is no column {unknown[0][:64]!r}. Known are {', '.join(sorted(_COLUMNS))}.")
    if not _TIMES.intersection(names):
        raise _problem("There is no column time.")
    ours = [_COLUMNS[name][0] for name in names if name in _COLUMNS]
    if len(set(ours)) != len(ours) or len(set(names)) != len(names):
        raise _problem("Two columns are the same quantity.")


def _time(said: Mapping[str, str]) -> datetime:
    if "clock" in said:
        return datetime.strptime(f"{said['date']} {said['clock']}", "%y/%m/%d %H:%M:%S").replace(tzinfo=UTC)
    moment = datetime.fromisoformat(said.get("time") or said["datetime"])
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _values(said: Mapping[str, str], found: Archive) -> dict[str, float]:
    values: dict[str, float] = {}
    for column, text in said.items():
        if column not in _COLUMNS or not text:
            continue
        name, factor, offset = _COLUMNS[column]
        value = round(float(text) * factor + offset, 9)
        if math.isnan(value):
            continue
        low, high = SAMPLE_LIMITS[name]
        if low <= value <= high:
            values[name] = value
        else:
            found.left_out[name] = found.left_out.get(name, 0) + 1
    return values


def _problem(message: str) -> RequestError:
    return RequestError(
        message, code="weather.not_an_archive", remedy="Write CSV with the names of the quantities in its first line."
    )
