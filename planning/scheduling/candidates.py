"""What can be observed now, for the scheduler: obs units that are ready, whose instruments and modules work, and that
stand where the telescope can see them. Read by planning/api/scheduler_views.py; nothing is stored.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from ccatdc.common.errors import ConfigurationError, RequestError
from observatory.models import InstrumentModuleConfiguration, Telescope
from planning.models import FixedSource, ObsUnit, ObsUnitState, PreScheduledSlot, SlotStatus, Source
from planning.sky.ephemerides import astropy_ready, horizontal_at, sun_at
from planning.sky.positions import icrs, sidereal_time_h
from planning.sky.visibility import SUN_DISTANCE_DEG, YEARS, where_seen

if TYPE_CHECKING:
    from astropy.time import Time

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sight:
    """Where the source of a unit stands, degrees, and the slot of the unit that it is in, if it has one."""

    elevation_deg: float
    azimuth_deg: float
    sun_distance_deg: float
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
    """Those that can be observed at that moment, by key: inside their limits of elevation, sidereal time and distance
    from the Sun (the telescope's where they have none), and inside a slot where slots are planned for them.

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
        seen = _sky(telescope, at, {unit.source_id for unit in its})
        lst_h = float(sidereal_time_h(at, telescope))
        for unit in its:
            where = seen.get(unit.source_id)
            if where is not None and _inside(unit, where, lst_h):
                found[unit.pk] = Sight(*where, slots.get(unit.pk))
    return found


def _slots_of(units: Iterable[ObsUnit], at: datetime) -> dict[int, int | None]:
    """For units with planned slots the slot that holds the time, or None."""
    planned = PreScheduledSlot.objects.filter(obs_unit__in=units, status=SlotStatus.PLANNED)
    found: dict[int, int | None] = {}
    for slot in planned:
        if slot.start_time <= at < slot.end_time:
            found[slot.obs_unit_id] = slot.pk
        else:
            found.setdefault(slot.obs_unit_id, None)
    return found


def _sky(telescope: Telescope, at: datetime, source_ids: set[int]) -> dict[int, tuple[float, float, float]]:
    """Elevation, azimuth and distance from the Sun of sources, degrees. Most are fixed and are computed all at once."""
    astropy_ready()
    import numpy
    from astropy.time import Time

    times = Time([at])
    horizon = horizontal_at(times, telescope)
    sun = sun_at(times, telescope).transform_to(horizon)[0]
    sources = list(Source.objects.filter(pk__in=source_ids))
    still = [s for s in sources if isinstance(s, FixedSource) and s.pm_ra_mas_yr is None]
    found: dict[int, tuple[float, float, float]] = {}
    if still:
        ra_deg: Any = numpy.array([source.ra_deg for source in still])
        dec_deg: Any = numpy.array([source.dec_deg for source in still])
        places = icrs(ra_deg, dec_deg)
        seen = places.transform_to(horizontal_at(times[0], telescope))
        numbers = zip(seen.alt.deg, seen.az.deg, seen.separation(sun).deg, strict=True)
        found = {s.pk: _floats(each) for s, each in zip(still, numbers, strict=True)}
    for source in sources:
        if source.pk not in found:
            where = _seen_alone(source, times, telescope)
            if where is not None:
                seen = where.transform_to(horizon)
                one = (seen.alt.deg, seen.az.deg, seen.separation(sun).deg)
                found[source.pk] = _floats(numpy.ravel(number)[0] for number in one)
    return found


def _seen_alone(source: Source, times: Time, telescope: Telescope) -> Any:
    try:
        return where_seen(source, times, telescope)
    except ConfigurationError as error:
        logger.warning("Nothing of %s can be scheduled: %s", source.name, error)
        return None


def _floats(numbers: Iterable[Any]) -> tuple[float, float, float]:
    elevation, azimuth, distance = (float(number) for number in numbers)
    return elevation, azimuth, distance


def _inside(unit: ObsUnit, where: tuple[float, float, float], lst_h: float) -> bool:
    """Not a number (a field that is not scanned now) is inside of nothing."""
    elevation, _, sun_distance = where
    telescope = unit.telescope
    lowest = max(telescope.el_min_deg, _or(unit.min_elevation_deg, telescope.el_min_deg))
    highest = min(telescope.el_max_deg, _or(unit.max_elevation_deg, telescope.el_max_deg))
    away = _or(unit.min_sun_distance_deg, SUN_DISTANCE_DEG)
    return lowest <= elevation <= highest and sun_distance >= away and _in_lst(unit, lst_h)


def _or(limit: float | None, usual: float) -> float:
    return usual if limit is None else limit


def _in_lst(unit: ObsUnit, lst_h: float) -> bool:
    """The range may pass 24 h; without an end it is open there."""
    start, stop = _or(unit.lst_start_h, 0.0), _or(unit.lst_stop_h, 24.0)
    if start <= stop:
        return start <= lst_h <= stop
    return lst_h >= start or lst_h <= stop
