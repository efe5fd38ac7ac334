"""Cone search: the fixed sources within an angle of a place on the sky.

PostgreSQL alone: a band of declination and a window of right ascension use the index of both columns, and the exact
angle is asked of the few rows that are left (haversine, which is exact for small angles too).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from django.db.models import F, FloatField, Func, Q, Value
from django.db.models.functions import ASin, Cos, Least, Power, Radians, Sin, Sqrt
from polymorphic.managers import PolymorphicManager
from polymorphic.query import PolymorphicQuerySet

#: Added to the window, degrees: rounding must not lose a source on its edge.
_MARGIN_DEG = 1e-9


class FixedSourceQuerySet(PolymorphicQuerySet):  # type: ignore[type-arg]
    def within(self, ra_deg: float, dec_deg: float, radius_deg: float) -> FixedSourceQuerySet:
        """Those within the angle, with ``separation_deg``, the nearest first. All in degrees, ICRS."""
        found: FixedSourceQuerySet = (
            self.filter(window(ra_deg, dec_deg, radius_deg))
            .annotate(separation_deg=_separation(ra_deg, dec_deg))
            .filter(separation_deg__lte=radius_deg)
            .order_by("separation_deg", "pk")
        )
        return found


class FixedSourceManager(PolymorphicManager.from_queryset(FixedSourceQuerySet)):  # type: ignore[misc]
    """Fixed sources."""


class Window(NamedTuple):
    """Ranges of declination and right ascension, degrees; no range of right ascension is all of it."""

    dec: tuple[float, float]
    ra: tuple[tuple[float, float], ...]


def window_around(ra_deg: float, dec_deg: float, radius_deg: float) -> Window:
    """A box in both coordinates around the cone; two boxes where it passes 0 h, the whole band at a pole."""
    low, high = dec_deg - radius_deg - _MARGIN_DEG, dec_deg + radius_deg + _MARGIN_DEG
    band = max(low, -90.0), min(high, 90.0)
    if low <= -90 or high >= 90:
        return Window(band, ())
    # The widest point of a cone is not on the parallel of its centre.
    half = _MARGIN_DEG + math.degrees(
        math.asin(min(1.0, math.sin(math.radians(radius_deg)) / math.cos(math.radians(dec_deg))))
    )
    left, right = ra_deg - half, ra_deg + half
    if left < 0:
        return Window(band, ((left + 360, 360.0), (0.0, right)))
    if right >= 360:
        return Window(band, ((left, 360.0), (0.0, right - 360)))
    return Window(band, ((left, right),))


def window(ra_deg: float, dec_deg: float, radius_deg: float) -> Q:
    """The same as a condition."""
    found = window_around(ra_deg, dec_deg, radius_deg)
    band = Q(dec_deg__range=found.dec)
    if not found.ra:
        return band
    condition = Q()
    for each in found.ra:
        condition |= band & Q(ra_deg__range=each)
    return condition


def _separation(ra_deg: float, dec_deg: float) -> Any:
    across = Power(Sin(Radians(F("ra_deg") - Value(ra_deg)) / 2), 2)
    along = Power(Sin(Radians(F("dec_deg") - Value(dec_deg)) / 2), 2)
    inside = along + Cos(Radians(F("dec_deg"))) * Value(math.cos(math.radians(dec_deg))) * across
    # Rounding may give 1.0000000000000002, of which there is no arc sine.
    half = ASin(Least(Value(1.0), Sqrt(inside)), output_field=FloatField())
    return Func(half * 2, function="DEGREES", output_field=FloatField())
