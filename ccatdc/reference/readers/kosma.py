"""Files of the KOSMA software that drives CHAI, to entries.

A line is ``value  name  ! description``; ``!`` begins a comment, values with spaces stand in
quotes. A line that begins with ``#`` is a comment, and the first one may say when the file was written
("… File update time stamp"). Three kinds: a catalogue of sources (``*.cat``, a table of its own kind), ``tiling/*``, the
tiles of one large map, and ``inpar/*``, parameters for all configurations that name the file as
their ``inpar_template``. reference_data/README.md describes them for those who write them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccatdc.reference.entries import Entry, Place, Problem, Value
from planning.models.chai import KOSMA_FRAMES
from planning.sky.ephemerides import astropy_ready

CATALOGUE_SUFFIX = ".cat"
#: The section of inpar lines until the configurations that they belong to are known.
INPAR_SECTION = "inpar"
_TOKEN = re.compile(r"'([^']*)'|\"([^\"]*)\"|([^\s!'\"]+)")
_WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,300}\.?[0-9]{0,300}|\.[0-9]{1,300})([eEdD][+-]?[0-9]{1,4})?")
#: What a lone word of a line is, when its value is missing.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TIME_STAMP = "File update time stamp"
#: Not a unit, but the words that the value can be.
_YES_OR_NO = "Y/N"
_UNIT = re.compile(r"(?P<comment>.*?)\s*\[(?P<unit>[^\[\]]*)\]")
#: KOSMA's coordinate systems as astropy's frames; HORIZON is no place on the sky.
_FRAMES = {"J2000": "icrs", "B1950": "fk4", "GALACTIC": "galactic", "ECLIPTIC": "barycentricmeanecliptic"}
_TILE_TEXT = {"source", "obs_unit", "scan_direction"}
_TILE_WHOLE = {"tile_number", "n_coverages_goal", "priority"}
_TILE_YES_OR_NO = {"center_true_angle"}
_TILE_FRAME = {"center_frame"}
_TILE_NUMBER = {"center_x_arcsec", "center_y_arcsec", "width_arcsec", "height_arcsec", "angle_deg"}

_TILE_FIELDS = _TILE_TEXT | _TILE_WHOLE | _TILE_YES_OR_NO | _TILE_FRAME | _TILE_NUMBER
_WORDS = {"Y": True, "T": True, "N": False, "F": False}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its words without quotes, and what follows the exclamation mark."""

    words: list[str]
    comment: str
    place: Place


def read_catalogue(file: Path, text: str, folder: int, problems: list[Problem]) -> list[Entry]:
    """Fixed sources, a line each: ``name system lambda beta [vlsr_km_s] ! description``.

    Positions are turned into ICRS, to a few hundredths of an arcsecond of the systems' definitions: J2000 is taken as
    ICRS (FK5 differs by 0.02 arcseconds at most); B1950 is FK4 with its terms of aberration, equinox and epoch B1950 (a
    position measured in 1980 may be wrong by 0.15 arcseconds, since FK4 turns slowly); GALACTIC is that of 1958;
    ECLIPTIC is the mean ecliptic and equinox of J2000 as seen from the barycentre, that is without annual aberration,
    as catalogues give it.
    """
    entries = []
    for line in _lines(file, text, problems):
        if len(line.words) not in (4, 5):
            reason = "wanted: name, system, lambda, beta and, if known, velocity (km/s)"
            problems.append(Problem(line.place, "", reason))
            continue
        name, system, lam, bet, *velocity = line.words
        position = _position(system, lam, bet, line.place, problems)
        if velocity and not _NUMBER.fullmatch(velocity[0]):
            reason = f"{velocity[0]!r} is not a number"
            problems.append(Problem(line.place, "vlsr_km_s", reason))
        elif position is not None:
            values: dict[str, Any] = {"name": name, "ra_deg": position[0], "dec_deg": position[1]}
            if velocity:
                values["vlsr_km_s"] = _float(velocity[0])
            if line.comment:
                values["description"] = line.comment
            entries.append(_entry("fixed_source", values, line.place, folder))
    return entries


def read_tiling(file: Path, text: str, folder: int, problems: list[Problem]) -> list[Entry]:
    """The tiles of the map that is named like the file.

    A line ``tile_number`` begins a tile; what stands before the first holds for all.
    """
    common: dict[str, Value] = {}
    tiles: list[Entry] = []
    for line in _named(file, text, problems):
        value, name = line.words
        if name not in _TILE_FIELDS:
            known = ", ".join(sorted(_TILE_FIELDS))
            problems.append(Problem(line.place, name, f"is no field of a tile; there are {known}"))
            continue
        if not value:
            problems.append(Problem(line.place, name, "has no value"))
            continue
        if name == "tile_number":
            given = {"name": Value(file.stem, line.place), **common}
            tiles.append(Entry("chai_tiling", given, line.place, folder))
        target = tiles[-1].values if tiles else common
        earlier = target.get(name)
        if earlier is not None and earlier is not common.get(name):
            reason = f"is given twice, first in line {earlier.place.line}"
            problems.append(Problem(line.place, name, reason))
        target[name] = Value(_tile_value(name, value), line.place)
    return tiles


