"""Positions agree with another program's, from another ephemeris, to an arcsecond; nothing is downloaded."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from ccatdc.common.errors import ConfigurationError
from planning.models import (
    ConstantElevationAzimuthRange,
    ConstantElevationSource,
    FixedSource,
    SolarSystemObject,
)
from planning.positions import sidereal_time_h
from tests.factories.observatory import TelescopeFactory
from tests.factories.planning import (
    ConstantElevationAzimuthRangeFactory,
    ConstantElevationSourceFactory,
)

FYST = TelescopeFactory.build(observatory=None)
FIXED = {"Orion-KL": (83.809, -5.37264), "30 Dor": (84.67667, -69.10083)}
#: Azimuth and elevation (degrees, no refraction) seen from FYST, computed with Skyfield 1.55 and the ephemeris DE440 with
#: the same Earth rotation (finals2000A of 2026-11-02, with polar motion). Another program, another ephemeris.
SKYFIELD = [
    ("2026-01-15T03:00:00", "sun", 210.82570, -39.57375),
    ("2026-01-15T03:00:00", "moon", 157.65046, -36.54671),
    ("2026-01-15T03:00:00", "mars", 208.72233, -39.11445),
    ("2026-01-15T03:00:00", "jupiter", 23.85790, 40.99003),
    ("2026-01-15T03:00:00", "saturn", 265.67686, -2.06037),
    ("2026-01-15T03:00:00", "uranus", 317.09931, 34.64060),
    ("2026-01-15T03:00:00", "neptune", 268.17569, -0.92065),
    ("2026-01-15T03:00:00", "Orion-KL", 335.95529, 70.86560),
    ("2026-01-15T03:00:00", "30 Dor", 183.54597, 43.69213),
    ("2026-06-21T12:00:00", "sun", 59.62589, 9.11321),
    ("2026-06-21T12:00:00", "moon", 127.22727, -55.56857),
    ("2026-06-21T12:00:00", "mars", 38.21687, 38.85430),
    ("2026-06-21T12:00:00", "jupiter", 73.36769, -15.36728),
    ("2026-06-21T12:00:00", "saturn", 341.50586, 62.50277),
    ("2026-06-21T12:00:00", "uranus", 44.26211, 31.96794),
    ("2026-06-21T12:00:00", "neptune", 321.77308, 61.04642),
    ("2026-06-21T12:00:00", "Orion-KL", 83.80350, 27.66857),
    ("2026-06-21T12:00:00", "30 Dor", 158.27685, 31.04624),
    ("2026-11-20T23:00:00", "sun", 247.55235, -1.72334),
    ("2026-11-20T23:00:00", "moon", 48.08066, 47.25643),
    ("2026-11-20T23:00:00", "mars", 144.56439, -79.26396),
    ("2026-11-20T23:00:00", "jupiter", 138.28780, -77.55375),
    ("2026-11-20T23:00:00", "saturn", 56.32598, 51.22166),
    ("2026-11-20T23:00:00", "uranus", 68.83504, -3.36915),
    ("2026-11-20T23:00:00", "neptune", 50.73749, 57.01437),
    ("2026-11-20T23:00:00", "Orion-KL", 101.80098, -13.31249),
    ("2026-11-20T23:00:00", "30 Dor", 159.30245, 15.44973),
]


def arcseconds_between(az_a: float, alt_a: float, az_b: float, alt_b: float) -> float:
    across = math.sin(math.radians(az_a - az_b) / 2) ** 2
    along = math.sin(math.radians(alt_a - alt_b) / 2) ** 2
    inside = along + math.cos(math.radians(alt_a)) * math.cos(math.radians(alt_b)) * across
    return math.degrees(2 * math.asin(math.sqrt(inside))) * 3600


def horizontal(position: Any, when: str) -> tuple[float, float]:
    from planning.ephemerides import horizontal_at

    seen = position.transform_to(horizontal_at(when, FYST))
    return float(seen.az.deg), float(seen.alt.deg)


@pytest.mark.parametrize(("when", "name", "azimuth", "elevation"), SKYFIELD)
def test_a_position_agrees_to_an_arcsecond(
    when: str, name: str, azimuth: float, elevation: float
) -> None:
    moment = datetime.fromisoformat(when).replace(tzinfo=UTC)
    source: FixedSource | SolarSystemObject
    if name in FIXED:
        source = FixedSource(name=name, ra_deg=FIXED[name][0], dec_deg=FIXED[name][1])
    else:
        source = SolarSystemObject(name=name, ephemeris_name=name)

    found = horizontal(source.position(moment, FYST), when)

    assert arcseconds_between(*found, azimuth, elevation) < 1


def test_a_fixed_source_has_icrs_coordinates() -> None:
    skycoord = FixedSource(ra_deg=83.809, dec_deg=-5.37264).skycoord

    assert skycoord.frame.name == "icrs"
    assert (skycoord.ra.deg, skycoord.dec.deg) == pytest.approx((83.809, -5.37264))


def test_proper_motion_moves_a_source() -> None:
    # Barnard's star: 10.4 arcseconds a year.
    star = FixedSource(
        ra_deg=269.45207, dec_deg=4.69339, pm_ra_mas_yr=-801.55, pm_dec_mas_yr=10362.39
    )

    moved = star.position(datetime(2026, 1, 1, 12, tzinfo=UTC), FYST)

    assert (moved.dec.deg - 4.69339) * 3600 == pytest.approx(26.0 * 10.36239, abs=0.02)
    across = (moved.ra.deg - 269.45207) * 3600 * math.cos(math.radians(4.69339))
    assert across == pytest.approx(26.0 * -0.80155, abs=0.02)
    assert star.skycoord.pm_dec.value == 10362.39


def test_a_body_that_the_ephemeris_does_not_have_is_named() -> None:
    ceres = SolarSystemObject(name="Ceres", ephemeris_name="ceres")

    with pytest.raises(ConfigurationError, match="no body 'ceres'") as refused:
        ceres.position(datetime(2026, 1, 1, tzinfo=UTC), FYST)
    assert refused.value.code == "ephemeris.unknown_body"


class TestField:
    MOMENT = datetime(2026, 11, 20, 23, tzinfo=UTC)

    def test_the_telescope_points_at_the_middle_of_its_azimuths(self) -> None:
        field = ConstantElevationSource(elevation_deg=45, az_min_deg=110, az_max_deg=250)

        seen = field.position(self.MOMENT, FYST)

        assert (float(seen.az.deg), float(seen.alt.deg)) == pytest.approx((180, 45))

    @pytest.mark.parametrize("rising", [True, False])
    def test_without_azimuths_it_points_where_the_centre_crosses(self, rising: bool) -> None:
        field = ConstantElevationSource(
            elevation_deg=50, rising=rising, ra_center_deg=24, dec_center_deg=-32
        )

        seen = field.position(self.MOMENT, FYST)

        assert (float(seen.az.deg) < 180) == rising
        # The same direction, asked back: its declination is the centre's (of date, hence not to the arcsecond).
        assert float(seen.icrs.dec.deg) == pytest.approx(-32, abs=0.2)

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
        line: ConstantElevationAzimuthRange = ConstantElevationAzimuthRangeFactory.create(
            lst_start_h=3, lst_stop_h=5
        )

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


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_who_only_moves_bytes_does_not_load_astropy() -> None:
    out = run(
        "import django, sys, os\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'ccatdc.settings_test'\n"
        "django.setup()\n"
        "import transfer.runner, planning.visibility, planning.admin, planning.api.urls\n"
        "print(sorted({'astropy', 'numpy', 'skyfield_data'} & set(sys.modules)))"
    )

    assert out.strip() == "[]"


def test_positions_need_no_network(tmp_path: Any) -> None:
    out = run(
        "import os, socket\n"
        f"os.environ |= {{'DJANGO_SETTINGS_MODULE': 'ccatdc.settings_test', 'HOME': {str(tmp_path)!r}}}\n"
        "import django; django.setup()\n"
        "def refused(*args, **kwargs): raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.create_connection = refused\n"
        "from datetime import datetime, UTC\n"
        "from observatory.models import Telescope\n"
        "from planning.models import SolarSystemObject\n"
        "fyst = Telescope(lon_deg=-67.740278, lat_deg=-22.985639, alt_m=5611.8)\n"
        "moon = SolarSystemObject(ephemeris_name='moon')\n"
        "print(moon.position(datetime(2031, 1, 1, tzinfo=UTC), fyst).distance.km > 300000)"
    )

    assert out.strip() == "True"
