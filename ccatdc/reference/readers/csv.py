"""CSV files to entries: a file is a table of one section, its first line names the fields.

``fixed_source.csv`` or ``fixed_source.pointing.csv`` holds rows of ``fixed_source``. What a cell means follows from the
field: all is text in CSV. An empty cell is nothing where a field can be empty; elsewhere the field is not given. Lists
and objects are written as JSON. A scan of Prime-Cam may give its parameters as columns of their own (a table of mapping
parameters).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import models

from ccatdc.reference.declarations import BY_SECTION, Declaration, ModelField
from ccatdc.reference.entries import UNREADABLE, Entry, Place, Problem, Value
from ccatdc.reference.load.merging import did_you_mean
from ccatdc.reference.values import UnusableValueError
from planning.models import PrimeCamObservationConfiguration
from planning.models.scan_parameters import SCAN_PARAMETERS

SUFFIX = ".csv"
#: The field that scan parameters given as columns make up.
SCAN_PARAMS = "scan_params"
# Digits of ASCII, and not more than Python reads; PostgreSQL has no number as long either.
_WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,300}\.?[0-9]{0,300}|\.[0-9]{1,300})([eE][+-]?[0-9]{1,4})?")
_NOT_GIVEN = object()
# A description may be longer than the 131,072 characters that the module stops at by default.
csv.field_size_limit(2**31 - 1)


def read_csv(file: Path, text: str, folder: int, problems: list[Problem]) -> list[Entry]:
    """The entries of one table; what is wrong with it is added to ``problems``."""
    declaration = BY_SECTION.get(section := file.name.split(".")[0])
    if declaration is None:
        reason = f"the file is named after no section{did_you_mean(section, BY_SECTION)}"
        problems.append(Problem(Place(file, 1), section, reason))
        return []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if not _is_header(header, declaration, Place(file, 1), problems):
            return []
        return list(_entries(reader, header, declaration, (file, folder), problems))
    except csv.Error as error:
        problems.append(Problem(Place(file, reader.line_num), "", f"is not CSV: {error}"))
        return []


def scan_parameters(declaration: Declaration) -> list[str]:
    """Parameters that a table of this section may have as columns."""
    if declaration.model is not PrimeCamObservationConfiguration:
        return []
    return list(dict.fromkeys(name for names in SCAN_PARAMETERS.values() for name in names))


def _is_header(header: list[str], declaration: Declaration, place: Place, problems: list[Problem]) -> bool:
    scan = scan_parameters(declaration)
    known = {*declaration.fields, *declaration.links, *scan}
    before = len(problems)
    if len(header) == 1 and (wrong := next((c for c in ";\t" if c in header[0]), None)):
        problems.append(Problem(place, "", f"cells are separated by commas here, not by {wrong!r}"))
        return False
    if not any(header):
        problems.append(Problem(place, "", "is empty: the first line names the fields"))
        return False
    for number, name in enumerate(header):
        if name not in known:
            reason = f"is no field of {declaration.section}{did_you_mean(name, known)}"
            problems.append(Problem(place, name, reason))
        elif name in header[:number]:
            problems.append(Problem(place, name, "is given twice"))
    for name in declaration.key:
        if name not in header:
            reason = f"is missing: it names the {declaration.section}"
            problems.append(Problem(place, name, reason))
    if SCAN_PARAMS in header and set(header) & set(scan) - declaration.fields.keys():
        reason = "is given as a whole and by columns of its own"
        problems.append(Problem(place, SCAN_PARAMS, reason))
    return len(problems) == before


def _entries(
    reader: Any, header: list[str], declaration: Declaration, origin: tuple[Path, int], problems: list[Problem]
) -> Iterator[Entry]:
    file, folder = origin
    by_columns = set(scan_parameters(declaration)) - declaration.fields.keys()
    line = reader.line_num + 1
    for cells in reader:
        place, line = Place(file, line), reader.line_num + 1
        if not cells:  # an empty line
            continue
        if len(cells) != len(header):
            reason = f"has {len(cells)} cells, the header has {len(header)}"
            problems.append(Problem(place, "", reason))
            continue
        values: dict[str, Value] = {}
        scan: dict[str, Any] = {}
        for name, cell in zip(header, cells, strict=True):
            try:
                if name in by_columns:
                    if cell:
                        scan[name] = _number(cell)
                elif (value := _written(declaration, name, cell)) is not _NOT_GIVEN:
                    values[name] = Value(value, place)
            except UnusableValueError as error:
                problems.append(Problem(place, name, str(error)))
                values[name] = Value(UNREADABLE, place)
        if scan or by_columns & set(header):
            values[SCAN_PARAMS] = Value(scan, place)
        yield Entry(declaration.section, values, place, folder)


def _written(declaration: Declaration, name: str, cell: str) -> Any:
    """What the same value would be in YAML."""
    if name in declaration.links:
        return _json(cell) if cell else []
    column = declaration.fields[name]
    if cell:
        return _value(column, cell)
    if column.null:
        return None
    if isinstance(column, models.CharField | models.TextField) and column.blank:
        return ""
    return _NOT_GIVEN


def _value(column: ModelField, cell: str) -> Any:
    """A cell that does not fit its field stays text, which is refused where values are checked."""
    if column.is_relation:
        return cell
    if isinstance(column, models.JSONField):
        return _json(cell)
    if isinstance(column, models.BooleanField):
        return {"true": True, "false": False}.get(cell, cell)
    if isinstance(column, models.IntegerField):
        return int(cell) if _WHOLE.fullmatch(cell) else cell
    if isinstance(column, models.FloatField | models.DecimalField):
        return _number(cell)
    return cell


def _number(cell: str) -> int | float | str:
    if not _NUMBER.fullmatch(cell):
        return cell
    return int(cell) if _WHOLE.fullmatch(cell) else float(cell)


def _json(cell: str) -> Any:
    try:
        return json.loads(cell, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        shown = cell if len(cell) <= 80 else f"{cell[:80]}…"
        raise UnusableValueError(f"{shown!r} is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; readers keep the last of equal names without a word."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = value
    return found
