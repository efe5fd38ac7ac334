"""Scans are judged over all that they sweep: against the mount's own equations (tests/planning/sky/mount.py)."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy
import pytest

from planning.models import ChaiTiling, ConstantElevationSource, FixedSource
from planning.models.configurations import ChaiObservationConfiguration, PrimeCamObservationConfiguration
from planning.scheduling.patterns import Field, Footprint, pattern_of, patterns_of
from planning.sky.sweeps import Pattern
from planning.sky.visibility import Visibility, visibility
from tests.factories.observatory import InstrumentModuleFactory, PrimeCamModuleConfigurationFactory, TelescopeFactory
from tests.factories.planning import (
    ChaiObservationConfigurationFactory,
    ChaiTilingFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PrimeCamObservationConfigurationFactory,
)
from tests.planning.sky import mount

FYST = TelescopeFactory.build(observatory=None, az_min_deg=-180, az_max_deg=360)
#: Between two looks of the second computation.
LOOK = timedelta(seconds=20)
NEAR = timedelta(seconds=60)
NONE_FROM_SUN = mount.Limits(from_sun=0)


def days(count: int, chance: random.Random) -> list[date]:
    return [date(2026, 1, 1) + timedelta(days=chance.randrange(365)) for _ in range(count)]


def agree(seen: Visibility, free: Any, looks: list[datetime]) -> None:
    """Wherever both disagree an edge of the second computation is within a minute."""
    ours = numpy.array([any(start <= look <= end for start, end in seen.observable) for look in looks])
    edges = [look for look, before, after in zip(looks[1:], free[:-1], free[1:], strict=True) if before != after]
    for look in numpy.array(looks)[ours != free]:
        assert any(abs(look - edge) <= NEAR for edge in [*edges, looks[0], looks[-1]]), (look, seen.observable)


def looks_of(seen: Visibility) -> list[datetime]:
    return [seen.times[0] + LOOK * n for n in range(1 + (seen.times[-1] - seen.times[0]) // LOOK)]


@pytest.mark.parametrize("number", range(25))
def test_a_field_is_there_while_it_crosses_its_elevation_and_its_sweep_is_free(number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - the same fields every time
    ra, dec = chance.uniform(0, 360), chance.uniform(-60, 10)
    elevation, rising = chance.uniform(25, 85 - abs(dec - mount.LATITUDE)), chance.random() < 0.5
    size = (chance.uniform(2, 40), chance.uniform(1, 12))
    field = ConstantElevationSource(
        name="field",
        elevation_deg=elevation,
        rising=rising,
        ra_center_deg=ra,
        dec_center_deg=dec,
        width_deg=size[0],
        height_deg=size[1],
    )
    for evening in days(1, chance):
        seen = visibility(field, FYST, evening)
        looks = looks_of(seen)
        agree(seen, mount.field_is_free((ra, dec), size, (elevation, rising), looks, mount.Limits()), looks)


@pytest.mark.parametrize("number", range(20))
def test_a_pattern_round_a_source_is_inside_the_limits_as_a_whole(number: int) -> None:
    chance = random.Random(number)  # noqa: S311
    ra, dec, radius = chance.uniform(0, 360), chance.uniform(-80, 40), chance.uniform(0, 5)
    source = FixedSource(name="source", ra_deg=ra, dec_deg=dec)
    for evening in days(1, chance):
        seen = visibility(source, FYST, evening, pattern=Pattern(radius_deg=radius))
        looks = looks_of(seen)
        agree(seen, mount.source_is_free(ra, dec, radius, looks, mount.Limits()), looks)


@pytest.mark.parametrize(
    ("elevation", "left", "right"), [(45, 110, 250), (60, 110, 250), (45, -60, 60), (30, 200, 330), (75, 0, 90)]
)
def test_a_sweep_between_two_azimuths_is_free_of_the_sun(elevation: float, left: float, right: float) -> None:
    field = ConstantElevationSource(name="x", elevation_deg=elevation, az_min_deg=left, az_max_deg=right)
    for evening in days(1, random.Random(left)):  # noqa: S311
        seen = visibility(field, FYST, evening)
        looks = looks_of(seen)
        agree(seen, mount.sweep_is_free(elevation, left, right, looks, mount.Limits()), looks)


def test_no_sample_that_is_called_observable_sweeps_near_the_sun() -> None:
    """WFS-South at 45 degrees on the day of the December solstice: judged by its middle, the sweep came within 6.5
    degrees of the Sun.
    """
    field = ConstantElevationSource(name="WFS-South el45", elevation_deg=45, az_min_deg=110, az_max_deg=250)

    seen = visibility(field, FYST, date(2026, 12, 21))

    assert min(angle or 0 for angle in seen.sun_distance_deg) < 10
    for moment, angle in zip(seen.times, seen.sun_distance_deg, strict=True):
        is_observable = any(start <= moment <= end for start, end in seen.observable)
        assert angle is not None
        assert is_observable == (angle >= 45), moment
    assert seen.sun_warning
    for start, end in seen.sun_warning:
        assert any(first <= start and end <= last for first, last in seen.observable)


@pytest.mark.parametrize(("rising", "start", "length_h"), [(True, "20:54", 3.2), (False, "02:47", 3.13)])
def test_deep_field_has_the_windows_of_the_planner(rising: bool, start: str, length_h: float) -> None:
    """As fyst-trajectories 0.4.0 plans "Deep56-like" at 50 degrees in one night."""
    field = ConstantElevationSource(
        name="x", elevation_deg=50, rising=rising, ra_center_deg=24, dec_center_deg=-32, width_deg=40, height_deg=10
    )
    # The night is not given there: sidereal time tells it, 2026-12-01. The Sun is left out.
    lengths = []
    for evening in (date(2026, 11, 28) + timedelta(days=n) for n in range(7)):
        for first, last in visibility(field, FYST, evening, min_sun_distance_deg=0).observable:
            if f"{first:%H:%M}" == start:
                lengths.append((last - first) / timedelta(hours=1))
    assert lengths == [pytest.approx(length_h, abs=0.1)]


def test_the_footprint_comes_nearer_to_the_sun_than_the_boresight() -> None:
    field = ConstantElevationSource(name="x", elevation_deg=45, az_min_deg=110, az_max_deg=250)
    day = date(2026, 12, 21)

    without, with_it = (visibility(field, FYST, day, pattern=Pattern(footprint_deg=deg)) for deg in (0, 1.5))

    for before, after in zip(without.sun_distance_deg, with_it.sun_distance_deg, strict=True):
        assert before is not None
        assert after == pytest.approx(max(before - 1.5, 0))
    assert length(with_it) < length(without)


class TestFootprint:
    """Two modules of Prime-Cam, each a circle of half a degree: 1.8 degrees below the boresight, and on it."""

    FOOTPRINT = Footprint((Field(0, -1.78, 0.55), Field(0, 0, 0.55)), (("i1", Field(0, -1.78, 0.55)), ("c", Field())))

    @pytest.mark.parametrize(
        ("told", "reach", "boresight"),
        [
            ({}, 2.33, 0),
            ({"pointing_module": "c"}, 2.33, 0),
            ({"pointing_module": "i1"}, 2.33, 1.78),
            ({"footprint": "i1"}, 2.33, 1.78),
            ({"detector_offset_x_deg": 1.0, "detector_offset_y_deg": -1.0}, 0.55 + 2**0.5, 2**0.5),
            ({"pointing_module": "i5"}, 2.33, 0),  # no module stands there
        ],
    )
    def test_what_points_at_the_source_moves_the_boresight(
        self, told: dict[str, Any], reach: float, boresight: float
    ) -> None:
        configuration = PrimeCamObservationConfiguration(scan_type="track", velocity_deg_s=0.5, scan_params=told)

        pattern = pattern_of(configuration, self.FOOTPRINT)

        assert (pattern.footprint_deg, pattern.boresight_deg) == pytest.approx((reach, boresight))

    def test_the_boresight_counts_where_no_detector_is_farther(self) -> None:
        only = Footprint((Field(0, -1.78, 0.55),), (("i1", Field(0, -1.78, 0.55)),))
        configuration = PrimeCamObservationConfiguration(scan_type="track", scan_params={"pointing_module": "i1"})
        assert pattern_of(configuration, only).footprint_deg == pytest.approx(1.78)

    @pytest.mark.parametrize("number", range(8))
    def test_no_detector_comes_nearer_to_the_sun_than_is_said_whatever_the_rotation(self, number: int) -> None:
        """Every edge of both modules at every rotation, and points of the sweep, against the mount's equations."""
        chance = random.Random(number)  # noqa: S311
        elevation, left = chance.uniform(25, 70), chance.uniform(-90, 200)
        field = ConstantElevationSource(name="x", elevation_deg=elevation, az_min_deg=left, az_max_deg=left + 60)
        configuration = PrimeCamObservationConfiguration(
            scan_type="constant_el", elevation_deg=elevation, velocity_deg_s=1, scan_params={}
        )
        seen = visibility(field, FYST, days(1, chance)[0], pattern=pattern_of(configuration, self.FOOTPRINT))
        moments = seen.times[::24]
        numbers = mount.days_since(moments)
        sun_az, sun_up = mount.horizontal(*mount.sun(numbers), numbers)
        nearest = numpy.full(len(moments), 180.0)
        for reach in (0.55, 1.78 - 0.55, 1.78 + 0.55):
            for direction in numpy.linspace(0, 360, 73):
                for az in numpy.linspace(left, left + 60, 61):
                    place = mount.beside(az, elevation, reach, direction)
                    nearest = numpy.minimum(nearest, mount.apart(*place, sun_az, sun_up))

        for said, found in zip(seen.sun_distance_deg[::24], nearest, strict=True):
            assert said is not None
            assert said <= found + 0.02  # the Sun of the second computation is good to that
            assert said == pytest.approx(found, abs=0.1)

    def test_the_limits_of_the_mount_hold_for_the_boresight(self) -> None:
        """A module 1.78 degrees beside it at the source: the mount may be that much higher or lower."""
        source = FixedSource(name="x", ra_deg=83.8, dec_deg=-5.4)
        day = date(2026, 12, 1)
        configuration = PrimeCamObservationConfiguration(scan_type="track", scan_params={"pointing_module": "i1"})
        pattern = pattern_of(configuration, self.FOOTPRINT)

        ((start, end),) = visibility(source, FYST, day, pattern=pattern, min_sun_distance_deg=0).observable
        ((first, last),) = visibility(
            source, FYST, day, min_elevation_deg=FYST.el_min_deg + 1.78, min_sun_distance_deg=0
        ).observable

        assert abs(start - first) < timedelta(seconds=1)
        assert abs(end - last) < timedelta(seconds=1)

    def test_a_scan_at_one_elevation_near_a_limit_is_beyond_it(self) -> None:
        field = ConstantElevationSource(name="x", elevation_deg=21, az_min_deg=110, az_max_deg=250)
        configuration = PrimeCamObservationConfiguration(
            scan_type="constant_el", elevation_deg=21, velocity_deg_s=1, scan_params={"pointing_module": "i1"}
        )
        with_it = pattern_of(configuration, self.FOOTPRINT)
        assert visibility(field, FYST, date(2026, 6, 1), pattern=with_it, min_sun_distance_deg=0).observable == []
        assert visibility(field, FYST, date(2026, 6, 1), min_sun_distance_deg=0).observable != []


