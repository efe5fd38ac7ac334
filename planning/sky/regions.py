"""Regions of the sky as text and as numbers: what a scan covered, in ICRS.

Written as STC-S has them, ``CIRCLE ICRS 83.8 -5.4 0.5`` or ``POLYGON ICRS ra1 dec1 ra2 dec2 ra3 dec3``: degrees, the
vertices in order, the sides arcs of great circles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ccatdc.common.errors import RequestError
from planning.sky.places import Place, separation_deg

#: Vertices of a polygon.
MOST_VERTICES: Final = 200
#: Digits after the point: 4 milliarcseconds.
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Circle:
    """All within an angle of a place; degrees."""

    centre: Place
    radius_deg: float

    def __str__(self) -> str:
        return f"CIRCLE ICRS {_numbers([*self.centre, self.radius_deg])}"

    def reach_deg(self, place: Place) -> float:
        """From a place to the farthest point."""
        return separation_deg(place, self.centre) + self.radius_deg


@dataclass(frozen=True, slots=True)
class Polygon:
    """What lies inside of arcs between vertices; less than half of the sky."""

    vertices: tuple[Place, ...]

    def __str__(self) -> str:
        return f"POLYGON ICRS {_numbers(angle for vertex in self.vertices for angle in vertex)}"

    def reach_deg(self, place: Place) -> float:
        """From a place to the farthest vertex."""
        return max(separation_deg(place, vertex) for vertex in self.vertices)


Region = Circle | Polygon


def region_of(text: str) -> Region:
    """The region that the text says. Raises RequestError where it says none."""
    kind, *rest = text.upper().split() or [""]
    words = rest[1:] if rest[:1] == ["ICRS"] else rest
    try:
        numbers = [float(word) for word in words[: 2 * MOST_VERTICES + 1]]
    except ValueError:
        numbers = []
    places = [Place(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]
    if not all(0 <= place.ra_deg <= 360 and -90 <= place.dec_deg <= 90 for place in places):
        numbers = []
    if kind == "CIRCLE" and len(numbers) == 3 and 0 < numbers[2] <= 180:
        return Circle(places[0], numbers[2])
    if kind == "POLYGON" and len(numbers) % 2 == 0 and 3 <= len(places) <= MOST_VERTICES:
        return Polygon(tuple(places))
    raise RequestError(
        "This is no region of the sky.",
        remedy="Write CIRCLE ICRS 83.8 -5.4 0.5 (degrees), or POLYGON ICRS and the places of three or more vertices.",
    )


def offset(place: Place, east_deg: float, north_deg: float) -> Place:
    """The place at these angles from another one, in the plane that touches the sphere there, measured along the arc."""
    return at_angle(place, math.hypot(east_deg, north_deg), math.atan2(east_deg, north_deg))


def at_angle(place: Place, distance_deg: float, position_angle: float) -> Place:
    """Along a great circle; the position angle in radians, from north over east."""
    distance, dec = math.radians(distance_deg), math.radians(place.dec_deg)
    sine = math.sin(dec) * math.cos(distance) + math.cos(dec) * math.sin(distance) * math.cos(position_angle)
    east = math.sin(position_angle) * math.sin(distance) * math.cos(dec)
    north = math.cos(distance) - math.sin(dec) * sine
    ra = place.ra_deg + math.degrees(math.atan2(east, north))
    return Place(ra % 360, math.degrees(math.asin(max(-1.0, min(1.0, sine)))))


def rectangle(centre: Place, width_deg: float, height_deg: float, angle_deg: float = 0.0) -> Polygon:
    """Sides along right ascension and declination, turned from north over east."""
    turn = math.radians(angle_deg)
    corners = []
    for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
        east, north = x * width_deg / 2, y * height_deg / 2
        corners.append(
            offset(
                centre, east * math.cos(turn) + north * math.sin(turn), north * math.cos(turn) - east * math.sin(turn)
            )
        )
    return Polygon(tuple(corners))


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{round(value, _DIGITS) + 0.0:.10g}" for value in values)
