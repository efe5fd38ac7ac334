"""Where a package looked: the place at the middle of its time, and what its module covered.

A fixed source has its coordinates, a body of the solar system those of the ephemeris at the time, a field at constant
elevation what the telescope pointed at. How the focal plane is turned on the sky is left open: a module beside the
boresight may be anywhere on a circle round it, so a footprint is larger by that distance, never smaller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ccatdc.common.errors import ConfigurationError
from observatory.models import InstrumentModule, Telescope
from planning.models import (
    ChaiObservationConfiguration,
    ConstantElevationSource,
    ExecutedObsUnit,
    FixedSource,
    ObservationConfiguration,
    PrimeCamObservationConfiguration,
    Source,
)
from planning.models.chai import OffsetFrame
from planning.models.scan_parameters import ScanType
from planning.scheduling.patterns import Field, Footprint, pattern_of
from planning.sky.places import Place
from planning.sky.regions import Circle, Polygon, Region, offset, rectangle

_ARCSEC_PER_DEG: Final = 3600.0
#: Places along each side of a swept field; an arc of constant elevation is no great circle.
_STEPS: Final = 5


@dataclass(frozen=True, slots=True)
class Covered:
    """The place, the region and what could not be told; None where nobody knows."""

    place: Place | None = None
    region: Region | None = None
    problem: str = ""

    @property
    def s_fov_deg(self) -> float | None:
        """The diameter of the circle round the place that holds all of it."""
        if self.region is None or self.place is None:
            return None
        return min(360.0, 2 * self.region.reach_deg(self.place))


@dataclass(frozen=True, slots=True)
class Moments:
    """From when to when, UTC."""

    start: datetime
    end: datetime

    @property
    def middle(self) -> datetime:
        """Half way."""
        return self.start + (self.end - self.start) / 2

    def steps(self, number: int) -> list[datetime]:
        """So many, both ends included."""
        return [self.start + (self.end - self.start) * each / (number - 1) for each in range(number)]


def covered_by(execution: ExecutedObsUnit, module: InstrumentModule) -> Covered:
    """What the module saw of the sky."""
    unit = execution.obs_unit
    when = Moments(execution.start_time, execution.end_time or execution.start_time + timedelta(seconds=1))
    configuration = _configuration(execution)
    pad = _pad(module, configuration)
    source = unit.source.get_real_instance() if unit.source is not None else None
    try:
        if isinstance(source, ConstantElevationSource):
            return _swept(execution, source, when, pad, configuration)
        place = _place(execution, source, when.middle)
    except ConfigurationError as error:
        return Covered(problem=f"{error.message} [{error.code}]")
    if place is None:
        return Covered(problem="Nobody said where the telescope pointed.")
    return Covered(place, _round(place, configuration, pad))


def _configuration(execution: ExecutedObsUnit) -> Any:
    """With which it was observed, else that of the plan, as its own kind."""
    if execution.observation_configuration_id is not None:
        return ObservationConfiguration.objects.get(pk=execution.observation_configuration_id)
    return ObservationConfiguration.objects.filter(obs_unit=execution.obs_unit_id).first()


def _pad(module: InstrumentModule, configuration: Any) -> float:
    """From what points at the source to the module's outermost detector, degrees; at least half a beam."""
    beam = (module.beam_fwhm_arcsec or 0.0) / 2 / _ARCSEC_PER_DEG
    field = Field.of(module.offset_x_arcmin, module.offset_y_arcmin, module.field_radius_arcmin)
    if not isinstance(configuration, PrimeCamObservationConfiguration):
        return max(field.radius_deg, beam)
    named = InstrumentModule.objects.filter(instrument=module.instrument_id).exclude(focal_plane_slot="")
    places = tuple(
        (each.focal_plane_slot, Field.of(each.offset_x_arcmin, each.offset_y_arcmin, each.field_radius_arcmin))
        for each in named
    )
    x, y = Footprint((field,), places).pointing(configuration.scan_params)
    return math.hypot(field.x_deg - x, field.y_deg - y) + max(field.radius_deg, beam)