@pytest.mark.django_db
class TestModules:
    """Which modules take data: those of the unit's module configurations, else those of its mode's instrument."""

    def test_the_modules_of_the_unit(self) -> None:
        used = self.module("i1", 0, -106.8, 33)
        self.module("i2", 92.5, -53.4, 60)
        unit = ObsUnitFactory.create()
        assert patterns_of([unit])[unit.pk] == Pattern()
        unit.instrument_module_configurations.add(PrimeCamModuleConfigurationFactory.create(instrument_module=used))
        assert patterns_of([unit])[unit.pk].footprint_deg == pytest.approx((106.8 + 33) / 60)

    def test_else_all_of_the_instrument_that_are_available(self) -> None:
        away = self.module("i1", 0, -106.8, 33)
        self.module("c", 0, 0, 33)
        unit = ObsUnitFactory.create(obs_mode=ObsModeFactory.create(name="pong", instrument=away.instrument))
        assert patterns_of([unit])[unit.pk].footprint_deg == pytest.approx((106.8 + 33) / 60)
        away.available = False
        away.save()
        assert patterns_of([unit])[unit.pk].footprint_deg == pytest.approx(33 / 60)

    def test_a_place_is_one_of_the_instrument(self) -> None:
        used = self.module("c", 0, 0, 33)
        self.module("i1", 0, -106.8, 33)
        unit = ObsUnitFactory.create()
        unit.instrument_module_configurations.add(PrimeCamModuleConfigurationFactory.create(instrument_module=used))
        PrimeCamObservationConfigurationFactory.create(
            obs_unit=unit, scan_params={"radius_deg": 0.5, "pointing_module": "i1"}
        )
        pattern = patterns_of([unit])[unit.pk]
        assert (pattern.boresight_deg, pattern.footprint_deg) == pytest.approx((1.78, 1.78 + 0.55))

    def test_the_tile_of_a_large_map(self) -> None:
        tile = ChaiTilingFactory.create(center_x_arcsec=3600)
        made = ChaiObservationConfigurationFactory.create(tiling=tile, map_width_arcsec=None, map_height_arcsec=None)
        assert patterns_of([made.obs_unit])[made.obs_unit_id].radius_deg == pytest.approx(1)

    def test_many_units_take_as_many_queries_as_one(self, django_assert_num_queries: Any) -> None:
        mode = ObsModeFactory.create(name="pong", instrument=self.module("c", 0, 0, 33).instrument)
        units = [ObsUnitFactory.create(obs_mode=mode) for _ in range(5)]
        for few in (units[:1], units):
            with django_assert_num_queries(4):
                patterns_of(few)

    def module(self, place: str, x: float, y: float, radius: float) -> Any:
        return InstrumentModuleFactory.create(
            short_name=place, focal_plane_slot=place, offset_x_arcmin=x, offset_y_arcmin=y, field_radius_arcmin=radius
        )


