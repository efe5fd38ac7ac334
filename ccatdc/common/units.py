"""Numbers as people read them: bytes in decimal units, times as durations. For pages, mails and commands; imports no
app.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import models

#: What stands where there is nothing to say.
NOTHING = "\N{EN DASH}"
#: Decimal units, as in the documents of the project (a package has 50 GB, a day 8 TB).
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def size_text(size: float | None) -> str:
    """``1234567`` as ``1.23 MB``; an en dash for None."""
    if size is None:
        return NOTHING
    value = float(size)
    unit = 0
    # 999.5 and not 1000: what would be rounded to 1000 moves to the next unit.
    while abs(value) >= 999.5 and unit < len(_BYTE_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.3g} {_BYTE_UNITS[unit]}"


def duration_text(seconds: timedelta | float | None) -> str:
    """The two largest units that matter: ``3 d 4 h``, ``12 min``, ``0.4 s``; a dash for None."""
    if seconds is None:
        return NOTHING
    left = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if left < 0:
        return "0 s"
    if left < 10:
        return f"{left:.1f} s"
    parts: list[str] = []
    whole = int(left)
    for name, length in _STEPS:
        count, rest = divmod(whole, length)
        if count:
            parts.append(f"{count} {name}")
            whole = rest
        elif parts:
            break  # "3 d 5 s" would pretend to an exactness that nobody needs
        if len(parts) == 2:
            break
    return " ".join(parts)


def rate_text(size: float | None, seconds: float | None) -> str:
    """Bytes per second, or an en dash where one of both is unknown or zero."""
    return f"{size_text(size / seconds)}/s" if size and seconds else NOTHING


#: Suffixes of field names that say their unit. The longest suffix wins.
UNITS = {
    "_deg": "degrees",
    "_deg_s": "degrees/s",
    "_arcmin": "arcminutes",
    "_arcsec": "arcseconds",
    "_arcsec_per_mm": "arcseconds/mm",
    "_ghz": "GHz",
    "_khz": "kHz",
    "_hz": "Hz",
    "_km_s": "km/s",
    "_mas_yr": "mas/yr",
    "_m": "m",
    "_m_s": "m/s",
    "_mm": "mm",
    "_mm_mean": "mm",
    "_deg_mean": "degrees",
    "_c": "°C",
    "_s": "s",
    "_seconds": "s",
    "_h": "h",
    "_hours": "h",
    "_days": "days",
    "_pct": "%",
    "_bytes": "bytes",
    "_mb_s": "MB/s",
}
#: What words of field names are called; names are short, people are not asked to guess.
WORDS = {
    "alt": "altitude",
    "az": "azimuth",
    "dec": "Dec",
    "el": "elevation",
    "fpi": "FPI",
    "freq": "frequency",
    "fwhm": "FWHM",
    "id": "ID",
    "if": "IF",
    "lat": "latitude",
    "lon": "longitude",
    "lsr": "LSR",
    "lst": "LST",
    "max": "maximum",
    "min": "minimum",
    "naif": "NAIF",
    "pm": "proper motion",
    "pwv": "PWV",
    "ra": "RA",
    "rf": "RF",
    "url": "URL",
    "vlsr": "velocity (LSR)",
}


_NUMBERS = (models.FloatField, models.IntegerField, models.DecimalField)


def unit_ending(name: str) -> str:
    """The suffix of a field's name that says its unit; empty for none. The longest wins."""
    return max((ending for ending in UNITS if name.endswith(ending)), key=len, default="")


def field_words(name: str, *, is_number: bool) -> str:
    """A field's name for people: ``max_pwv_mm`` is "maximum PWV [mm]". Only a number has a unit."""
    ending = unit_ending(name) if is_number else ""
    words = name.removesuffix(ending).split("_")
    text = " ".join(WORDS.get(word, word) for word in words)
    return f"{text} [{UNITS[ending]}]" if ending else text


def name_fields(tables: Iterable[type[models.Model]]) -> None:
    """Call the fields of these models by :func:`field_words`, where they have no name of their own: in forms, lists and
    history. Migrations do not see it, since it is no part of what a field was made with.
    """
    for table in tables:
        for field in table._meta.local_fields:
            if field.verbose_name == field.name.replace("_", " "):
                is_number = isinstance(field, _NUMBERS)
                field.verbose_name = field_words(field.name, is_number=is_number)