def _place(execution: ExecutedObsUnit, source: Source | None, when: datetime) -> Place | None:
    """Where it pointed; None where nobody said it. Raises ConfigurationError for a body without an ephemeris."""
    unit = execution.obs_unit
    if source is not None:
        if isinstance(source, FixedSource) and source.pm_ra_mas_yr is None:
            return Place(source.ra_deg, source.dec_deg)
        return _direction(source.position(when, unit.telescope))
    for azimuth, elevation in (
        (execution.azimuth_deg_mean, execution.elevation_deg_mean),
        (unit.target_azimuth_deg, unit.target_elevation_deg),
    ):
        if azimuth is not None and elevation is not None:
            return _pointed([azimuth], [elevation], [when], unit.telescope)[0]
    return None


def _direction(seen: Any) -> Place:
    """ICRS of a direction: a body's distance would make it the direction from the Sun."""
    from astropy.coordinates import SkyCoord, UnitSphericalRepresentation

    far = SkyCoord(seen.frame.realize_frame(seen.represent_as(UnitSphericalRepresentation))).icrs
    return Place(float(far.ra.deg), float(far.dec.deg))


def _pointed(
    azimuths: Sequence[float], elevations: Sequence[float], times: Sequence[datetime], telescope: Telescope
) -> list[Place]:
    """Places of pairs of azimuth and elevation, each at its own time."""
    from planning.sky.ephemerides import horizontal_at

    horizon = horizontal_at(list(times), telescope)
    from astropy import units
    from astropy.coordinates import SkyCoord

    seen = SkyCoord(az=list(azimuths) * units.deg, alt=list(elevations) * units.deg, frame=horizon).icrs
    return [Place(float(ra), float(dec)) for ra, dec in zip(seen.ra.deg, seen.dec.deg, strict=True)]


def _round(place: Place, configuration: Any, pad: float) -> Region | None:
    """What a scan round a place covers; None for a point that nobody knows the size of."""
    if isinstance(configuration, ChaiObservationConfiguration):
        return _chai_map(place, configuration, pad)
    if isinstance(configuration, PrimeCamObservationConfiguration):
        told = configuration.scan_params
        if configuration.scan_type == ScanType.PONG:
            width, height = (told.get(name, 0.0) + 2 * pad for name in ("width_deg", "height_deg"))
            return _box(place, width, height, told.get("angle_deg", 0.0))
        if configuration.scan_type == ScanType.TRACK:
            place = offset(place, told.get("x_offset_deg", 0.0), told.get("y_offset_deg", 0.0))
            return _circle(place, pad)
    return _circle(place, pattern_of(configuration).radius_deg + pad)


def _chai_map(place: Place, told: ChaiObservationConfiguration, pad: float) -> Region | None:
    """The rectangle of the map. Where an offset is in a frame that turns, or no true angle, a circle that holds it."""
    tile = told.tiling
    offsets = []
    if told.map_offset_x_arcsec is not None and told.map_offset_y_arcsec is not None:
        straight = told.map_offset_frame == OffsetFrame.ICRS and bool(told.map_offset_true_angle)
        offsets.append((told.map_offset_x_arcsec, told.map_offset_y_arcsec, straight))
    width, height, angle = told.map_width_arcsec, told.map_height_arcsec, told.map_angle_deg or 0.0
    if tile is not None:
        straight = tile.center_frame == OffsetFrame.ICRS and tile.center_true_angle
        offsets.append((tile.center_x_arcsec, tile.center_y_arcsec, straight))
        width, height = width or tile.width_arcsec, height or tile.height_arcsec
        angle = angle or tile.angle_deg
    wide, high = ((side or 0.0) / _ARCSEC_PER_DEG + 2 * pad for side in (width, height))
    if all(straight for _, _, straight in offsets):
        east, north = (sum(each[axis] for each in offsets) / _ARCSEC_PER_DEG for axis in (0, 1))
        return _box(offset(place, east, north), wide, high, angle)
    away = sum(math.hypot(x, y) for x, y, _ in offsets) / _ARCSEC_PER_DEG
    return _circle(place, away + math.hypot(wide, high) / 2)


def _box(place: Place, width: float, height: float, angle: float) -> Region | None:
    if width <= 0 or height <= 0:
        return None
    if max(width, height) >= 90:
        return _circle(place, math.hypot(width, height) / 2)
    return rectangle(place, width, height, angle)


