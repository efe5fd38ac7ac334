"""Answers as tables: VOTable, CSV, TSV. They are written while rows come, into a file: a query that fails on the way is an
error and no half of a table.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any, Final
from xml.sax.saxutils import escape, quoteattr

from transfer.observations.exports import VOTABLE_TYPE, printable
from transfer.tap.running import as_text
from transfer.tap.tables import Column, bare

_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n'
)


def votable(columns: list[Column], rows: Iterable[Any], limit: int) -> Iterator[str]:
    """A VOTable with one table; whether rows were left out stands at its end, as DALI has it."""
    following = iter(rows)
    yield _HEAD + '<INFO name="QUERY_STATUS" value="OK"/>\n<TABLE>\n'
    for column in columns:
        yield _field(column)
    yield "<DATA><TABLEDATA>\n"
    for row in islice(following, limit):
        cells = (as_text(value) for value in row)
        yield "<TR>" + "".join(f"<TD>{escape(printable(cell))}</TD>" if cell else "<TD/>" for cell in cells) + "</TR>\n"
    yield "</TABLEDATA></DATA>\n</TABLE>\n"
    if next(following, None) is not None:
        yield '<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'
    yield "</RESOURCE>\n</VOTABLE>\n"


def _field(column: Column) -> str:
    said = {"unit": column.unit, "ucd": column.ucd, "utype": column.utype, "xtype": column.xtype}
    more = "".join(f" {name}={quoteattr(value)}" for name, value in said.items() if value)
    size = ' arraysize="*"' if column.datatype == "char" else ""
    name = quoteattr(printable(bare(column.name)))
    about = f"<DESCRIPTION>{escape(column.description)}</DESCRIPTION>" if column.description else ""
    return f'<FIELD name={name} datatype="{column.datatype}"{size}{more}>{about}</FIELD>\n'


def _separated(delimiter: str) -> Callable[[list[Column], Iterable[Any], int], Iterator[str]]:
    def write(columns: list[Column], rows: Iterable[Any], limit: int) -> Iterator[str]:
        writer = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\r\n")
        yield writer.writerow([bare(column.name) for column in columns])
        for row in islice(iter(rows), limit):
            yield writer.writerow([as_text(value) or "" for value in row])

    return write


class _Echo:
    """Gives a written line back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


Writer = Callable[[list[Column], Iterable[Any], int], Iterator[str]]
#: By name: media type, ending and what writes it.
FORMATS: Final[Mapping[str, tuple[str, str, Writer]]] = {
    "votable": (VOTABLE_TYPE, "vot", votable),
    "csv": ("text/csv;header=present", "csv", _separated(",")),
    "tsv": ("text/tab-separated-values", "tsv", _separated("\t")),
}
_ALIASES: Final = {
    "": "votable",
    "application/x-votable+xml": "votable",
    "application/x-votable+xml;serialization=tabledata": "votable",
    "text/xml": "votable",
    "votable/td": "votable",
    "text/csv": "csv",
    "text/csv;header=present": "csv",
    "text/tab-separated-values": "tsv",
}


def format_named(name: str) -> str | None:
    """By its own name or a media type; None for one that there is not."""
    plain = name.strip().lower().replace(" ", "")
    found = _ALIASES.get(plain, plain)
    return found if found in FORMATS else None


def write_answer(name: str, columns: list[Column], rows: Iterable[Any], limit: int, file: IO[bytes]) -> int:
    """All of it; how many rows, at most ``limit``."""
    count = 0

    def counted() -> Iterator[Any]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    for part in FORMATS[name][2](columns, counted(), limit):
        file.write(part.encode())
    return min(count, limit)
