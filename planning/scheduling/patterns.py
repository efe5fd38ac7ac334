"""How far the scans of obs units reach: of their configurations, and of the modules that they use."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from observatory.models import InstrumentModule, InstrumentModuleConfiguration
from planning.models import (
    ChaiObservationConfiguration,
    ChaiTiling,
    ObservationConfiguration,
    ObsUnit,
    PrimeCamObservationConfiguration,
)
from planning.models.configurations import CoordinateSystem
from planning.models.scan_parameters import ScanType
from planning.sky.sweeps import Pattern

_ARCSEC_PER_DEG = 3600.0
_ARCMIN_PER_DEG = 60.0


@dataclass(frozen=True, slots=True)
class Field:
    """Where a module's detectors are in the focal plane: a circle, degrees from the boresight. Where nobody said how
    large a module is, it is a point.
    """

    x_deg: float = 0.0
    y_deg: float = 0.0
    radius_deg: float = 0.0

    @classmethod
    def of(cls, x_arcmin: float | None, y_arcmin: float | None, radius_arcmin: float | None) -> Field:
        """From the columns of a module."""
        return cls(*((each or 0.0) / _ARCMIN_PER_DEG for each in (x_arcmin, y_arcmin, radius_arcmin)))


@dataclass(frozen=True, slots=True)
class Footprint:
    """The fields of the modules that take data, and all places of the focal plane that are known by name."""

    fields: tuple[Field, ...] = ()
    places: tuple[tuple[str, Field], ...] = ()

    def pointing(self, told: dict[str, Any]) -> tuple[float, float]:
        """What the parameters of a scan put on the source, degrees from the boresight; the boresight where they say
        nothing, or name a place without a module.
        """
        if "detector_offset_x_deg" in told:
            return told["detector_offset_x_deg"], told["detector_offset_y_deg"]
        place = dict(self.places).get(told.get("pointing_module") or told.get("footprint", ""), Field())
        return place.x_deg, place.y_deg

    def reach(self, x_deg: float = 0.0, y_deg: float = 0.0) -> float:
        """From a place of the focal plane to the outermost edge of any module, or to the boresight."""
        edges = (math.hypot(f.x_deg - x_deg, f.y_deg - y_deg) + f.radius_deg for f in self.fields)
        return max(math.hypot(x_deg, y_deg), *edges) if self.fields else math.hypot(x_deg, y_deg)


UNKNOWN = Footprint()


def patterns_of(units: Sequence[ObsUnit]) -> dict[int, Pattern]:
    """For each unit, by key; a point for one that has no configuration. In a constant number of queries."""
    footprints = _footprints(units)
    configurations = ObservationConfiguration.objects.filter(obs_unit__in=units)
    by_unit = {each.obs_unit_id: each for each in configurations}
    tiles = ChaiTiling.objects.in_bulk({key for each in configurations if (key := _tile_of(each)) is not None})
    return {
        unit.pk: pattern_of(
            configuration := by_unit.get(unit.pk), footprints[unit.pk], tiles.get(_tile_of(configuration))
        )
        for unit in units
    }


def _tile_of(configuration: ObservationConfiguration | None) -> int | None:
    return configuration.tiling_id if isinstance(configuration, ChaiObservationConfiguration) else None


def pattern_of(
    configuration: ObservationConfiguration | None, footprint: Footprint = UNKNOWN, tile: ChaiTiling | None = None
) -> Pattern:
    """How far a scan so configured reaches from the source, degrees; ``tile`` is CHAI's of a large map."""
    if isinstance(configuration, PrimeCamObservationConfiguration):
        pointing = footprint.pointing(configuration.scan_params)
        scan = _of_prime_cam(configuration)
        return replace(scan, footprint_deg=footprint.reach(*pointing), boresight_deg=math.hypot(*pointing))
    radius = _of_chai(configuration, tile) if isinstance(configuration, ChaiObservationConfiguration) else 0.0
    return Pattern(radius_deg=radius, footprint_deg=footprint.reach())


