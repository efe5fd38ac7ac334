"""Cone search: right on the whole sphere, and by the index."""

from __future__ import annotations

import math
import random

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from planning.models import FixedSource
from tests.factories.planning import FixedSourceFactory

pytestmark = pytest.mark.django_db

Place = tuple[float, float]


def fill(count: int) -> list[Place]:
    """Sources all over the sky, evenly, in one statement."""
    chance = random.Random(7)  # noqa: S311 (places, no secrets)
    places = [(chance.uniform(0, 360), math.degrees(math.asin(chance.uniform(-1, 1)))) for _ in range(count)]
    store(places)
    return places


def store(places: list[Place]) -> None:
    """Fixed sources s1, s2, ... at these places."""
    kind = ContentType.objects.get_for_model(FixedSource).pk
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH place AS (SELECT * FROM unnest(%s::float[], %s::float[])"
            "   WITH ORDINALITY AS t(ra, dec, n)),"
            " made AS (INSERT INTO source (name, type, polymorphic_ctype_id, aliases, description,"
            "   source_class) SELECT 's' || n, 'fixed_source', %s, '[]', '', '' FROM place"
            "   RETURNING id, name)"
            " INSERT INTO fixed_source (source_ptr_id, ra_deg, dec_deg, frame)"
            " SELECT made.id, ra, dec, 'icrs' FROM made JOIN place ON made.name = 's' || n",
            [[ra for ra, _ in places], [dec for _, dec in places], kind],
        )
        cursor.execute("ANALYZE source, fixed_source")


def angle(a: Place, b: Place) -> float:
    """By vectors: another formula than the search's."""

    def vector(place: tuple[float, float]) -> tuple[float, float, float]:
        ra, dec = math.radians(place[0]), math.radians(place[1])
        return math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)

    u, v = vector(a), vector(b)
    return math.degrees(2 * math.asin(min(1.0, math.dist(u, v) / 2)))


@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [
        (83.8, -5.4, 3),
        (0.1, 10, 5),
        (359.9, -40, 5),
        (120, 89.5, 8),
        (10, -90, 6),
        (200, 84, 6),
        (45, 0, 90),
        (180, 30, 180),
    ],
)
def test_a_cone_finds_what_is_in_it_and_nothing_else(ra: float, dec: float, radius: float) -> None:
    places = fill(2000)

    found = {source.name for source in FixedSource.objects.within(ra, dec, radius)}

    expected = {f"s{n}" for n, p in enumerate(places, 1) if angle(p, (ra, dec)) <= radius}
    assert expected
    assert found == expected


def test_the_nearest_comes_first_with_its_distance() -> None:
    FixedSourceFactory.create(name="far", ra_deg=10, dec_deg=1)
    FixedSourceFactory.create(name="near", ra_deg=10, dec_deg=0.5)

    found = FixedSource.objects.within(10, 0, 2)

    assert [(s.name, round(s.separation_deg, 9)) for s in found] == [("near", 0.5), ("far", 1.0)]


@pytest.mark.parametrize("place", [(83.8, -5.4), (0.1, 10.0), (120.0, 89.9)])
def test_a_cone_uses_the_index(place: tuple[float, float]) -> None:
    fill(10_000)

    plan = FixedSource.objects.within(*place, 1).explain()

    assert "fixed_source_dec_ra" in plan, plan
    assert "Seq Scan on fixed_source" not in plan, plan


#: Right ascension and declination.
CENTRES = [(83.8, -5.4), (0.0, 0.0), (359.9999999, 0.0), (0.0, 60.0), (180.0, 89.9999)]
CENTRES += [(12.0, 90.0), (123.0, -90.0), (270.0, -89.99999), (0.0, -45.0), (359.5, 89.0)]
ARCSECOND = 1 / 3600


@pytest.mark.parametrize(
    "radius",
    [0.1 * ARCSECOND, ARCSECOND, 60 * ARCSECOND, 0.5, 5, 45, 89.9, 90, 120, 179.9],
    ids=lambda radius: f"{radius:.6g}",
)
def test_at_its_edge_a_cone_agrees_with_astropy(radius: float) -> None:
    """On a ring just inside and one just outside of each cone, as astropy places them."""
    from astropy import units
    from astropy.coordinates import SkyCoord

    step = min(radius * 1e-3, 1e-3)
    places: list[Place] = []
    for ra, dec in CENTRES:
        centre = SkyCoord(ra, dec, unit="deg")
        for away in (radius - step, radius + step):
            ring = centre.directional_offset_by(range(0, 360, 45) * units.deg, away * units.deg)
            # 359.99999999999999 is 360 in a float.
            places += [(float(p.ra.deg) % 360, float(p.dec.deg)) for p in ring]
    store(places)
    sky = SkyCoord(places, unit="deg")

    for ra, dec in CENTRES:
        found = {source.name for source in FixedSource.objects.within(ra, dec, radius)}
        apart = sky.separation(SkyCoord(ra, dec, unit="deg")).deg
        expected = {f"s{n}" for n, angle in enumerate(apart, 1) if angle <= radius}
        assert len(expected) >= 8
        assert found == expected, (ra, dec)


def test_the_distance_is_astropys() -> None:
    from astropy.coordinates import SkyCoord

    places = fill(500)

    found = list(FixedSource.objects.within(200.5, -33.3, 180))

    assert len(found) == 500
    for source in found:
        centre = SkyCoord(200.5, -33.3, unit="deg")
        place = SkyCoord(*places[int(source.name[1:]) - 1], unit="deg")
        assert source.separation_deg == pytest.approx(place.separation(centre).deg, abs=1e-7)


@pytest.mark.parametrize("place", [(83.8, -5.4), (0.0, 0.0), (0.0, 90.0), (359.9999999, -90.0)])
def test_a_cone_of_no_width_finds_what_is_there(place: Place) -> None:
    store([place, (place[0], place[1] * 0.999 + 1e-6)])

    assert [s.name for s in FixedSource.objects.within(*place, 0)] == ["s1"]


def test_a_cone_of_180_degrees_is_the_whole_sky() -> None:
    fill(300)
    # The opposite of the centre, where rounding would give more than half a circle.
    opposite = FixedSourceFactory.create(name="opposite", ra_deg=263.8, dec_deg=5.4)

    found = FixedSource.objects.within(83.8, -5.4, 180)

    assert found.count() == 301
    assert found.last() == opposite
