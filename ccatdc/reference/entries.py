"""What readers of files pass on: entries that remember file and line, whatever the format; and what is wrong with them:
file, line, field, reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ccatdc.common.errors import RequestError


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; ``line`` counts from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``field`` is empty when it concerns the entry as a whole."""

    place: Place
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.field}: {self.reason}" if self.field else (f"{self.place}: {self.reason}")


#: More are counted only: a table with the wrong separator is wrong in every line.
_SHOWN = 200


class AmbiguousNameError(RequestError):
    """Two rows of the database are named alike in files, since a part of a name holds the separator."""

    default_code = "reference.ambiguous_name"


class ReferenceDataError(RequestError):
    """The files cannot be loaded. Nothing was stored; ``problems`` lists everything found."""

    default_code = "reference.invalid"

    def __init__(self, problems: list[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in problems[:_SHOWN])
        if len(problems) > _SHOWN:
            lines += f"\n  and {len(problems) - _SHOWN} more"
        super().__init__(
            f"The reference data has {count}:\n{lines}",
            remedy="\nNothing was loaded. Correct the files and load them again.",
        )
        self.problems = problems


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