def _circle(place: Place, radius: float) -> Region | None:
    return Circle(place, min(radius, 180.0)) if radius > 0 else None


def _swept(
    execution: ExecutedObsUnit, source: ConstantElevationSource, when: Moments, pad: float, configuration: Any
) -> Covered:
    """Of a field at constant elevation: the sky that passed between both azimuths from the start to the end."""
    telescope = execution.obs_unit.telescope
    times = when.steps(_STEPS)
    elevations, lefts, rights = _arcs(execution, source, times, telescope, configuration)
    if any(map(math.isnan, [*elevations, *lefts, *rights])):
        return _centre(source, "The field is not scanned at the sidereal time of the observation.")
    middle = len(times) // 2
    azimuth = (lefts[middle] + rights[middle]) / 2
    (place,) = _pointed([azimuth], [elevations[middle]], [when.middle], telescope)
    # Once round: along the sweep at the start, up in time on the right, back along it at the end, and down on the left.
    ahead = [(lefts[0] + (rights[0] - lefts[0]) * n / _STEPS, elevations[0], times[0]) for n in range(_STEPS)]
    up = [(rights[n], elevations[n], times[n]) for n in range(_STEPS)]
    back = [(rights[-1] - (rights[-1] - lefts[-1]) * n / _STEPS, elevations[-1], times[-1]) for n in range(1, _STEPS)]
    down = [(lefts[n], elevations[n], times[n]) for n in range(_STEPS - 1, 0, -1)]
    edge = [*ahead, *up, *back, *down]
    if rights[0] - lefts[0] >= 180 or (rights[0] - lefts[0] <= 0 and when.end <= when.start):
        return Covered(place, _circle(place, max((rights[0] - lefts[0]) / 2, pad)))
    azimuths, heights, moments = zip(*edge, strict=True)
    places = _pointed(azimuths, heights, moments, telescope)
    return Covered(place, Polygon(tuple(_outwards(each, place, pad) for each in places)))


def _outwards(edge: Place, middle: Place, pad: float) -> Place:
    """The edge, farther out by the radius of the field."""
    from planning.sky.regions import at_angle

    return at_angle(edge, pad, _position_angle(edge, middle) + math.pi) if pad else edge


def _position_angle(here: Place, there: Place) -> float:
    across = math.radians(there.ra_deg - here.ra_deg)
    low, high = math.radians(here.dec_deg), math.radians(there.dec_deg)
    return math.atan2(
        math.sin(across) * math.cos(high),
        math.cos(low) * math.sin(high) - math.sin(low) * math.cos(high) * math.cos(across),
    )


def _arcs(
    execution: ExecutedObsUnit,
    source: ConstantElevationSource,
    times: Sequence[datetime],
    telescope: Telescope,
    configuration: Any,
) -> tuple[list[float], list[float], list[float]]:
    """Elevation and both azimuths at each time: as the telescope moved, else as the scan and the field say."""
    left, right = execution.az_min_deg, execution.az_max_deg
    elevation = execution.elevation_deg_mean
    if left is not None and right is not None:
        height = elevation if elevation is not None else source.elevation_deg
        return [height] * len(times), [left] * len(times), [right] * len(times)
    from planning.sky.ephemerides import horizontal_at, sun_at
    from planning.sky.sweeps import sweep

    horizon = horizontal_at(list(times), telescope)
    sun = sun_at(list(times), telescope).transform_to(horizon)
    swept = sweep(source, horizon, sun, telescope, pattern_of(configuration))
    return tuple(
        [float(each) for each in values] for values in (swept.elevation, swept.azimuth_low, swept.azimuth_high)
    )  # type: ignore[return-value]


def _centre(source: ConstantElevationSource, problem: str) -> Covered:
    """The middle of the field, where it has one."""
    if source.ra_center_deg is None or source.dec_center_deg is None:
        return Covered(problem=problem)
    place = Place(source.ra_center_deg, source.dec_center_deg)
    return Covered(place, _box(place, source.width_deg or 0.0, source.height_deg or 0.0, 0.0), problem)