def length(seen: Visibility) -> timedelta:
    return sum((end - start for start, end in seen.observable), timedelta())


class TestMount:
    def test_a_sweep_that_no_turn_of_the_mount_reaches_is_not_observable(self) -> None:
        field = ConstantElevationSource(name="x", elevation_deg=45, az_min_deg=170, az_max_deg=200)
        half = TelescopeFactory.build(observatory=None, az_min_deg=-90, az_max_deg=180)
        whole = TelescopeFactory.build(observatory=None, az_min_deg=-190, az_max_deg=-150)

        assert length(visibility(field, half, date(2026, 6, 1), min_sun_distance_deg=0)) == timedelta()
        # -190 to -150 degrees are 170 to 210.
        assert length(visibility(field, whole, date(2026, 6, 1), min_sun_distance_deg=0)) == timedelta(days=1)

    def test_a_source_passes_through_the_azimuths_of_a_mount_that_does_not_turn_round(self) -> None:
        source = FixedSource(name="x", ra_deg=83.8, dec_deg=-5.4)
        east = TelescopeFactory.build(observatory=None, az_min_deg=10, az_max_deg=170)

        (((start, end)),) = visibility(source, east, date(2026, 12, 1), min_sun_distance_deg=0).observable

        (((first, last)),) = visibility(source, FYST, date(2026, 12, 1), min_sun_distance_deg=0).observable
        assert start == first
        assert end < last - timedelta(hours=3)

    def test_near_the_zenith_the_mount_is_too_slow_for_a_fast_scan(self) -> None:
        overhead = FixedSource(name="x", ra_deg=84, dec_deg=FYST.lat_deg)
        slow = TelescopeFactory.build(observatory=None, az_speed_max_deg_s=1)

        seen = visibility(overhead, slow, date(2026, 12, 1), pattern=Pattern(speed_deg_s=0.5))

        assert seen.max_elevation_deg == pytest.approx(60)
        assert len(seen.observable) == 2

    def test_a_sweep_faster_than_the_mount_is_never_observable(self) -> None:
        field = ConstantElevationSource(name="x", elevation_deg=45, az_min_deg=110, az_max_deg=250)
        pattern = Pattern(azimuths_deg=(110, 250), elevation_deg=45, az_speed_deg_s=4)

        assert visibility(field, FYST, date(2026, 6, 1), pattern=pattern).observable == []


