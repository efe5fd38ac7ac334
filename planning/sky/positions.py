"""The position of a source, of whatever kind, at a time (or many) as seen from a telescope.

A fixed source has its coordinates, a body of the solar system comes from the ephemeris, and a field that is scanned at
one elevation is where the telescope points: at that elevation, in the middle of the azimuths of that sidereal time.

Directions are geometric: light time, aberration, the Sun's deflection, precession, nutation, UT1 and polar motion are
in them (polar motion moves a source by 0.5 arcseconds at most), refraction is not. Refraction at submillimetre
wavelengths depends on the weather of the minute, and the telescope's control system adds it from its own sensors:
adding it here as well would count it twice. At 5,600 m it is about 30 arcseconds at an elevation of 45 degrees and 90
at 20.

The models of sources use these functions, so that their own types cannot be named here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ccatdc.common.errors import ConfigurationError
from planning.sky.ephemerides import astropy_ready, body_at, horizontal_at, site_of

if TYPE_CHECKING:
    from observatory.models import Telescope


def fixed_skycoord(source: Any) -> Any:
    """The coordinates of a fixed source: ICRS, with proper motion (epoch J2000) where it is known.

    Without parallax: nothing that the telescope looks at is as near that it would show (0.8 arcseconds at most).
    """
    astropy_ready()
    from astropy import units
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    motion: dict[str, Any] = {}
    if source.pm_ra_mas_yr is not None and source.pm_dec_mas_yr is not None:
        motion = {
            "pm_ra_cosdec": source.pm_ra_mas_yr * units.mas / units.yr,
            "pm_dec": source.pm_dec_mas_yr * units.mas / units.yr,
            "obstime": Time("J2000"),
        }
    return SkyCoord(source.ra_deg, source.dec_deg, unit="deg", frame="icrs", **motion)


def icrs(ra_deg: float, dec_deg: float | None) -> Any:
    astropy_ready()
    from astropy.coordinates import SkyCoord

    return SkyCoord(ra_deg, dec_deg, unit="deg", frame="icrs")


def fixed_position(source: Any, when: Any) -> Any:
    """Where a fixed source is at a time: moved by its proper motion."""
    from astropy.time import Time

    coordinates = fixed_skycoord(source)
    if source.pm_ra_mas_yr is None or source.pm_dec_mas_yr is None:
        return coordinates
    from astropy import units
    from astropy.coordinates import SkyCoord

    # Linear in both coordinates: over a century the curvature is far below an arcsecond for any proper motion.
    years = (Time(when) - Time("J2000")).to_value("yr")
    arc = years * units.mas
    return SkyCoord(
        coordinates.ra + source.pm_ra_mas_yr * arc / math.cos(math.radians(source.dec_deg)),
        coordinates.dec + source.pm_dec_mas_yr * arc,
        frame="icrs",
    )


def body_position(source: Any, when: Any, telescope: Telescope) -> Any:
    """Where a body of the solar system is at a time, as seen from the telescope: its centre, or that of its system of
    moons.

    Raises :class:`ConfigurationError` for a body that the ephemeris does not have.
    """
    return body_at(source.ephemeris_name, when, telescope)


def field_position(source: Any, when: Any, telescope: Telescope) -> Any:
    """Where the telescope points at a time when it scans the field: elevation and middle azimuth.

    Not a number at sidereal times that are not in its azimuth table: it is not scanned then. Raises
    :class:`ConfigurationError` for a field without azimuths and centre, or that never reaches its elevation.
    """
    horizon = horizontal_at(when, telescope)
    from astropy import units
    from astropy.coordinates import SkyCoord

    elevation, azimuth = _pointing(source, horizon, telescope)
    return SkyCoord(az=azimuth * units.deg, alt=elevation * units.deg, frame=horizon)


def sidereal_time_h(when: Any, telescope: Telescope) -> Any:
    """Local apparent sidereal time, hours."""
    astropy_ready()
    from astropy.time import Time

    return Time(when, location=site_of(telescope)).sidereal_time("apparent").hour


def holds_at(line: Any, lst_h: float) -> bool:
    """Whether a line of an azimuth table holds at a sidereal time; its range may pass 24 h."""
    if line.lst_start_h <= line.lst_stop_h:
        return bool(line.lst_start_h <= lst_h < line.lst_stop_h)
    return bool(lst_h >= line.lst_start_h or lst_h < line.lst_stop_h)


def _pointing(source: Any, horizon: Any, telescope: Telescope) -> Any:
    """Elevation and azimuth, degrees, of each time of the frame."""
    import numpy

    table = list(source.azimuth_ranges.all()) if source.pk else []
    if not table:
        azimuth = _usual_azimuth(source, horizon)
        return source.elevation_deg + numpy.zeros(horizon.shape), azimuth
    hours = sidereal_time_h(horizon.obstime, telescope)
    found = [_line_at(table, float(hour)) for hour in numpy.atleast_1d(hours)]
    pointing = [(math.nan, math.nan) if line is None else (line.elevation_deg, _middle(line)) for line in found]
    return numpy.array(pointing).T.reshape((2, *horizon.shape))


def _line_at(table: list[Any], lst_h: float) -> Any | None:
    return next((line for line in table if holds_at(line, lst_h)), None)


def _middle(line: Any) -> float:
    return float(line.az_min_deg + line.az_max_deg) / 2


def _usual_azimuth(source: Any, horizon: Any) -> Any:
    """The middle of the azimuths, else where the field's centre crosses the elevation on its side of the sky, that day."""
    import numpy

    if source.az_min_deg is not None and source.az_max_deg is not None:
        return (source.az_min_deg + source.az_max_deg) / 2 + numpy.zeros(horizon.shape)
    return azimuths_of_crossing(source, horizon, source.elevation_deg, 0.0)


