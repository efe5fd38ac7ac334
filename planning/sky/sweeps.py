"""What a scan sweeps over: the whole of it has to be inside the telescope's limits and far enough from the Sun.

Between the positions of sources (planning/sky/positions.py) and who asks whether something can be observed
(planning/sky/visibility.py, planning/scheduling/candidates.py). A scan round a source reaches as far as its pattern. A
field at constant elevation is swept in azimuth at that elevation, and is there only while it crosses the elevation on
its side of the sky: from when its leading edge in right ascension passes, until its trailing edge does, both at the
declination of the centre (as fyst-trajectories plans them).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planning.sky.positions import azimuths_of_crossing, fixed_position, holds_at, icrs, sidereal_time_h

if TYPE_CHECKING:
    from observatory.models import Telescope
    from planning.models import ConstantElevationSource, Source

#: What stands for "far inside" and "far outside" of a condition that is no angle. Degrees.
_FAR = 90.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """How far a scan reaches. Degrees, and degrees per second.

    ``radius_deg`` is from the source to the farthest point, on the sky. What follows the scan is the boresight, or a
    place beside it that is pointed at the source: ``boresight_deg`` is from this to the boresight, where the mount
    points, and ``footprint_deg`` to the outermost edge of the detectors, or to the boresight where that is farther. How
    the focal plane is rotated is left open: both hold for every angle. A scan at constant elevation may have its own
    azimuths and elevation. ``speed_deg_s`` is on the sky, ``az_speed_deg_s`` in azimuth of the mount.
    """

    radius_deg: float = 0.0
    footprint_deg: float = 0.0
    boresight_deg: float = 0.0
    azimuths_deg: tuple[float, float] | None = None
    elevation_deg: float | None = None
    speed_deg_s: float = 0.0
    az_speed_deg_s: float = 0.0


POINT = Pattern()


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is swept at each time, as arrays; degrees. Not a number where nothing is.

    ``elevation`` and ``azimuth`` are of the middle, ``lowest`` to ``azimuth_high`` are the mount's. ``sun_distance`` is
    of the detector, or the boresight, and the point of the sweep that come nearest to the Sun. ``crossing`` is how far a
    field is inside of its crossing; far where it has none.
    """

    elevation: Any
    azimuth: Any
    lowest: Any
    highest: Any
    azimuth_low: Any
    azimuth_high: Any
    sun_distance: Any
    crossing: Any

    def at(self, number: int) -> Sweep:
        """At one of the times."""
        return Sweep(**{name: float(getattr(self, name)[number]) for name in self.__slots__})

    def inside(self, telescope: Telescope, *, low: float, high: float, away: float) -> Any:
        """How far inside of all limits, degrees; negative outside, not a number where nothing is swept."""
        import numpy

        reach = numpy.minimum(self.lowest - low, high - self.highest)
        turn = _in_reach(self.azimuth_low, self.azimuth_high, telescope)
        return numpy.minimum.reduce([reach, self.sun_distance - away, self.crossing, turn])


def sweep(source: Source, horizon: Any, sun: Any, telescope: Telescope, pattern: Pattern = POINT) -> Sweep:
    """What a scan of the source sweeps at the times of ``horizon``; ``sun`` is the Sun in that frame.

    Raises :class:`ConfigurationError` for a source without a position.
    """
    from planning.models import ConstantElevationSource

    if isinstance(source, ConstantElevationSource):
        return _field(source, horizon, sun, telescope, pattern)
    seen = where_seen(source, horizon.obstime, telescope).transform_to(horizon)
    return around(seen.alt.deg, seen.az.deg, seen.separation(sun).deg, pattern)


