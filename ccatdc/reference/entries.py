"""What readers of files hand on: entries that remember file and line, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ccatdc.reference.problems import Place

#: In place of a value that could not be read; that is reported already.
UNREADABLE: Final = object()


@dataclass(frozen=True, slots=True)
class Value:
    """What was written for one field, and where."""

    value: Any
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a section. ``folder`` counts the folders of a load: later ones override."""

    section: str
    values: dict[str, Value]
    place: Place
    folder: int
