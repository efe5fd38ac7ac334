"""Positions agree with another program's, from another ephemeris, to an arcsecond; nothing is downloaded."""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from ccatdc.common.errors import ConfigurationError
from planning.models import ConstantElevationAzimuthRange, ConstantElevationSource, FixedSource, SolarSystemObject
from planning.sky.ephemerides import BODIES, astropy_ready
from planning.sky.positions import sidereal_time_h
from tests.factories.observatory import TelescopeFactory
from tests.factories.planning import ConstantElevationAzimuthRangeFactory, ConstantElevationSourceFactory

FYST = TelescopeFactory.build(observatory=None)
FIXED = {
    "IRC10216": (146.98919, 13.27877),
    "Orion-KL": (83.809, -5.37264),
    "SgrA*": (266.41683, -29.00781),
    "30 Dor": (84.67667, -69.10083),
    "N66": (14.78833, -72.17611),
    "3C279": (194.04653, -5.78931),
    "E-COSMOS": (150.11917, 2.20583),
}
SOLAR_SYSTEM = ("sun", "moon", "mercury", "venus", "mars", "jupiter", "saturn", "uranus", "neptune")
#: 10.4 arcseconds a year, faster than any other star.
BARNARD = {"ra_deg": 269.45207, "dec_deg": 4.69339, "pm_ra_mas_yr": -801.55, "pm_dec_mas_yr": 10362.39}
#: Azimuth and elevation (degrees, no refraction) seen from FYST, computed with Skyfield 1.55 and the ephemeris DE440 with
#: the same Earth rotation (finals2000A of 2026-11-02, with polar motion). Another program, another ephemeris; how to make
#: the table again stands in docs/decisions/006-ephemeris.md.
with (Path(__file__).parent / "skyfield.csv").open() as file:
    SKYFIELD = [
        (row["when"], row["name"], float(row["azimuth_deg"]), float(row["elevation_deg"]))
        for row in csv.DictReader(file)
    ]
#: The same program's answer to when, and at which azimuth, a place is at an elevation.
#: (right ascension, declination, elevation, rising, when, azimuth)
CROSSINGS = [
    (24, -32, 50, True, "2026-11-20T23:11:14.250042Z", 112.740181),
    (24, -32, 50, False, "2026-11-21T05:04:24.217665Z", 247.259688),
    (24, -32, 50, True, "2027-05-01T12:34:15.529601Z", 112.736095),
    (24, -32, 50, False, "2027-05-01T18:27:25.531503Z", 247.263821),
    (150, 10, 40, True, "2027-05-01T21:20:04.723594Z", 53.207535),
    (150, 10, 40, False, "2027-05-02T02:27:19.591698Z", 306.792487),
]


def arcseconds_between(az_a: float, alt_a: float, az_b: float, alt_b: float) -> float:
    across = math.sin(math.radians(az_a - az_b) / 2) ** 2
    along = math.sin(math.radians(alt_a - alt_b) / 2) ** 2
    inside = along + math.cos(math.radians(alt_a)) * math.cos(math.radians(alt_b)) * across
    return math.degrees(2 * math.asin(math.sqrt(inside))) * 3600


def source_of(name: str) -> FixedSource | SolarSystemObject:
    if name in FIXED:
        return FixedSource(name=name, ra_deg=FIXED[name][0], dec_deg=FIXED[name][1])
    if name == "Barnard's star":
        return FixedSource(name=name, **BARNARD)
    return SolarSystemObject(name=name, ephemeris_name=name)


def horizontal(position: Any, when: datetime) -> tuple[float, float]:
    from planning.sky.ephemerides import horizontal_at

    seen = position.transform_to(horizontal_at(when, FYST))
    return float(seen.az.deg), float(seen.alt.deg)


@pytest.mark.parametrize(("when", "name", "azimuth", "elevation"), SKYFIELD)
def test_a_position_agrees_to_an_arcsecond(when: str, name: str, azimuth: float, elevation: float) -> None:
    moment = datetime.fromisoformat(when)

    found = horizontal(source_of(name).position(moment, FYST), moment)

    assert arcseconds_between(*found, azimuth, elevation) < (1 if name in SOLAR_SYSTEM else 0.1)


