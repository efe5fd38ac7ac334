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


def fill(count: int) -> list[tuple[float, float]]:
    """Sources all over the sky, evenly, in one statement."""
    chance = random.Random(7)  # noqa: S311 (places, no secrets)
    places = [
        (chance.uniform(0, 360), math.degrees(math.asin(chance.uniform(-1, 1))))
        for _ in range(count)
    ]
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
    return places


def angle(a: tuple[float, float], b: tuple[float, float]) -> float:
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
