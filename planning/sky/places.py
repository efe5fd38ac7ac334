"""A place on the sky as people write it: degrees, hours and degrees, or galactic coordinates."""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from ccatdc.common.errors import RequestError
from planning.sky.ephemerides import astropy_ready

#: Characters of a place. Nobody writes longer ones, and a parser is not to be kept busy.
MOST_CHARACTERS: Final = 80
_NUMBER = r"[+-]?\d+(?:\.\d*)?"
_GALACTIC = re.compile(rf"(?:gal(?:actic)?\s+|l\s*=?\s*)({_NUMBER})[\s,]+(?:b\s*=?\s*)?({_NUMBER})", re.IGNORECASE)
_DEGREES = re.compile(rf"({_NUMBER})(?:\s*,\s*|\s+|(?=[+-]))({_NUMBER})")
_SEXAGESIMAL = re.compile(r"[\dhmsd:.,+\-°'\"\N{PRIME}\N{DOUBLE PRIME}\s]+", re.IGNORECASE)
_EXAMPLES = "Write 83.81 -5.37 (degrees), 05:35:14.2 -05:22:21, 5h35m14s -5d22m21s, or l 209.0 b -19.4 (galactic)."


class Place(NamedTuple):
    """ICRS, degrees."""

    ra_deg: float
    dec_deg: float


def place_of(text: str) -> Place:
    """The place that the text says. Raises RequestError, with examples, where it says none."""
    words = text.strip().replace("\N{MINUS SIGN}", "-")
    if len(words) > MOST_CHARACTERS:
        raise _not_a_place(f"A place has {MOST_CHARACTERS} characters at most.")
    if galactic := _GALACTIC.fullmatch(words):
        return _from_galactic(float(galactic[1]), float(galactic[2]))
    if degrees := _DEGREES.fullmatch(words):
        return _checked(float(degrees[1]), float(degrees[2]))
    if _SEXAGESIMAL.fullmatch(words):
        return _from_sexagesimal(words)
    raise _not_a_place(f"“{words[:MOST_CHARACTERS]}” is no place on the sky.")


def separation_deg(one: Place, other: Place) -> float:
    """The angle between two places (haversine)."""
    across = math.sin(math.radians(one.ra_deg - other.ra_deg) / 2) ** 2
    along = math.sin(math.radians(one.dec_deg - other.dec_deg) / 2) ** 2
    inside = along + math.cos(math.radians(one.dec_deg)) * math.cos(math.radians(other.dec_deg)) * across
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(inside))))


def _from_sexagesimal(words: str) -> Place:
    astropy_ready()
    from astropy import units
    from astropy.coordinates import SkyCoord

    plain = words.replace(",", " ").replace("°", "d").replace("\N{PRIME}", "m").replace("\N{DOUBLE PRIME}", "s")
    plain = plain.replace("'", "m").replace('"', "s")
    try:
        found = SkyCoord(plain, unit=(units.hourangle, units.deg))
    except (ValueError, TypeError, IndexError) as error:
        raise _not_a_place(f"“{words}” is no place on the sky.") from error
    if found.shape:
        raise _not_a_place("Write one place.")
    return _checked(float(found.ra.deg), float(found.dec.deg))


def _from_galactic(longitude: float, latitude: float) -> Place:
    _checked(longitude, latitude)
    astropy_ready()
    from astropy.coordinates import SkyCoord

    found = SkyCoord(longitude, latitude, unit="deg", frame="galactic").icrs
    return Place(float(found.ra.deg), float(found.dec.deg))


def _checked(longitude: float, latitude: float) -> Place:
    if not (-360 <= longitude <= 360 and -90 <= latitude <= 90):
        raise _not_a_place("The first angle is from -360 to 360 degrees, the second from -90 to 90.")
    return Place(longitude % 360, latitude)


def _not_a_place(why: str) -> RequestError:
    return RequestError(why, remedy=_EXAMPLES)