def _of_chai(configuration: ChaiObservationConfiguration, tile: ChaiTiling | None) -> float:
    """To the farthest corner of the map, or to an OFF position that is relative to the source. Offsets that are no true
    angles are shorter on the sky than they are here.
    """
    sides = (configuration.map_width_arcsec or 0.0, configuration.map_height_arcsec or 0.0)
    offset = (configuration.map_offset_x_arcsec or 0.0, configuration.map_offset_y_arcsec or 0.0)
    middle = math.hypot(*offset)
    if tile is not None:
        middle += math.hypot(tile.center_x_arcsec, tile.center_y_arcsec)
    off = 0.0
    if configuration.off_frame == CoordinateSystem.RELATIVE:
        off = math.hypot(configuration.off_x or 0.0, configuration.off_y or 0.0)
    return max(middle + math.hypot(*sides) / 2, off) / _ARCSEC_PER_DEG


def _of_prime_cam(configuration: PrimeCamObservationConfiguration) -> Pattern:
    told = configuration.scan_params
    speed = configuration.velocity_deg_s or 0.0
    if configuration.scan_type == ScanType.CONSTANT_EL:
        padding = told.get("az_padding_deg", 0.0)
        ends = (told.get("az_min_deg"), told.get("az_max_deg"))
        azimuths = None if None in ends else (ends[0] - padding, ends[1] + padding)
        return Pattern(azimuths_deg=azimuths, elevation_deg=configuration.elevation_deg, az_speed_deg_s=speed)
    radius = 0.0
    if configuration.scan_type == ScanType.PONG:
        radius = math.hypot(told.get("width_deg", 0.0), told.get("height_deg", 0.0)) / 2
    elif configuration.scan_type == ScanType.DAISY:
        radius = told.get("radius_deg", 0.0)
    elif configuration.scan_type == ScanType.TRACK:
        radius = math.hypot(told.get("x_offset_deg", 0.0), told.get("y_offset_deg", 0.0))
    elif configuration.scan_type == ScanType.SOURCE_CES:
        # The mount sweeps while the source crosses; on the sky the sweep is at most as long.
        return Pattern(radius_deg=told.get("az_throw_deg", 0.0) / 2, az_speed_deg_s=speed)
    return Pattern(radius_deg=radius, speed_deg_s=speed)


def _footprints(units: Sequence[ObsUnit]) -> dict[int, Footprint]:
    """Of each unit, by key: the modules that it uses, else all that its mode's instrument has and that take data."""
    instruments = dict(
        ObsUnit.objects.filter(pk__in=[unit.pk for unit in units]).values_list("pk", "obs_mode__instrument")
    )
    rows = InstrumentModuleConfiguration.objects.non_polymorphic().filter(obs_units__in=units).order_by()
    used: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for unit, module, instrument in rows.values_list("obs_units", "instrument_module", "instrument_module__instrument"):
        used[unit].add((module, instrument))
    concerned = {each for each in instruments.values() if each is not None}
    concerned |= {instrument for each in used.values() for _, instrument in each}
    modules: dict[int, list[InstrumentModule]] = defaultdict(list)
    for row in InstrumentModule.objects.filter(instrument__in=concerned):
        modules[row.instrument_id].append(row)
    return {unit: _footprint(used[unit], instrument, modules) for unit, instrument in instruments.items()}


def _footprint(
    used: set[tuple[int, int]], instrument: int | None, modules: dict[int, list[InstrumentModule]]
) -> Footprint:
    named = {module for module, _ in used}
    of = {each for _, each in used} or ({instrument} if instrument is not None else set())
    there = [row for each in of for row in modules[each]]
    taking = [row for row in there if (row.pk in named if named else row.available)]
    return Footprint(
        tuple(_field(row) for row in taking),
        tuple((row.focal_plane_slot, _field(row)) for row in there if row.focal_plane_slot),
    )


def _field(module: InstrumentModule) -> Field:
    return Field.of(module.offset_x_arcmin, module.offset_y_arcmin, module.field_radius_arcmin)
