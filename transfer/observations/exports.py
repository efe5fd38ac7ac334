"""Lists of observations as files: CSV, JSON, VOTable. They are sent while they are read, up to a limit of rows.

A VOTable is written as the DALI recommendation asks: its state stands at the beginning, and OVERFLOW at the end when
rows were left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from ccatdc.common.csv_lines import csv_line
from transfer.observations.lines import Line

MAX_ROWS: Final = 10_000
_UNIX_EPOCH_MJD: Final = 40587.0
VOTABLE_TYPE: Final = "application/x-votable+xml"


class Field(NamedTuple):
    """A column: its type in VOTable, unit and UCD, and how its value is got."""

    name: str
    datatype: str
    unit: str
    ucd: str
    value: Callable[[Line], Any]


def mjd(moment: datetime | None) -> float | None:
    """Days, as the Virtual Observatory counts them; UTC."""
    return None if moment is None else _UNIX_EPOCH_MJD + moment.timestamp() / 86400


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


#: ObsCore's names where it has one.
FIELDS: Final = (
    Field("obs_id", "char", "", "meta.id;meta.main", lambda line: str(line.row.pk)),
    Field("target_name", "char", "", "meta.id;src", lambda line: line.row.obs_unit.target_name),
    Field("s_ra", "double", "deg", "pos.eq.ra;meta.main", lambda line: line.place and line.place.ra_deg),
    Field("s_dec", "double", "deg", "pos.eq.dec;meta.main", lambda line: line.place and line.place.dec_deg),
    Field("t_min", "double", "d", "time.start;obs.exposure", lambda line: mjd(line.row.start_time)),
    Field("t_max", "double", "d", "time.end;obs.exposure", lambda line: mjd(line.row.end_time)),
    Field("start_time", "char", "", "time.start", lambda line: _iso(line.row.start_time)),
    Field("end_time", "char", "", "time.end", lambda line: _iso(line.row.end_time)),
    Field(
        "proposal_id", "char", "", "meta.id;obs.proposal", lambda line: line.row.obs_unit.observing_program.short_name
    ),
    Field("obs_unit", "char", "", "meta.id;obs", lambda line: line.row.obs_unit.name),
    Field("obs_mode", "char", "", "meta.code;obs", lambda line: line.row.obs_unit.obs_mode.name),
    Field("facility_name", "char", "", "meta.id;instr.tel", lambda line: line.row.obs_unit.telescope.name),
    Field("modules", "char", "", "meta.id;instr", lambda line: " ".join(line.modules)),
    Field("status", "char", "", "meta.code", lambda line: line.row.status),
    Field("quality", "char", "", "meta.code.qual", lambda line: line.row.quality),
    Field("pwv", "double", "mm", "phys.columnDensity;obs.atmos", lambda line: line.row.pwv_mm_mean),
    Field("elevation", "double", "deg", "pos.az.alt", lambda line: line.row.elevation_deg_mean),
    Field("packages", "int", "", "meta.number", lambda line: line.packages),
    Field("packages_archived", "int", "", "meta.number", lambda line: line.archived),
    Field("size", "long", "byte", "phys.size;meta.file", lambda line: line.size),
)


def csv_parts(lines: Iterable[Line], limit: int = MAX_ROWS) -> Iterator[str]:
    """A line of names, then one for each observation. A cell never begins as a formula of a spreadsheet does."""
    yield csv_line(field.name for field in FIELDS)
    for line in islice(lines, limit):
        yield csv_line(_values(line))


def json_parts(lines: Iterable[Line], limit: int = MAX_ROWS) -> Iterator[str]:
    """``observations``, and whether rows were left out."""
    following = iter(lines)
    yield '{"observations": ['
    for number, line in enumerate(islice(following, limit)):
        named = {field.name: value for field, value in zip(FIELDS, _values(line), strict=True)}
        yield (",\n" if number else "\n") + json.dumps(named)
    yield f'\n], "overflow": {json.dumps(next(following, None) is not None)}}}\n'


def votable_parts(lines: Iterable[Line], limit: int = MAX_ROWS, ucds: Mapping[str, str] | None = None) -> Iterator[str]:
    """A VOTable 1.4 with one table; ``ucds`` by name of a column in place of ours."""
    following = iter(lines)
    yield _HEAD + '<INFO name="QUERY_STATUS" value="OK"/>\n<TABLE name="observations">\n'
    for field in FIELDS:
        ucd = (ucds or {}).get(field.name, field.ucd)
        size = ' arraysize="*"' if field.datatype == "char" else ""
        unit = f" unit={quoteattr(field.unit)}" if field.unit else ""
        yield f'<FIELD name="{field.name}" ID="{field.name}" datatype="{field.datatype}"{size}{unit} ucd="{ucd}"/>\n'
    yield "<DATA><TABLEDATA>\n"
    for line in islice(following, limit):
        cells = ("" if value is None else escape(printable(str(value))) for value in _values(line))
        yield "<TR>" + "".join(f"<TD>{cell}</TD>" for cell in cells) + "</TR>\n"
    yield "</TABLEDATA></DATA>\n</TABLE>\n"
    if next(following, None) is not None:
        yield '<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'
    yield "</RESOURCE>\n</VOTABLE>\n"


def votable_error(message: str) -> str:
    """What a VO client gets in place of a table. The cone search's own recommendation and DALI name it differently."""
    text = escape(printable(message))
    told = quoteattr(printable(message))
    return (
        f'{_HEAD}<INFO name="QUERY_STATUS" value="ERROR">{text}</INFO>\n<INFO name="Error" ID="Error" value={told}/>\n'
        "</RESOURCE>\n</VOTABLE>\n"
    )


#: What the Simple Cone Search 1.03 calls its three main columns: UCDs of their first version.
CONE_SEARCH_UCDS: Final[Mapping[str, str]] = {"obs_id": "ID_MAIN", "s_ra": "POS_EQ_RA_MAIN", "s_dec": "POS_EQ_DEC_MAIN"}
#: Name in the address: media type, and what makes the file.
FORMATS: Final[Mapping[str, tuple[str, Callable[[Iterable[Line]], Iterator[str]]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_parts),
    "json": ("application/json", json_parts),
    "votable": (VOTABLE_TYPE, votable_parts),
}
#: What buttons call them.
LABELS: Final = (("csv", "CSV"), ("json", "JSON"), ("votable", "VOTable"))
#: How the file is called.
ENDINGS: Final = {"csv": "csv", "json": "json", "votable": "vot"}

_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n'
)


def _values(line: Line) -> list[Any]:
    return [field.value(line) for field in FIELDS]


def printable(text: str) -> str:
    """Without what XML cannot hold, such as control characters and halves of characters."""
    return "".join(
        c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
    )
