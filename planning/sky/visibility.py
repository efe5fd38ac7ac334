"""Can it be observed tonight? Elevation, azimuth and distance from the Sun of a source through one day at a telescope.

Pages and the API ask (planning/api/visibility.py); the picture is drawn in planning/sky/picture.py. Nothing is stored:
a day takes a fraction of a second to compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ccatdc.common.errors import RequestError
from planning.sky.ephemerides import astropy_ready, horizontal_at, sun_at
from planning.sky.positions import fixed_position, icrs

if TYPE_CHECKING:
    from observatory.models import Telescope
    from planning.models import Source

#: Between two samples an object moves by 1.25 degrees; a straight line between them is right to a few seconds.
STEP = timedelta(minutes=5)
_DAY = timedelta(days=1)
#: Years that the ephemeris covers.
YEARS = (1900, 2052)
#: The telescope does not look nearer at the Sun, unless an obs unit says otherwise. Degrees.
SUN_DISTANCE_DEG = 45.0

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Visibility:
    """One day, from noon to noon of the telescope's mean solar time. Angles in degrees, times in UTC.

    Elevations are geometric, without refraction. ``rises`` and ``sets`` are at the horizon. ``observable`` is when it
    stands inside the limits of elevation and far enough from the Sun. A value is None while a field is not scanned.
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
) -> Visibility:
    """The day that begins at noon of ``evening``. Limits are the telescope's unless narrower ones are given.

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
    distance = _numbers(seen.separation(sun).deg)
    sun_up = [float(angle) for angle in sun.alt.deg]
    low = max(telescope.el_min_deg, min_elevation_deg or telescope.el_min_deg)
    high = min(telescope.el_max_deg, max_elevation_deg or telescope.el_max_deg)
    away = SUN_DISTANCE_DEG if min_sun_distance_deg is None else min_sun_distance_deg
    known = [(angle, moment) for angle, moment in zip(up, times, strict=True) if angle is not None]
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
        observable=_spans(
            times, [_margin(e, d, low=low, high=high, away=away) for e, d in zip(up, distance, strict=True)]
        ),
        night=_spans(times, [-angle for angle in sun_up]),
    )


def _solar(telescope: Telescope) -> timedelta:
    """Mean solar time minus UTC, to the second."""
    return timedelta(seconds=round(telescope.lon_deg * 240))


def where_seen(source: Source, grid: Any, telescope: Telescope) -> Any:
    """Where it is at the times of a grid. A fixed source once for all: proper motion does not show in hours.

    Of a field scanned at one elevation the centre is followed, where it has one: when it passes that elevation, it is
    scanned.
    """
    from planning.models import ConstantElevationSource, FixedSource

    if isinstance(source, FixedSource):
        return fixed_position(source, grid[len(grid) // 2])
    if isinstance(source, ConstantElevationSource) and source.ra_center_deg is not None:
        return icrs(source.ra_center_deg, source.dec_center_deg)
    return source.position(grid, telescope)


def _numbers(angles: Any) -> list[float | None]:
    return [None if angle != angle else float(angle) for angle in angles]  # noqa: PLR0124 (not a number)


def _margin(elevation: float | None, distance: float | None, *, low: float, high: float, away: float) -> float | None:
    """How far inside all limits, degrees; negative outside."""
    if elevation is None or distance is None:
        return None
    return min(elevation - low, high - elevation, distance - away)


def _zero_between(times: list[datetime], first: int, before: float, after: float) -> datetime:
    """Where a straight line between two samples is zero."""
    return times[first] + STEP * (before / (before - after))


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