def _tile_value(name: str, written: str) -> Any:
    """What does not fit stays text, which is refused where values are checked."""
    if name in _TILE_WHOLE and _WHOLE.fullmatch(written):
        return int(written)
    if name in _TILE_YES_OR_NO and written in _WORDS:
        return _WORDS[written]
    if name in _TILE_FRAME:
        return str(KOSMA_FRAMES.get(written, written))
    return _float(written) if name in _TILE_NUMBER and _NUMBER.fullmatch(written) else written


def read_inpar(file: Path, text: str, folder: int, problems: list[Problem]) -> list[Entry]:
    """The parameters of one template, in their order. A unit stands in brackets at the end of the description; the type
    is read off the value.
    """
    seen: dict[str, int] = {}
    entries = []
    for position, line in enumerate(_named(file, text, problems), start=1):
        value, name = line.words
        if name in seen:
            reason = f"is given twice, first in line {seen[name]}"
            problems.append(Problem(line.place, name, reason))
            continue
        seen[name] = line.place.line
        unit = _UNIT.fullmatch(line.comment)
        if unit and unit["unit"] == _YES_OR_NO:
            unit = None
        values = {
            "template": file.name,
            "name": name,
            "value": value,
            "value_type": type_of(value),
            "unit": unit["unit"] if unit else "",
            "comment": unit["comment"] if unit else line.comment,
            "position": position,
        }
        entries.append(_entry(INPAR_SECTION, values, line.place, folder))
    return entries


def type_of(value: str) -> str:
    """How the text of a parameter is read: Fortran writes yes and no as T and F, KOSMA as Y and N too."""
    if value.strip(".").upper() in {"T", "F", "TRUE", "FALSE", "Y", "N"}:
        return "bool"
    if _WHOLE.fullmatch(value):
        return "int"
    return "float" if _NUMBER.fullmatch(value) else "str"


def _named(file: Path, text: str, problems: list[Problem]) -> Iterator[Line]:
    for line in _lines(file, text, problems):
        if len(line.words) == 2:
            yield line
        elif len(line.words) == 1 and _NAME.fullmatch(line.words[0]) and type_of(line.words[0]) == "str":
            yield Line(["", *line.words], line.comment, line.place)
        else:
            reason = "wanted: value  name  ! description (values with spaces in quotes)"
            problems.append(Problem(line.place, "", reason))


def _lines(file: Path, text: str, problems: list[Problem]) -> Iterator[Line]:
    is_first = True
    # Not splitlines(), which also splits at characters that a description may hold.
    for number, written in enumerate(re.split("\r\n|\r|\n", text), start=1):
        place, rest = Place(file, number), written.strip()
        if rest.startswith("#") or (is_first and _TIME_STAMP in rest.partition("!")[0]):
            is_first = is_first and rest.startswith("#")
            continue
        words: list[str] = []
        while rest and not rest.startswith("!"):
            token = _TOKEN.match(rest)
            if token is None or "\0" in token.group():
                problems.append(Problem(place, "", "a quote is not closed, or a character is NUL"))
                words = []
                break
            words.append(next(group for group in token.groups() if group is not None))
            rest = rest[token.end() :].lstrip()
        if words:
            is_first = False
            yield Line(words, _comment(rest), place)


def _comment(rest: str) -> str:
    """What follows the exclamation mark; some lines end with another one."""
    return re.sub(r"(^|\s+)!$", "", rest.removeprefix("!").strip()).strip()


def _position(system: str, lam: str, bet: str, place: Place, problems: list[Problem]) -> tuple[float, float] | None:
    astropy_ready()
    from astropy.coordinates import Angle, SkyCoord

    frame = _FRAMES.get(system)
    if frame is None:
        reason = f"{system!r} is no system of positions on the sky: {', '.join(_FRAMES)}"
        problems.append(Problem(place, "system", reason))
        return None
    hours = ":" in lam and system in ("J2000", "B1950")
    angles = []
    for field, written, unit, limits in (
        ("lambda", lam, "hourangle" if hours else "deg", (0, 360)),
        ("beta", bet, "deg", (-90, 90)),
    ):
        try:
            with warnings.catch_warnings(action="error"):  # 60 seconds, which it would carry over
                degrees = float(Angle(written, unit=unit).deg)
        except (ValueError, Warning):
            problems.append(Problem(place, field, f"{_short(written)} is not an angle"))
            return None
        if not limits[0] <= degrees <= limits[1] or degrees == 360:
            reason = f"{degrees:g} degrees is not within {limits[0]} and {limits[1]}"
            problems.append(Problem(place, field, reason))
            return None
        angles.append(degrees)
    if frame == "icrs":
        return angles[0], angles[1]
    found = SkyCoord(*angles, unit="deg", frame=frame).icrs
    return float(found.ra.deg), float(found.dec.deg)


def _short(written: str) -> str:
    return repr(written if len(written) <= 40 else f"{written[:40]}…")


def _float(written: str) -> float:
    return float(written.lower().replace("d", "e"))


def _entry(section: str, values: dict[str, Any], place: Place, folder: int) -> Entry:
    return Entry(section, {k: Value(v, place) for k, v in values.items()}, place, folder)
