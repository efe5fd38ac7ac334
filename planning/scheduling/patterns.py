"""How far the scans of obs units reach: of their configurations, and of the modules that they use."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from observatory.models import InstrumentModuleConfiguration
from planning.models import (
    ChaiObservationConfiguration,
    ObservationConfiguration,
    ObsUnit,
    PrimeCamObservationConfiguration,
)
from planning.models.scan_parameters import ScanType
from planning.sky.sweeps import Pattern

_ARCSEC_PER_DEG = 3600.0
_ARCMIN_PER_DEG = 60.0


def patterns_of(units: Sequence[ObsUnit]) -> dict[int, Pattern]:
    """For each unit, by key; a point for one that has no configuration. In a constant number of queries."""
    footprints = _footprints(units)
    configurations = ObservationConfiguration.objects.filter(obs_unit__in=units)
    by_unit = {each.obs_unit_id: each for each in configurations}
    return {unit.pk: pattern_of(by_unit.get(unit.pk), footprints.get(unit.pk, 0.0)) for unit in units}


def pattern_of(configuration: ObservationConfiguration | None, footprint_deg: float = 0.0) -> Pattern:
    """How far a scan so configured reaches from the source, degrees."""
    if isinstance(configuration, PrimeCamObservationConfiguration):
        return _of_prime_cam(configuration, footprint_deg)
    radius = 0.0
    if isinstance(configuration, ChaiObservationConfiguration):
        sides = (configuration.map_width_arcsec or 0.0, configuration.map_height_arcsec or 0.0)
        radius = math.hypot(*sides) / 2 / _ARCSEC_PER_DEG
    return Pattern(radius_deg=radius, footprint_deg=footprint_deg)


def _of_prime_cam(configuration: PrimeCamObservationConfiguration, footprint_deg: float) -> Pattern:
    told = configuration.scan_params
    speed = configuration.velocity_deg_s or 0.0
    if configuration.scan_type == ScanType.CONSTANT_EL:
        padding = told.get("az_padding_deg", 0.0)
        ends = (told.get("az_min_deg"), told.get("az_max_deg"))
        azimuths = None if None in ends else (ends[0] - padding, ends[1] + padding)
        return Pattern(
            footprint_deg=footprint_deg,
            azimuths_deg=azimuths,
            elevation_deg=configuration.elevation_deg,
            az_speed_deg_s=speed,
        )
    radius = 0.0
    if configuration.scan_type == ScanType.PONG:
        radius = math.hypot(told.get("width_deg", 0.0), told.get("height_deg", 0.0)) / 2
    elif configuration.scan_type == ScanType.DAISY:
        radius = told.get("radius_deg", 0.0)
    elif configuration.scan_type == ScanType.TRACK:
        radius = math.hypot(told.get("x_offset_deg", 0.0), told.get("y_offset_deg", 0.0))
    elif configuration.scan_type == ScanType.SOURCE_CES:
        # The mount sweeps while the source crosses; on the sky the sweep is at most as long.
        radius = told.get("az_throw_deg", 0.0) / 2
        return Pattern(radius_deg=radius, footprint_deg=footprint_deg, az_speed_deg_s=speed)
    return Pattern(radius_deg=radius, footprint_deg=footprint_deg, speed_deg_s=speed)


def _footprints(units: Sequence[ObsUnit]) -> dict[int, float]:
    """How far the outermost module that a unit uses is from the boresight, degrees, where that is known."""
    rows = InstrumentModuleConfiguration.objects.non_polymorphic().filter(obs_units__in=units).order_by()
    found: dict[int, float] = defaultdict(float)
    columns = ("obs_units", "instrument_module__offset_x_arcmin", "instrument_module__offset_y_arcmin")
    for unit, x, y in rows.values_list(*columns):
        found[unit] = max(found[unit], math.hypot(x or 0.0, y or 0.0) / _ARCMIN_PER_DEG)
    return found