def where_seen(source: Source, grid: Any, telescope: Telescope) -> Any:
    """Where its middle is at the times of a grid. A fixed source once for all: proper motion does not show in hours. Of
    a field the centre is followed, where it has one.
    """
    from planning.models import ConstantElevationSource, FixedSource

    if isinstance(source, FixedSource):
        return fixed_position(source, grid[len(grid) // 2])
    if isinstance(source, ConstantElevationSource) and source.ra_center_deg is not None:
        return icrs(source.ra_center_deg, source.dec_center_deg)
    return source.position(grid, telescope)


def around(elevation: Any, azimuth: Any, sun_distance: Any, pattern: Pattern) -> Sweep:
    """A scan round a position, numbers or arrays of them; ``sun_distance`` is that of the position."""
    import numpy

    reach = pattern.radius_deg + pattern.boresight_deg
    width = _width(reach, elevation)
    return Sweep(
        elevation=elevation,
        azimuth=azimuth,
        lowest=elevation - reach,
        highest=elevation + reach,
        azimuth_low=azimuth - width,
        azimuth_high=azimuth + width,
        sun_distance=numpy.maximum(sun_distance - pattern.radius_deg - pattern.footprint_deg, 0),
        crossing=numpy.full(numpy.shape(elevation), _FAR),
    )


def _width(radius_deg: float, elevation: Any) -> Any:
    """Half of the azimuths of a circle on the sky, degrees: near the zenith a small circle is a large one in azimuth."""
    import numpy

    cosine = numpy.maximum(numpy.cos(numpy.radians(elevation)), 1e-9)
    sine = numpy.clip(math.sin(math.radians(min(radius_deg, 90.0))) / cosine, 0, 1)
    return numpy.degrees(numpy.arcsin(sine))


def highest_at_speed(telescope: Telescope, pattern: Pattern) -> float:
    """The elevation above which the mount is too slow in azimuth for the scan; degrees. A circle of azimuth shrinks
    with the cosine of the elevation.
    """
    if pattern.az_speed_deg_s > telescope.az_speed_max_deg_s:
        return 0.0
    return math.degrees(math.acos(min(1.0, pattern.speed_deg_s / telescope.az_speed_max_deg_s)))


def _field(source: ConstantElevationSource, horizon: Any, sun: Any, telescope: Telescope, pattern: Pattern) -> Sweep:
    import numpy

    shape = numpy.shape(horizon.obstime)
    table = list(source.azimuth_ranges.all()) if source.pk else []
    if table:
        elevation, left, right = _of_table(table, horizon, telescope)
    else:
        usual = source.elevation_deg if pattern.elevation_deg is None else pattern.elevation_deg
        elevation = numpy.full(shape, usual)
        left, right = (numpy.broadcast_to(end, shape) for end in _azimuths(source, horizon, usual, pattern))
    width = _width(pattern.boresight_deg, elevation)
    return Sweep(
        elevation=elevation,
        azimuth=(left + right) / 2 % 360,
        lowest=elevation - pattern.boresight_deg,
        highest=elevation + pattern.boresight_deg,
        azimuth_low=left - width,
        azimuth_high=right + width,
        sun_distance=numpy.maximum(nearest(sun, elevation, left, right) - pattern.footprint_deg, 0),
        crossing=numpy.full(shape, _FAR) if table else _crossing(source, horizon, elevation, telescope),
    )


def nearest(sun: Any, elevation: Any, left: Any, right: Any) -> Any:
    """The least distance of the Sun from an arc of constant elevation, between two azimuths; degrees."""
    import numpy

    middle, half = (left + right) / 2, numpy.minimum((right - left) / 2, 180)
    off = numpy.abs((sun.az.deg - middle + 180) % 360 - 180)
    beside = numpy.radians(numpy.maximum(off - half, 0))
    up, sun_up = numpy.radians(elevation), sun.alt.rad
    cosine = numpy.sin(up) * numpy.sin(sun_up) + numpy.cos(up) * numpy.cos(sun_up) * numpy.cos(beside)
    return numpy.degrees(numpy.arccos(numpy.clip(cosine, -1, 1)))


def _of_table(table: list[Any], horizon: Any, telescope: Telescope) -> tuple[Any, Any, Any]:
    import numpy

    hours = numpy.atleast_1d(sidereal_time_h(horizon.obstime, telescope))
    lines = [next((line for line in table if holds_at(line, float(hour))), None) for hour in hours]
    numbers = [
        (math.nan,) * 3 if line is None else (line.elevation_deg, line.az_min_deg, line.az_max_deg) for line in lines
    ]
    elevation, left, right = numpy.array(numbers).T.reshape((3, *numpy.shape(horizon.obstime)))
    return elevation, left, right


def _azimuths(source: ConstantElevationSource, horizon: Any, elevation: float, pattern: Pattern) -> tuple[Any, Any]:
    """Both ends of the sweep: those of the scan, of the field, or where its northern and southern edges cross."""
    import numpy

    if pattern.azimuths_deg is not None:
        return pattern.azimuths_deg
    if source.az_min_deg is not None and source.az_max_deg is not None:
        return source.az_min_deg, source.az_max_deg
    middle = azimuths_of_crossing(source, horizon, elevation, 0.0)
    half = (source.height_deg or 0.0) / 2
    ends = [azimuths_of_crossing(source, horizon, elevation, offset, clip=True) for offset in (-half, half)]
    apart = [(end - middle + 180) % 360 - 180 for end in ends]
    return middle + numpy.minimum(*apart), middle + numpy.maximum(*apart)


def _crossing(source: ConstantElevationSource, horizon: Any, elevation: Any, telescope: Telescope) -> Any:
    """How far the field is inside of its crossing, degrees of elevation, and of its range of sidereal time."""
    import numpy

    inside = numpy.full(numpy.shape(horizon.obstime), _FAR)
    length = 0.0
    if source.lst_start_h is not None and source.lst_stop_h is not None:
        length = (source.lst_stop_h - source.lst_start_h) % 24  # 0 to 24 h is no limit
    if length:
        hours = sidereal_time_h(horizon.obstime, telescope)
        since = (hours - source.lst_start_h) % 24
        # Before the range begins again, hours since its beginning are of the day before.
        inside = numpy.minimum(
            inside, numpy.minimum(numpy.where(since > (24 + length) / 2, since - 24, since), length - since) * 15
        )
    if source.ra_center_deg is None or source.dec_center_deg is None or source.rising is None:
        return inside
    if not source.width_deg:
        return inside
    half = source.width_deg / 2 / math.cos(math.radians(source.dec_center_deg))
    if half >= 180:
        return inside
    leading, trailing = (
        _passed(icrs((source.ra_center_deg + offset) % 360, source.dec_center_deg), horizon, elevation, source.rising)
        for offset in (-half, half)
    )
    return numpy.minimum.reduce([inside, leading, -trailing])


def _passed(edge: Any, horizon: Any, elevation: Any, rising: bool) -> Any:
    """How far an edge has gone past the elevation on that side of the sky; negative before."""
    import numpy

    seen = edge.transform_to(horizon)
    above = seen.alt.deg - elevation
    is_east = seen.az.deg < 180
    return numpy.where(is_east, above, _FAR) if rising else numpy.where(is_east, -_FAR, -above)


def _in_reach(left: Any, right: Any, telescope: Telescope) -> Any:
    """How far a range of azimuths is inside of the mount's, at the turn that fits best."""
    import numpy

    low, high = telescope.az_min_deg, telescope.az_max_deg
    turns = [numpy.minimum(left + turn - low, high - right - turn) for turn in (-720, -360, 0, 360, 720)]
    # A mount that turns all the way round reaches every position; the ends of its wrap are no limit then.
    anywhere = (right - left) + 360 <= high - low
    return numpy.where(anywhere, _FAR, numpy.maximum.reduce(turns))
