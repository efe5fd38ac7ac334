"""Entries of all files, put together: each row once, later folders over earlier ones.

An operator keeps the common data in one folder and what differs at a site, or in a test, in a second one that names
only the fields that differ.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from ccatdc.reference.declarations import BY_SECTION, DECLARATIONS, Declaration
from ccatdc.reference.entries import UNREADABLE, Entry, Place, Problem, Value
from ccatdc.reference.values import UnusableValueError, key_written


@dataclass(frozen=True, slots=True)
class Row:
    """What the files say about one row. ``place`` is where it was mentioned first."""

    declaration: Declaration
    name: str
    values: dict[str, Value]
    place: Place

    def where(self, field: str) -> Place:
        """Where a field was written; the entry itself for one that was not."""
        return self.values[field].place if field in self.values else self.place


@dataclass(slots=True)
class _Merged:
    row: Row
    folder: int


def merged_rows(entries: Iterable[Entry], problems: list[Problem]) -> list[Row]:
    """One row for each thing named, in the order in which they are to be made."""
    found: dict[tuple[type, str], _Merged] = {}
    for entry in entries:
        declaration = BY_SECTION.get(entry.section)
        if declaration is None:
            reason = f"is no section{did_you_mean(entry.section, BY_SECTION)}"
            problems.append(Problem(entry.place, entry.section, reason))
        elif _has_known_fields(entry, declaration, problems):
            name = _name_in(entry, declaration, problems)
            if name:
                _add(found, entry, declaration, name, problems)
    order = {declaration: number for number, declaration in enumerate(DECLARATIONS)}
    return sorted((m.row for m in found.values()), key=lambda row: order[row.declaration])


def _add(
    found: dict[tuple[type, str], _Merged], entry: Entry, declaration: Declaration, name: str, problems: list[Problem]
) -> None:
    earlier = found.get((declaration.family, name))
    if earlier is None:
        row = Row(declaration, name, dict(entry.values), entry.place)
        found[declaration.family, name] = _Merged(row, entry.folder)
    elif earlier.row.declaration is not declaration:
        reason = f"{name} is a {earlier.row.declaration.section} in {earlier.row.place}"
        problems.append(Problem(entry.place, declaration.key[-1], reason))
    elif earlier.folder == entry.folder:
        reason = f"{name} is given twice, first in {earlier.row.place}"
        problems.append(Problem(entry.place, declaration.key[-1], reason))
    else:
        earlier.row.values.update(entry.values)
        earlier.folder = entry.folder


def _has_known_fields(entry: Entry, declaration: Declaration, problems: list[Problem]) -> bool:
    known = [*declaration.fields, *declaration.links]
    unknown = [name for name in entry.values if name not in known]
    problems.extend(
        Problem(entry.values[name].place, name, f"is no field of {entry.section}{did_you_mean(name, known)}")
        for name in unknown
    )
    return not unknown


def _name_in(entry: Entry, declaration: Declaration, problems: list[Problem]) -> str:
    parts = []
    for key in declaration.key:
        if key not in entry.values:
            problems.append(Problem(entry.place, key, f"is missing: it names the {entry.section}"))
            continue
        if entry.values[key].value is UNREADABLE:
            continue
        try:
            parts.append(key_written(declaration.fields[key], entry.values[key].value))
        except UnusableValueError as error:
            problems.append(Problem(entry.values[key].place, key, str(error)))
    return declaration.separator.join(parts) if len(parts) == len(declaration.key) else ""


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """The name nearest to a misspelt one, or all there are."""
    names = sorted(known)
    close = difflib.get_close_matches(written, names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}"
