"""Layouts: how an instrument's tree of files is to be read.

A layout is a pattern of relative paths, and says by which of its groups files follow one another: a file is complete
when a later one of its lane exists. Three are known by name; others are read from a JSON file with the same members.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from ccat_file.errors import UsageError
from ccat_file.rows import FILE_TYPES

#: Groups with a number are compared as numbers: file 10 comes after file 9.
_DIGITS: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to lay files out.

    ``pattern`` matches a whole relative path. ``lane``: files with the same values of these groups follow one another,
    ``order`` says how. ``start``: the group with the time at which a file begins, in seconds since 1970; with
    ``continues`` that is the time of the whole session, and a file begins where the one before it ended. ``readout``:
    how the groups make the id of a read-out stream, from which the module follows. Seconds: ``quiet`` is how long a
    file without a successor has to rest until it counts as complete.
    """

    pattern: str
    lane: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    start: str = ""
    continues: bool = False
    readout: str = ""
    file_type: str = "other"
    quiet: float = 120.0

    def __post_init__(self) -> None:
        """UsageError for a layout that makes no sense."""
        try:
            compiled = re.compile(self.pattern)
        except re.error as error:
            raise UsageError(f"The pattern {self.pattern!r} is no regular expression: {error}.") from error
        unknown = {*self.lane, *self.order, *filter(None, [self.start])} - set(compiled.groupindex)
        if unknown:
            raise UsageError(f"The pattern has no group {min(unknown)!r}.")
        try:
            self.readout.format(**dict.fromkeys(compiled.groupindex, "0"))
        except (KeyError, IndexError, ValueError) as error:
            raise UsageError(f"readout {self.readout!r} does not fit the groups of the pattern.") from error
        if self.file_type not in FILE_TYPES:
            raise UsageError(f"file_type is one of {', '.join(FILE_TYPES)}.")
        if not self.quiet > 0:
            raise UsageError("quiet is a positive number of seconds.")

    def match(self, path: str) -> Place | None:
        """Where a file stands in the layout; None for one that is not of it."""
        found = re.fullmatch(self.pattern, path)
        if found is None:
            return None
        groups = {name: value or "" for name, value in found.groupdict().items()}
        begins = groups.get(self.start, "")
        return Place(
            lane=tuple(groups[name] for name in self.lane),
            order=tuple(_number_or_text(groups[name]) for name in self.order),
            start=float(begins) if _DIGITS.fullmatch(begins) else None,
            readout=self.readout.format(**groups),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A file's place: its lane, its order there, when it begins (seconds since 1970), its read-out stream."""

    lane: tuple[str, ...]
    order: tuple[tuple[int, str], ...]
    start: float | None
    readout: str


def _number_or_text(value: str) -> tuple[int, str]:
    return (int(value), "") if _DIGITS.fullmatch(value) else (-1, value)


#: rfsoc-streamer rotates a drone's file every 600 s and ends a session by beginning another; file names are final
#: while the files are open. OCS writes housekeeping in files of 15 minutes. ccatkidlib has a folder for each session.
LAYOUTS: Final[Mapping[str, Layout]] = {
    "rfsoc": Layout(
        pattern=r"\d{5}/(?P<stream>rfsoc\d{2}_?drone\d)/r\d{2}d\d_(?P<session>\d{10})_(?P<sequence>\d+)\.g3",
        lane=("stream",),
        order=("session", "sequence"),
        start="session",
        continues=True,
        readout="{stream}",
        file_type="detector_timestream",
        quiet=900,
    ),
    "housekeeping": Layout(
        pattern=r"\d{5}/(?P<time>\d{10})\.g3", order=("time",), start="time", file_type="housekeeping", quiet=1200
    ),
    "ccatkidlib": Layout(
        pattern=r"\d{8}/(?P<session>\d{10})/(?:timestream|targ|vna|config)/(?:B(?P<board>\d+)D(?P<drone>\d)/)?.+",
        order=("session",),
        start="session",
        readout="B{board}D{drone}",
        file_type="other",
        quiet=300,
    ),
}


def layout_of(name: str) -> Layout:
    """A known layout, or one from a JSON file. UsageError for what is neither."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    try:
        document = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        known = ", ".join(LAYOUTS)
        raise UsageError(f"{name!r} is no layout ({known}) and no JSON file with one: {error}.") from error
    if not isinstance(document, dict):
        raise UsageError(f"{name} holds no JSON object.")
    known_fields = {field.name for field in fields(Layout)}
    unknown = set(document) - known_fields
    if unknown or "pattern" not in document:
        raise UsageError(f"{name}: a layout has pattern and may have {', '.join(sorted(known_fields - {'pattern'}))}.")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    try:
        return Layout(**values)
    except (TypeError, AttributeError) as error:
        raise UsageError(f"{name}: {error}.") from error
