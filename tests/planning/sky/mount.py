"""When a scan can be observed, computed a second time from the equations of the mount alone: no astropy, nothing of the
product. Sidereal time, precession and the Sun by Meeus, Astronomical Algorithms, chapters 12, 21 and 25: good to a few
seconds of time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy

LONGITUDE, LATITUDE = -67.740278, -22.985639
J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Limits:
    """Degrees."""

    lowest: float = 20.0
    highest: float = 90.0
    from_sun: float = 45.0


def days_since(moments: list[datetime]) -> Any:
    return numpy.array([(moment - J2000).total_seconds() / 86400 for moment in moments])


def sidereal(days: Any) -> Any:
    """Local mean sidereal time, degrees."""
    return (280.46061837 + 360.98564736629 * days + LONGITUDE) % 360


def of_date(ra: float, dec: float, days: float) -> tuple[float, float]:
    """From J2000 to the equinox of the day, degrees."""
    t = days / 36525
    zeta = math.radians((2306.2181 * t + 0.30188 * t**2) / 3600)
    z = math.radians((2306.2181 * t + 1.09468 * t**2) / 3600)
    theta = math.radians((2004.3109 * t - 0.42665 * t**2) / 3600)
    a, d = math.radians(ra) + zeta, math.radians(dec)
    x = math.cos(theta) * math.cos(d) * math.cos(a) - math.sin(theta) * math.sin(d)
    y = math.cos(d) * math.sin(a)
    w = math.sin(theta) * math.cos(d) * math.cos(a) + math.cos(theta) * math.sin(d)
    return math.degrees(math.atan2(y, x) + z), math.degrees(math.asin(w))


def sun(days: Any) -> tuple[Any, Any]:
    """Right ascension and declination of the Sun, degrees."""
    t = days / 36525
    mean = 280.46646 + 36000.76983 * t
    m = numpy.radians(357.52911 + 35999.05029 * t)
    centre = (1.914602 - 0.004817 * t) * numpy.sin(m) + 0.019993 * numpy.sin(2 * m) + 0.000289 * numpy.sin(3 * m)
    node = numpy.radians(125.04 - 1934.136 * t)
    longitude = numpy.radians(mean + centre - 0.00569 - 0.00478 * numpy.sin(node))
    tilt = numpy.radians(23.439291 - 0.0130042 * t + 0.00256 * numpy.cos(node))
    ra = numpy.arctan2(numpy.cos(tilt) * numpy.sin(longitude), numpy.cos(longitude))
    return numpy.degrees(ra), numpy.degrees(numpy.arcsin(numpy.sin(tilt) * numpy.sin(longitude)))


def horizontal(ra: Any, dec: Any, days: Any) -> tuple[Any, Any]:
    """Azimuth from north through east, and elevation; degrees."""
    hour = numpy.radians(sidereal(days) - ra)
    d, phi = numpy.radians(dec), math.radians(LATITUDE)
    up = numpy.arcsin(numpy.sin(phi) * numpy.sin(d) + math.cos(phi) * numpy.cos(d) * numpy.cos(hour))
    az = numpy.arctan2(
        -numpy.cos(d) * numpy.sin(hour), numpy.sin(d) * math.cos(phi) - numpy.cos(d) * numpy.cos(hour) * math.sin(phi)
    )
    return numpy.degrees(az) % 360, numpy.degrees(up)


def apart(az1: Any, up1: Any, az2: Any, up2: Any) -> Any:
    """Between two directions, degrees."""
    one, two = numpy.radians(up1), numpy.radians(up2)
    cosine = numpy.sin(one) * numpy.sin(two) + numpy.cos(one) * numpy.cos(two) * numpy.cos(numpy.radians(az1 - az2))
    return numpy.degrees(numpy.arccos(numpy.clip(cosine, -1, 1)))


def beside(az: float, up: float, distance: float, direction: float) -> tuple[float, float]:
    """The place at this distance and position angle from another one; degrees."""
    e, d, angle = math.radians(up), math.radians(distance), math.radians(direction)
    height = math.asin(math.sin(e) * math.cos(d) + math.cos(e) * math.sin(d) * math.cos(angle))
    turn = math.atan2(math.sin(d) * math.sin(angle) * math.cos(e), math.cos(d) - math.sin(e) * math.sin(height))
    return az + math.degrees(turn), math.degrees(height)


def source_is_free(ra: float, dec: float, radius: float, moments: list[datetime], limits: Limits) -> Any:
    """Whether a scan of this radius round a source is inside all limits."""
    days = days_since(moments)
    az, up = horizontal(*of_date(ra, dec, float(days[0])), days)
    sun_az, sun_up = horizontal(*sun(days), days)
    return (
        (up - radius >= limits.lowest)
        & (up + radius <= limits.highest)
        & (apart(az, up, sun_az, sun_up) - radius >= limits.from_sun)
    )


def azimuth_at(dec: float, elevation: float, rising: bool) -> float:
    """Where a declination crosses an elevation; where it comes nearest when it never does."""
    e, phi = math.radians(elevation), math.radians(LATITUDE)
    cosine = (math.sin(math.radians(dec)) - math.sin(e) * math.sin(phi)) / (math.cos(e) * math.cos(phi))
    east = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    return east if rising else 360 - east


def sweep_is_free(elevation: float, left: float, right: float, moments: list[datetime], limits: Limits) -> Any:
    """Whether no point of a sweep comes too near to the Sun: every half degree of it is looked at."""
    days = days_since(moments)
    sun_az, sun_up = horizontal(*sun(days), days)
    nearest = numpy.full(len(days), 180.0)
    for az in numpy.linspace(left, right, 2 * max(1, math.ceil(right - left)) + 1):
        nearest = numpy.minimum(nearest, apart(az, elevation, sun_az, sun_up))
    return (nearest >= limits.from_sun) & (limits.lowest <= elevation <= limits.highest)


def field_is_free(
    centre: tuple[float, float],
    size: tuple[float, float],
    scan: tuple[float, bool],
    moments: list[datetime],
    limits: Limits,
) -> Any:
    """Whether a field of this width and height crosses the elevation on its side, and its sweep is free of the Sun."""
    (ra, dec), (width, height), (elevation, rising) = centre, size, scan
    days = days_since(moments)
    half = width / 2 / math.cos(math.radians(dec))
    begun, ended = (
        _has_crossed(*of_date(ra + offset, dec, float(days[0])), days, elevation, rising) for offset in (-half, half)
    )
    edges = [
        azimuth_at(of_date(ra, dec + offset, float(days[0]))[1], elevation, rising)
        for offset in (-height / 2, 0, height / 2)
    ]
    return begun & ~ended & sweep_is_free(elevation, min(edges), max(edges), moments, limits)


def _has_crossed(ra: float, dec: float, days: Any, elevation: float, rising: bool) -> Any:
    """By the hour angle: since its last lower culmination it has gone through the elevation on that side."""
    e, d, phi = math.radians(elevation), math.radians(dec), math.radians(LATITUDE)
    cosine = (math.sin(e) - math.sin(d) * math.sin(phi)) / (math.cos(d) * math.cos(phi))
    crossing = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    hour = (sidereal(days) - ra + 180) % 360 - 180
    return hour >= (-crossing if rising else crossing)
