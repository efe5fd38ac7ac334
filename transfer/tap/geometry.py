"""Geometry of ADQL as SQL: places and shapes are arrays of numbers (the functions ``sky_…`` of the database).

Where a condition compares columns with what is constant, it gets a second one that follows from it and that an index
answers: a window of declination and right ascension, or boxes that overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from planning.sky.cones import window_around
from planning.sky.places import Place, separation_deg
from transfer.tap.parsing import QueryError

#: Only this one: what else is written there would be another sky.
SYSTEMS: Final = frozenset({"", "ICRS", "ICRS BARYCENTER", "ICRS GEOCENTER", "UNKNOWNFRAME"})
SHAPES: Final = frozenset({"point", "circle", "box", "polygon"})


@dataclass(frozen=True, slots=True)
class Number:
    """An argument: its SQL, and its value where it is constant."""

    sql: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """``sql`` is an array of numbers. Where the shape is constant ``centre`` and ``reach_deg`` are of a circle that holds
    it; of a circle ``numbers`` are longitude, latitude and radius, of a place its first two.
    """

    kind: str
    sql: str
    numbers: tuple[Number, ...] = ()
    centre: Place | None = None
    reach_deg: float = 0.0


def shape(kind: str, numbers: Sequence[Number]) -> Shape:
    """Of its angles, degrees. Raises QueryError for another number of them."""
    counts = {"point": 2, "circle": 3, "box": 4}
    if len(numbers) != counts.get(kind, len(numbers)) or (kind == "polygon" and (len(numbers) < 6 or len(numbers) % 2)):
        raise QueryError(f"{kind.upper()} has another number of arguments.")
    listed = ", ".join(f"({number.sql})::double precision" for number in numbers)
    sql = f"sky_polygon(ARRAY[{listed}])" if kind == "polygon" else f"sky_{kind}({listed})"
    values = [number.value for number in numbers if number.value is not None]
    if len(values) < len(numbers):
        return Shape(kind, sql, tuple(numbers))
    centre, reach = _held(kind, values)
    return Shape(kind, sql, tuple(numbers), centre, reach)


def region(column: str) -> Shape:
    """Of a column that has the text of a region."""
    return Shape("region", f"sky_shape({column})")


def _held(kind: str, values: Sequence[float]) -> tuple[Place, float]:
    places = [Place(ra % 360, dec) for ra, dec in zip(values[::2], values[1::2], strict=False)]
    if not all(-90 <= place.dec_deg <= 90 for place in places[: 1 if kind in ("circle", "box") else None]):
        raise QueryError("A declination is from -90 to 90 degrees.")
    if kind == "circle":
        return places[0], _positive(values[2])
    if kind == "box":
        return places[0], min(180.0, (_positive(values[2]) + _positive(values[3])) / 2)
    if kind == "point":
        return places[0], 0.0
    vectors = [_vector(place) for place in places]
    x, y, z = (sum(vector[axis] for vector in vectors) for axis in range(3))
    centre = Place(math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y))))
    return centre, max(separation_deg(centre, place) for place in places)


def _positive(angle: float) -> float:
    if not 0 <= angle <= 360:
        raise QueryError("A size is from 0 to 360 degrees.")
    return min(angle, 180.0)


def _vector(place: Place) -> tuple[float, float, float]:
    ra, dec = math.radians(place.ra_deg), math.radians(place.dec_deg)
    return math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)


def contains(inner: Shape, outer: Shape) -> str:
    """As a condition: the first lies in the second."""
    if inner.kind == "point" and outer.kind == "circle":
        ra, dec, radius = outer.numbers
        near = f"{distance(inner, Shape('point', '', (ra, dec)))} <= {radius.sql}"
    else:
        near = f"sky_contains({inner.sql}, {outer.sql}) = 1"
    return _all([*_hints(inner, outer), near])


def intersects(one: Shape, other: Shape) -> str:
    """As a condition: both have a place in common."""
    if one.kind == "point":
        return contains(one, other)
    if other.kind == "point":
        return contains(other, one)
    return _all([*_hints(one, other), f"sky_intersects({one.sql}, {other.sql}) = 1"])


def distance(one: Shape, other: Shape) -> str:
    """Between two places, degrees."""
    return f"sky_distance({', '.join(number.sql for number in (*one.numbers, *other.numbers))})"


def within(one: Shape, other: Shape, limit: Number, sign: str) -> str:
    """As a condition: two places are nearer than that."""
    circle = Shape("circle", "", (*other.numbers, limit), other.centre, limit.value or 0.0)
    known = circle if limit.value is not None else Shape("circle", "", circle.numbers)
    turned = Shape(
        "circle", "", (*one.numbers, limit), one.centre if limit.value is not None else None, limit.value or 0.0
    )
    hints = _hints(one, known) if one.centre is None else _hints(other, turned)
    return _all([*hints, f"{distance(one, other)} {sign} {limit.sql}"])


def _hints(one: Shape, other: Shape) -> list[str]:
    """What follows from both having a place in common, and is fast."""
    if one.centre is not None and other.centre is None:
        one, other = other, one
    if one.kind == "point" and other.centre is not None and one.centre is None:
        return [_window(one, other.centre, other.reach_deg)]
    if one.kind == "point" and other.kind == "circle" and other.centre is None:
        dec, centre, radius = one.numbers[1].sql, other.numbers[1].sql, other.numbers[2].sql
        return [f"{dec} BETWEEN {centre} - {radius} AND {centre} + {radius}"]
    if "region" in (one.kind, other.kind):
        return [f"sky_bounds({one.sql}) && sky_bounds({other.sql})"]
    return []


def _window(place: Shape, centre: Place, reach_deg: float) -> str:
    ra, dec = (number.sql for number in place.numbers)
    found = window_around(*centre, reach_deg)
    band = f"{dec} BETWEEN {found.dec[0]!r} AND {found.dec[1]!r}"
    sides = " OR ".join(f"({band} AND {ra} BETWEEN {low!r} AND {high!r})" for low, high in found.ra)
    return f"({sides})" if sides else band


def _all(conditions: Sequence[str]) -> str:
    return f"({' AND '.join(conditions)})"