@pytest.mark.parametrize(
    ("when", "name", "azimuth", "elevation"), [row for row in SKYFIELD if row[1] in FIXED and row[3] > 20]
)
def test_a_field_is_where_a_source_at_its_elevation_and_azimuth_is(
    when: str, name: str, azimuth: float, elevation: float
) -> None:
    field = ConstantElevationSource(elevation_deg=elevation, az_min_deg=azimuth - 40, az_max_deg=azimuth + 40)

    seen = field.position(datetime.fromisoformat(when), FYST).icrs

    assert arcseconds_between(seen.ra.deg, seen.dec.deg, *FIXED[name]) < 0.1


@pytest.mark.parametrize("crossing", CROSSINGS)
def test_a_field_without_azimuths_is_where_its_centre_crosses_the_elevation(
    crossing: tuple[float, float, float, bool, str, float],
) -> None:
    ra, dec, elevation, rising, when, azimuth = crossing
    field = ConstantElevationSource(elevation_deg=elevation, rising=rising, ra_center_deg=ra, dec_center_deg=dec)

    seen = field.position(datetime.fromisoformat(when), FYST)

    assert arcseconds_between(seen.az.deg, seen.alt.deg, azimuth, elevation) < 0.1
    assert arcseconds_between(seen.icrs.ra.deg, seen.icrs.dec.deg, ra, dec) < 0.1


def test_a_field_has_a_place_at_each_of_many_times() -> None:
    moments: Any = [datetime.fromisoformat(row[4]) for row in CROSSINGS[:2]]
    field = ConstantElevationSource(elevation_deg=50, rising=True, ra_center_deg=24, dec_center_deg=-32)

    seen = field.position(moments, FYST)

    assert list(seen.az.deg) == pytest.approx([112.740181, 112.740181], abs=2e-4)


def test_a_fixed_source_says_its_proper_motion() -> None:
    assert FixedSource(**BARNARD).skycoord.pm_dec.value == 10362.39


def test_a_body_that_the_ephemeris_does_not_have_is_named() -> None:
    ceres = SolarSystemObject(name="Ceres", ephemeris_name="ceres")

    with pytest.raises(ConfigurationError, match="no body 'ceres'") as refused:
        ceres.position(datetime(2026, 1, 1, tzinfo=UTC), FYST)
    assert refused.value.code == "ephemeris.unknown_body"


def test_the_bodies_are_those_of_the_ephemeris() -> None:
    from astropy.coordinates import solar_system_ephemeris

    astropy_ready()
    assert set(BODIES) == set(solar_system_ephemeris.bodies)


def test_a_misspelt_planet_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"jupitr is no planet.*did you mean jupiter\?"):
        SolarSystemObject(name="Jupiter", ephemeris_name="jupitr").clean()
    # Of moons and minor bodies there is no ephemeris here; they may be kept all the same.
    SolarSystemObject(name="Titan", ephemeris_name="titan", tracking_kind="moon").clean()


class TestField:
    MOMENT = datetime(2026, 11, 20, 23, tzinfo=UTC)

    def test_the_telescope_points_at_the_middle_of_its_azimuths(self) -> None:
        field = ConstantElevationSource(elevation_deg=45, az_min_deg=110, az_max_deg=250)

        seen = field.position(self.MOMENT, FYST)

        assert (float(seen.az.deg), float(seen.alt.deg)) == pytest.approx((180, 45))

    @pytest.mark.django_db
    def test_its_azimuth_table_holds_by_sidereal_time(self) -> None:
        field = ConstantElevationSourceFactory.create()
        hour = float(sidereal_time_h(self.MOMENT, FYST))
        assert 22 < hour < 23.5
        ConstantElevationAzimuthRangeFactory.create(
            source=field, lst_start_h=1.5, lst_stop_h=5, az_min_deg=190, az_max_deg=250
        )
        ConstantElevationAzimuthRangeFactory.create(source=field)  # from 22 h over 24 h to 1.5 h

        assert float(field.position(self.MOMENT, FYST).az.deg) == pytest.approx(140)

    @pytest.mark.django_db
    def test_it_is_nowhere_outside_its_table(self) -> None:
        line: ConstantElevationAzimuthRange = ConstantElevationAzimuthRangeFactory.create(lst_start_h=3, lst_stop_h=5)

        assert math.isnan(line.source.position(self.MOMENT, FYST).alt.deg)

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({}, "Nobody said where"),
            ({"dec_center_deg": 60, "ra_center_deg": 0, "rising": True}, "is never at 50 degrees"),
        ],
    )
    def test_a_field_without_a_place_says_so(self, fields: dict[str, Any], reason: str) -> None:
        field = ConstantElevationSource(name="x", elevation_deg=50, **fields)

        with pytest.raises(ConfigurationError, match=reason):
            field.position(self.MOMENT, FYST)
