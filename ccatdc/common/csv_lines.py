"""Lines of CSV, made one by one while rows are read. Imports no app."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, Final

#: A spreadsheet takes a cell that begins so for a formula and runs it.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Echo:
    """Gives a written line back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


_WRITER: Final = csv.writer(_Echo())


def csv_line(values: Iterable[Any]) -> str:
    """One line with its end. A text that a spreadsheet would run gets an apostrophe before it."""
    line: str = _WRITER.writerow([_plain(value) for value in values])
    return line


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
