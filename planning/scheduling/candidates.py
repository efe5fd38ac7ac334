"""What can be observed now, for the scheduler: obs units that are ready, whose instruments and modules work, and that
stand where the telescope can see them. Read by planning/api/scheduler_views.py; nothing is stored.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from ccatdc.common.errors import ConfigurationError, RequestError
from observatory.models import InstrumentModuleConfiguration, Telescope
from planning.models import FixedSource, ObsUnit, ObsUnitState, PreScheduledSlot, SlotStatus, Source
from planning.scheduling.patterns import patterns_of
from planning.sky.ephemerides import astropy_ready, horizontal_at, sun_at
from planning.sky.positions import icrs, sidereal_time_h
from planning.sky.sweeps import Pattern, Sweep, around, highest_at_speed, sweep
from planning.sky.visibility import SUN_DISTANCE_DEG, SUN_WARNING_DEG, YEARS

if TYPE_CHECKING:
    from astropy.time import Time

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """Where the target of a unit stands, degrees, and the slot of the unit that it is in, if it has one.

    Of a field at constant elevation it is the middle of the sweep. ``sun_distance_deg`` is of the point of the sweep
    that comes nearest to the Sun; ``sun_warning``: it is within 5 degrees of the limit. All are None for what is done
    wherever the telescope points.
    """

    elevation_deg: float | None = None
    azimuth_deg: float | None = None
    sun_distance_deg: float | None = None
    sun_warning: bool = False
    slot: int | None = None


def available(units: QuerySet[ObsUnit], at: datetime) -> QuerySet[ObsUnit]:
    """Those that are active, of a program that goes on, with an instrument and modules that can be used, in module
    configurations that are in use and valid at that time.
    """
    module_configurations: QuerySet[Any] = InstrumentModuleConfiguration.objects.non_polymorphic()
    useless = module_configurations.filter(obs_units=OuterRef("pk")).filter(
        Q(active=False)
        | Q(valid_from__gt=at)
        | Q(valid_to__lte=at)
        | Q(instrument_module__available=False)
        | Q(instrument_module__instrument__available=False)
    )
    return units.filter(
        Q(sub_observing_program__isnull=True) | Q(sub_observing_program__active=True),
        Q(obs_mode__instrument__isnull=True) | Q(obs_mode__instrument__available=True),
        ~Exists(useless.order_by()),
        state=ObsUnitState.ACTIVE,
        observing_program__active=True,
    )


def in_sight(units: QuerySet[ObsUnit], at: datetime) -> dict[int, Sight]:
    """Those that can be observed at that moment, by key: all that their scan sweeps is inside their limits of elevation
    and distance from the Sun (the telescope's where they have none), their field crosses its elevation, it is the
    sidereal time for them, and they are inside a slot where slots are still to come.

    Raises RequestError for a time beyond the ephemeris. A unit whose source is nowhere is left out and named in the
    log.
    """
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise RequestError(
            f"{at:%Y-%m-%d} is beyond the ephemeris.",
            code="visibility.beyond_ephemeris",
            remedy=f"Ask for a time from {YEARS[0]} to {YEARS[1]}.",
        )
    candidates = list(units.select_related("telescope").order_by("pk"))
    slots = _slots_of(candidates, at)
    by_telescope: dict[Telescope, list[ObsUnit]] = defaultdict(list)
    for unit in candidates:
        if unit.pk not in slots or slots[unit.pk] is not None:
            by_telescope[unit.telescope].append(unit)
    found: dict[int, Sight] = {}
    for telescope, its in by_telescope.items():
        lst_h = float(sidereal_time_h(at, telescope))
        ready = [unit for unit in its if _in_lst(unit, lst_h)]
        patterns = patterns_of(ready)
        for unit, swept in _swept(telescope, at, ready, patterns):
            sight = _sight(unit, swept, patterns[unit.pk], slots.get(unit.pk))
            if sight is not None:
                found[unit.pk] = sight
    return found


def _sight(unit: ObsUnit, swept: Sweep | None, pattern: Pattern, slot: int | None) -> Sight | None:
    """None where it cannot be observed. Not a number (a field that is not scanned now) is inside of nothing."""
    if swept is None:
        return Sight(slot=slot)
    telescope = unit.telescope
    low = max(telescope.el_min_deg, _or(unit.min_elevation_deg, telescope.el_min_deg))
    high = min(
        telescope.el_max_deg, _or(unit.max_elevation_deg, telescope.el_max_deg), highest_at_speed(telescope, pattern)
    )
    away = _or(unit.min_sun_distance_deg, SUN_DISTANCE_DEG)
    if not float(swept.inside(telescope, low=low, high=high, away=away)) >= 0:
        return None
    distance = float(swept.sun_distance)
    is_near = distance < away + SUN_WARNING_DEG
    return Sight(float(swept.elevation), float(swept.azimuth) % 360, distance, is_near, slot)


def _slots_of(units: Iterable[ObsUnit], at: datetime) -> dict[int, int | None]:
    """For units with planned slots that are not over the slot that holds the time, or None."""
    planned = PreScheduledSlot.objects.filter(obs_unit__in=units, status=SlotStatus.PLANNED, end_time__gt=at)
    found: dict[int, int | None] = {}
    for slot in planned:
        if slot.start_time <= at:
            found[slot.obs_unit_id] = slot.pk
        else:
            found.setdefault(slot.obs_unit_id, None)
    return found


def _swept(
    telescope: Telescope, at: datetime, units: list[ObsUnit], patterns: Mapping[int, Pattern]
) -> Iterator[tuple[ObsUnit, Sweep | None]]:
    """What each unit sweeps; None for what needs no target. A unit whose source is nowhere is left out. Most sources are
    fixed and are computed all at once.
    """
    astropy_ready()
    import numpy
    from astropy import units as angles
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    times = Time([at])
    horizon = horizontal_at(times[0], telescope)
    sun = sun_at(times[0], telescope).transform_to(horizon)
    sources = {source.pk: source for source in Source.objects.filter(pk__in={unit.source_id for unit in units})}
    still = [s for s in sources.values() if isinstance(s, FixedSource) and s.pm_ra_mas_yr is None]
    stand: dict[int, tuple[float, float, float]] = {}
    if still:
        ra_deg: Any = numpy.array([source.ra_deg for source in still])
        dec_deg: Any = numpy.array([source.dec_deg for source in still])
        seen = icrs(ra_deg, dec_deg).transform_to(horizon)
        numbers = zip(seen.alt.deg, seen.az.deg, seen.separation(sun).deg, strict=True)
        stand = {s.pk: (float(e), float(a), float(d)) for s, (e, a, d) in zip(still, numbers, strict=True)}
    known: dict[tuple[int, Pattern], Sweep | None] = {}
    for unit in units:
        pattern = patterns[unit.pk]
        if unit.source_id is None:
            if unit.target_elevation_deg is None or unit.target_azimuth_deg is None:
                yield unit, None
                continue
            up, az = unit.target_elevation_deg, unit.target_azimuth_deg
            place = SkyCoord(az=az * angles.deg, alt=up * angles.deg, frame=horizon)
            yield unit, around(up, az, float(place.separation(sun).deg), pattern)
        elif unit.source_id in stand:
            yield unit, around(*stand[unit.source_id], pattern)
        else:
            key = (unit.source_id, pattern)
            if key not in known:
                known[key] = _swept_alone(sources[unit.source_id], times, telescope, pattern)
            alone = known[key]
            if alone is not None:
                yield unit, alone


def _swept_alone(source: Source, times: Time, telescope: Telescope, pattern: Pattern) -> Sweep | None:
    horizon = horizontal_at(times, telescope)
    sun = sun_at(times, telescope).transform_to(horizon)
    try:
        return sweep(source, horizon, sun, telescope, pattern).at(0)
    except ConfigurationError as error:
        logger.warning("Nothing of %s can be scheduled: %s", source.name, error)
        return None


def _or(limit: float | None, usual: float) -> float:
    return usual if limit is None else limit


def _in_lst(unit: ObsUnit, lst_h: float) -> bool:
    """The range may pass 24 h; without an end it is open there."""
    start, stop = _or(unit.lst_start_h, 0.0), _or(unit.lst_stop_h, 24.0)
    if start <= stop:
        return start <= lst_h <= stop
    return lst_h >= start or lst_h <= stop