def azimuths_of_crossing(
    source: Any, horizon: Any, elevation_deg: float, offset_deg: float, *, clip: bool = False
) -> Any:
    """Where a declination of the field crosses an elevation on its side of the sky, degrees; ``offset_deg`` is north of
    its centre.

    Raises ConfigurationError for a field without a centre or side, and where it never gets to that elevation (``clip``:
    the azimuth where it comes nearest).
    """
    import numpy

    if source.dec_center_deg is None or source.ra_center_deg is None or source.rising is None:
        raise ConfigurationError(
            f"Nobody said where {source.name} is.",
            code="source.no_position",
            remedy="Give its azimuths, or its centre and whether it is scanned rising or setting.",
        )
    from astropy import units
    from astropy.coordinates import CIRS, SkyCoord

    # The sphere turns round the pole of date as it stands over this horizon (its height is the latitude, moved by polar
    # motion), and the centre keeps its declination of date.
    of_date = CIRS(obstime=horizon.obstime, location=horizon.location)
    declination = max(-90.0, min(90.0, source.dec_center_deg + offset_deg))
    place = icrs(source.ra_center_deg, declination).transform_to(of_date)
    pole = SkyCoord(0 * units.deg, 90 * units.deg, frame=of_date).transform_to(horizon)
    elevation = math.radians(elevation_deg)
    cosine = (numpy.sin(place.dec) - numpy.sin(pole.alt) * math.sin(elevation)) / (
        numpy.cos(pole.alt) * math.cos(elevation)
    )
    if clip:
        cosine = numpy.clip(cosine, -1, 1)
    if numpy.any(abs(cosine) > 1):
        raise ConfigurationError(
            f"The centre of {source.name} is never at {elevation_deg:g} degrees.",
            code="source.no_position",
            remedy="Correct its elevation or its declination.",
        )
    east = numpy.degrees(numpy.arccos(cosine.value))
    return (pole.az.deg + (east if source.rising else -east)) % 360
