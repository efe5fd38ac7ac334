"""Can it be observed tonight? Elevation, azimuth and distance from the Sun of a source through one day at a telescope.

Pages and the API ask (planning/api/visibility.py); the picture is drawn in planning/sky/picture.py. Nothing is stored:
a day takes a fraction of a second to compute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ccatdc.common.errors import RequestError
from planning.sky.ephemerides import astropy_ready, horizontal_at, sun_at
from planning.sky.sweeps import POINT, Pattern, highest_at_speed, sweep, where_seen

if TYPE_CHECKING:
    from observatory.models import Telescope
    from planning.models import Source

#: Between two samples an object moves by 1.25 degrees; a straight line between them is right to a few seconds.
STEP = timedelta(minutes=5)
#: Near the ends of what is observable it is looked more closely: the Sun may pass a sweep within minutes.
PARTS = 30
_DAY = timedelta(days=1)
#: Years that the ephemeris covers.
YEARS = (1900, 2052)
#: The telescope does not look nearer at the Sun, unless an obs unit says otherwise. Degrees.
SUN_DISTANCE_DEG = 45.0
#: So near at its least distance from the Sun an observation is possible, but watched: 50 degrees, as FYST's planner warns.
SUN_WARNING_DEG = 5.0

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Visibility:
    """One day, from noon to noon of the telescope's mean solar time. Angles in degrees, times in UTC.

    Elevations are geometric, without refraction. ``rises`` and ``sets`` are at the horizon. ``observable`` is when all
    that the scan sweeps is inside the limits of the telescope and far enough from the Sun, and a field at constant
    elevation crosses that elevation on its side; ``sun_warning`` is when that is so, but nearer than
    ``SUN_WARNING_DEG`` to the limit. ``sun_distance_deg`` is of the nearest point of the sweep. A value is None while a
    field is not scanned.
    """

    times: list[datetime]
    elevation_deg: list[float | None]
    azimuth_deg: list[float | None]
    sun_distance_deg: list[float | None]
    sun_elevation_deg: list[float]
    min_elevation_deg: float
    max_elevation_deg: float
    min_sun_distance_deg: float
    rises: list[datetime]
    sets: list[datetime]
    highest: datetime | None
    observable: list[Span]
    sun_warning: list[Span]
    night: list[Span]


def night_of(moment: datetime, telescope: Telescope) -> date:
    """The evening of the night that is now or comes next: days begin at noon of the mean Sun."""
    return (moment.astimezone(UTC) + _solar(telescope) - timedelta(hours=12)).date()


def visibility(
    source: Source,
    telescope: Telescope,
    evening: date,
    *,
    min_elevation_deg: float | None = None,
    max_elevation_deg: float | None = None,
    min_sun_distance_deg: float | None = None,
    pattern: Pattern = POINT,
) -> Visibility:
    """The day that begins at noon of ``evening``. Limits are the telescope's unless narrower ones are given; ``pattern``
    is how far the scan reaches.

    Raises :class:`RequestError` for a day beyond the ephemeris and ConfigurationError for a source without a position.
    """
    if not YEARS[0] <= evening.year <= YEARS[1]:
        raise RequestError(
            f"{evening} is beyond the ephemeris.",
            code="visibility.beyond_ephemeris",
            remedy=f"Ask for a day from {YEARS[0]} to {YEARS[1]}.",
        )
    astropy_ready()
    from astropy.time import Time

    start = datetime.combine(evening, time(12), tzinfo=UTC) - _solar(telescope)
    times = [start + STEP * n for n in range(_DAY // STEP + 1)]
    grid = Time(times)
    horizon = horizontal_at(grid, telescope)
    seen = where_seen(source, grid, telescope).transform_to(horizon)
    sun = sun_at(grid, telescope).transform_to(horizon)
    up = _numbers(seen.alt.deg)
    sun_up = [float(angle) for angle in sun.alt.deg]
    low = max(telescope.el_min_deg, min_elevation_deg or telescope.el_min_deg)
    high = min(telescope.el_max_deg, max_elevation_deg or telescope.el_max_deg, highest_at_speed(telescope, pattern))
    away = SUN_DISTANCE_DEG if min_sun_distance_deg is None else min_sun_distance_deg
    known = [(angle, moment) for angle, moment in zip(up, times, strict=True) if angle is not None]

    def margins(moments: list[datetime], away_deg: float) -> list[float | None]:
        at = horizontal_at(Time(moments), telescope)
        swept = sweep(source, at, sun_at(Time(moments), telescope).transform_to(at), telescope, pattern)
        return _numbers(swept.inside(telescope, low=low, high=high, away=away_deg))

    swept = sweep(source, horizon, sun, telescope, pattern)
    distance = _numbers(swept.sun_distance)
    observable, calm = (
        _refined(
            times, _numbers(swept.inside(telescope, low=low, high=high, away=each)), partial(margins, away_deg=each)
        )
        for each in (away, away + SUN_WARNING_DEG)
    )
    return Visibility(
        times=times,
        elevation_deg=up,
        azimuth_deg=_numbers(seen.az.deg),
        sun_distance_deg=distance,
        sun_elevation_deg=sun_up,
        min_elevation_deg=low,
        max_elevation_deg=high,
        min_sun_distance_deg=away,
        rises=_crossings(times, up, upward=True),
        sets=_crossings(times, up, upward=False),
        highest=max(known)[1] if known else None,
        observable=observable,
        sun_warning=_without(observable, calm),
        night=_spans(times, [-angle for angle in sun_up]),
    )


def _refined(
    times: list[datetime], coarse: list[float | None], margins: Callable[[list[datetime]], list[float | None]]
) -> list[Span]:
    """When the margins are not negative; every step in which they change sign is looked at in parts."""
    steps = [n for n, (before, after) in enumerate(pairwise(coarse)) if _is_inside(before) != _is_inside(after)]
    closer = [times[n] + STEP * part / PARTS for n in steps for part in range(1, PARTS)]
    values = dict(zip(times, coarse, strict=True))
    if closer:
        values |= zip(closer, margins(closer), strict=True)
    moments = sorted(values)
    return _spans(moments, [values[moment] for moment in moments])


def _is_inside(margin: float | None) -> bool:
    return margin is not None and margin >= 0


def _without(spans: list[Span], others: list[Span]) -> list[Span]:
    """The parts of the spans that are in none of the others; both in order of time."""
    parts: list[Span] = []
    for start, end in spans:
        left = start
        for other_start, other_end in others:
            if other_end <= left or other_start >= end:
                continue
            if other_start > left:
                parts.append((left, other_start))
            left = other_end
        if left < end:
            parts.append((left, end))
    return parts


def _solar(telescope: Telescope) -> timedelta:
    """Mean solar time minus UTC, to the second."""
    return timedelta(seconds=round(telescope.lon_deg * 240))


def _numbers(angles: Any) -> list[float | None]:
    return [None if angle != angle else float(angle) for angle in angles]  # noqa: PLR0124 (not a number)


def _zero_between(times: list[datetime], first: int, before: float, after: float) -> datetime:
    """Where a straight line between two samples is zero."""
    return times[first] + (times[first + 1] - times[first]) * (before / (before - after))


def _crossings(times: list[datetime], values: list[float | None], *, upward: bool) -> list[datetime]:
    found = []
    for n, (before, after) in enumerate(pairwise(values)):
        if before is None or after is None or (before < 0) == (after < 0):
            continue
        if (after >= 0) == upward:
            found.append(_zero_between(times, n, before, after))
    return found


def _spans(times: list[datetime], margins: Any) -> list[Span]:
    """When the values are not negative; the ends between samples by a straight line."""
    spans: list[Span] = []
    start: datetime | None = None
    before: float | None = None
    for n, value in enumerate(margins):
        inside = value is not None and value >= 0
        if inside and start is None:
            start = times[n] if before is None else _zero_between(times, n - 1, before, value)
        elif not inside and start is not None:
            known = before is not None and value is not None
            end = _zero_between(times, n - 1, before, value) if known else times[n - 1]  # type: ignore[arg-type]
            spans.append((start, end))
            start = None
        before = value
    if start is not None:
        spans.append((start, times[-1]))
    return spans