@pytest.mark.parametrize(("start", "stop", "hours"), [(20.0, 2.0, 6.0), (2.0, 20.0, 18.0), (0.0, 24.0, 24.0)])
def test_a_field_is_scanned_in_its_range_of_sidereal_time(start: float, stop: float, hours: float) -> None:
    field = ConstantElevationSource(
        name="x", elevation_deg=45, az_min_deg=110, az_max_deg=250, lst_start_h=start, lst_stop_h=stop
    )
    found = length(visibility(field, FYST, date(2026, 6, 1), min_sun_distance_deg=0))
    # A sidereal hour is 9.83 s shorter; a day may have a part of the range twice.
    assert found / timedelta(hours=1) == pytest.approx(hours, abs=0.1)


class TestPatterns:
    @pytest.mark.parametrize(
        ("scan_type", "params", "expected"),
        [
            ("pong", {"width_deg": 3.0, "height_deg": 4.0, "spacing_deg": 0.1}, Pattern(2.5, speed_deg_s=0.5)),
            ("daisy", {"radius_deg": 0.5}, Pattern(0.5, speed_deg_s=0.5)),
            (
                "constant_el",
                {"az_min_deg": 110.0, "az_max_deg": 250.0, "az_padding_deg": 2.0},
                Pattern(azimuths_deg=(108.0, 252.0), elevation_deg=45, az_speed_deg_s=0.5),
            ),
            ("constant_el", {}, Pattern(elevation_deg=45, az_speed_deg_s=0.5)),
            ("source_ces", {"az_throw_deg": 3.0}, Pattern(1.5, az_speed_deg_s=0.5)),
            ("track", {"x_offset_deg": 0.3, "y_offset_deg": 0.4}, Pattern(0.5, speed_deg_s=0.5)),
        ],
    )
    def test_of_prime_cam(self, scan_type: str, params: dict[str, float], expected: Pattern) -> None:
        elevation = 45 if scan_type == "constant_el" else None
        configuration = PrimeCamObservationConfiguration(
            scan_type=scan_type, velocity_deg_s=0.5, scan_params=params, elevation_deg=elevation
        )

        assert pattern_of(configuration) == expected

    def test_of_chai_it_is_the_diagonal_of_the_map(self) -> None:
        configuration = ChaiObservationConfiguration(map_width_arcsec=1800, map_height_arcsec=2400)

        footprint = Footprint((Field(0, 0.25, 0.25),))
        assert pattern_of(configuration, footprint) == Pattern(3000 / 2 / 3600, footprint_deg=0.5)

    def test_of_chai_a_map_beside_the_source_and_an_off_position_count(self) -> None:
        square = {"map_width_arcsec": 1800, "map_height_arcsec": 2400}
        offset = {"map_offset_x_arcsec": 600, "map_offset_y_arcsec": 800}
        off = {"off_frame": "relative", "off_x": 0, "off_y": -5400}
        tile = ChaiTiling(center_x_arcsec=300, center_y_arcsec=400)
        for fields, of, arcsec in (
            (square | offset, None, 2500),
            (square | offset, tile, 3000),
            (square | off, None, 5400),
            (square | off | {"off_frame": "icrs", "off_x": 83, "off_y": -5}, None, 1500),
        ):
            found = pattern_of(ChaiObservationConfiguration(**fields), tile=of)
            assert found.radius_deg == pytest.approx(arcsec / 3600), fields

    def test_nothing_is_known_without_a_configuration(self) -> None:
        assert pattern_of(None) == Pattern()


def test_the_second_computation_knows_the_sun_at_the_equinox() -> None:
    """So that an error of both is no agreement: 2026-03-20 14:46 UTC."""
    _, declination = mount.sun(mount.days_since([datetime(2026, 3, 20, 14, 46, tzinfo=UTC)]))
    assert abs(float(declination[0])) < 0.01
