"""Positions of KOSMA's catalogues agree with the IAU's own routines (SOFA), which astropy does not use for them."""

from __future__ import annotations

import math
import random
from pathlib import Path

import erfa  # type: ignore[import-untyped]
import pytest

from ccatdc.reference.entries import Problem
from ccatdc.reference.readers.kosma import read_catalogue
from tests.planning.sky.test_positions import arcseconds_between

#: Mean obliquity of the ecliptic at J2000 (IAU 1976), arcseconds.
OBLIQUITY = 84381.448


def by_sofa(system: str, longitude: float, latitude: float) -> tuple[float, float]:
    """ICRS in degrees, by definitions or routines of the IAU."""
    lon, lat = math.radians(longitude), math.radians(latitude)
    if system == "B1950":
        fk5 = erfa.fk45z(lon, lat, 1950.0)  # FK4 to FK5 without proper motion, Aoki et al. 1983
        lon, lat = erfa.fk5hz(*fk5, erfa.DJ00, 0.0)
    elif system == "GALACTIC":
        lon, lat = erfa.g2icrs(lon, lat)  # the matrix of the Hipparcos catalogue
    elif system == "ECLIPTIC":
        tilt = math.radians(OBLIQUITY / 3600)
        x, y, z = math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)
        y, z = y * math.cos(tilt) - z * math.sin(tilt), y * math.sin(tilt) + z * math.cos(tilt)
        lon, lat = math.atan2(y, x), math.asin(z)
    return math.degrees(lon) % 360, math.degrees(lat)


@pytest.mark.parametrize("system", ["J2000", "B1950", "GALACTIC", "ECLIPTIC"])
def test_a_position_is_right_to_a_tenth_of_an_arcsecond(system: str) -> None:
    chance = random.Random(1950)  # noqa: S311 (places, no secrets)
    places = [(chance.uniform(0, 360), math.degrees(math.asin(chance.uniform(-1, 1)))) for _ in range(60)]
    places += [(0.0, 0.0), (359.99999, 0.0), (180.0, 89.99), (10.0, -90.0)]
    text = "".join(f"s {system} {lon!r} {lat!r}\n" for lon, lat in places)
    problems: list[Problem] = []

    entries = read_catalogue(Path("a.cat"), text, 0, problems)

    assert problems == [] and len(entries) == len(places)
    for entry, place in zip(entries, places, strict=True):
        found = entry.values["ra_deg"].value, entry.values["dec_deg"].value
        assert arcseconds_between(*found, *by_sofa(system, *place)) < 0.1, place


def test_the_routine_gives_the_result_that_sofa_publishes() -> None:
    # SOFA, t_sofa_c.c, fk45z.
    found = erfa.fk45z(0.01602284975382960982, -0.1164347929099906024, 1954.677617625256806)

    assert found == pytest.approx((0.02719295911606862303, -0.1115766001565926892), abs=1e-14)


def test_the_terms_of_aberration_in_b1950_are_taken_out() -> None:
    """Without them a position would be wrong by up to 0.34 arcseconds."""
    [entry] = read_catalogue(Path("a.cat"), "s B1950 270.0 0.0", 0, [])
    from astropy.coordinates import SkyCoord

    without = SkyCoord(270, 0, unit="deg", frame="fk4noeterms").icrs
    found = entry.values["ra_deg"].value, entry.values["dec_deg"].value

    assert 0.3 < arcseconds_between(*found, without.ra.deg, without.dec.deg) < 0.35


def test_sexagesimal_angles_keep_their_sign() -> None:
    [south, north] = read_catalogue(
        Path("a.cat"), "a J2000 5:35:14.16 -0:22:21.504\nb GALACTIC 12:30:00 +00:30:00", 0, []
    )

    assert south.values["ra_deg"].value == pytest.approx(83.809, abs=1e-9)
    assert south.values["dec_deg"].value == pytest.approx(-0.37264, abs=1e-9)
    found = north.values["ra_deg"].value, north.values["dec_deg"].value
    assert arcseconds_between(*found, *by_sofa("GALACTIC", 12.5, 0.5)) < 0.1
