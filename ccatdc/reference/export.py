"""The database's reference data as files that a load reads back: the way from the portal to version control.

Few rows go to ``<section>.yaml``, what there may be many of to ``<section>.csv``. CHAI's tiles and parameters go to
files of its software where reading the file gives the same values back; the others go into a table. What is empty, and
is so in a new row, is left out. References to users are not written: they are no reference data.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from django.db import models, transaction

from ccatdc.common.errors import RequestError
from ccatdc.reference.declarations import DECLARATIONS, Declaration, family_of
from ccatdc.reference.entries import Entry, Problem
from ccatdc.reference.load.inpar import PARAMETER_SECTION, configurations_by_template
from ccatdc.reference.load.resolving import target_of
from ccatdc.reference.load.stored import StoredRows
from ccatdc.reference.readers.csv import SCAN_PARAMS, scan_parameters
from ccatdc.reference.readers.kosma import read_inpar, read_tiling
from planning.models import ChaiTiling

#: The library folds some characters so that they do not come back.
_NEVER_FOLDED = 2**31


class _Dumper(yaml.SafeDumper):
    """Plain YAML that reads back as it was."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Escapes for what does not print: the library writes a next-line character as a line's end."""
        escaped = not text.replace("\n", "").isprintable()
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if escaped else None)

    def ignore_aliases(self, _data: Any) -> bool:
        """A value that occurs twice is written twice: aliases are not read."""
        return True


_Dumper.add_representer(str, _Dumper.represent_text)

#: What a file says of one row.
Written = dict[str, Any]


class FolderInUseError(RequestError):
    """The folder holds files already; nothing was written."""

    default_code = "reference.folder_in_use"


def export_reference(folder: Path) -> list[Path]:
    """Write all reference data into a new or empty folder; returns the files.

    Raises :class:`FolderInUseError`: a file of an earlier export would be loaded together with these.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderInUseError(f"{folder} is no empty folder.", remedy="Name a new one, and compare the two.")
    folder.mkdir(parents=True, exist_ok=True)
    with transaction.atomic():
        stored = StoredRows()
        for declaration in DECLARATIONS:
            rows = _rows(declaration, stored)
            if declaration.model is ChaiTiling:
                rows = write_tilings(folder / "tiling", rows)
            elif declaration.section == PARAMETER_SECTION:
                users = configurations_by_template(stored)
                rows = write_inpar(folder / "inpar", users, rows)
            if rows and declaration.many:
                _write_csv(folder / f"{declaration.section}.csv", declaration, rows)
            elif rows:
                _write_yaml(folder / f"{declaration.section}.yaml", declaration, rows)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _rows(declaration: Declaration, stored: StoredRows) -> list[Written]:
    links = {name: stored.links(declaration.model, name) for name in declaration.links}
    found = []
    for _, row in sorted(stored.rows(declaration.family).items()):
        if type(row) is not declaration.model:
            continue
        written = {
            name: _value(column, getattr(row, column.attname), stored)
            for name, column in declaration.fields.items()
            if not _is_left_out(column, getattr(row, column.attname))
        }
        for name, linked in links.items():
            family = family_of(target_of(declaration.links[name]))
            if names := sorted(stored.name_of(family, pk) for pk in linked.get(row.pk, ())):
                written[name] = names
        found.append(written)
    return found


def _is_left_out(column: models.Field[Any, Any], value: Any) -> bool:
    """Whether it is nothing, as in a new row: also for one whose default is something else."""
    return value in (None, "", [], {}) and value == column.get_default()


def _value(column: models.Field[Any, Any], value: Any, stored: StoredRows) -> Any:
    if value is None:
        return None
    if column.is_relation:
        return stored.name_of(family_of(target_of(column)), value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    # Fourteen digits, as many as a rest frequency has, survive in a double.
    return float(value) if isinstance(value, Decimal) else value


def _write_yaml(path: Path, declaration: Declaration, rows: Sequence[Written]) -> None:
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(
            {declaration.section: list(rows)}, file, _Dumper, sort_keys=False, allow_unicode=True, width=_NEVER_FOLDED
        )


def _write_csv(path: Path, declaration: Declaration, rows: Sequence[Written]) -> None:
    scan = scan_parameters(declaration)
    if scan and all(row.get(SCAN_PARAMS, {}).keys() <= set(scan) for row in rows):
        rows = [{k: v for k, v in row.items() if k != SCAN_PARAMS} | row.get(SCAN_PARAMS, {}) for row in rows]
    given = {name for row in rows for name in row}
    columns = [n for n in (*declaration.fields, *declaration.links, *scan) if n in given]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        # The writer quotes its own end of line only, but a reader takes a carriage return for one too.
        careful = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        for row in rows:
            cells = [_cell(row.get(name)) for name in columns]
            (careful if any("\r" in cell for cell in cells) else writer).writerow(cells)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


_CONFIGURATION = "chai_observation_configuration"


def write_tilings(folder: Path, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A file for each map. Returns the tiles that no file can say."""
    maps: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        maps[row["name"]].append(row)
    left = []
    for name, unsorted in maps.items():
        tiles = sorted(unsorted, key=lambda tile: int(tile["tile_number"]))
        text = "".join(
            _line(tile["tile_number"], "tile_number", "")
            + "".join(_line(v, k, "") for k, v in tile.items() if k not in ("name", "tile_number"))
            for tile in tiles
        )
        file, problems = folder / f"{name}.tiling", list[Problem]()
        if _is_name(name) and _values(read_tiling(file, text, 0, problems)) == tiles:
            _write(file, text)
        else:
            left += tiles
    return left


def write_inpar(
    folder: Path, users: Mapping[str, Sequence[str]], rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A file for each template whose configurations agree. Returns the parameters of the others.

    ``users`` are the names of the configurations by template.
    """
    by_configuration: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row.get("position", 0))):
        by_configuration[row[_CONFIGURATION]].append(row)
    for template, names in users.items():
        first, *others = [_without_owner(by_configuration.get(name, [])) for name in names]
        text = "".join(
            _line(row["value"], row["name"], f"{row['comment']} [{row['unit']}]".replace(" []", "")) for row in first
        )
        file, problems = folder / template, list[Problem]()
        expected = [{"template": template, **row} for row in first]
        agreed = first and all(other == first for other in others) and _is_name(template)
        if agreed and _values(read_inpar(file, text, 0, problems)) == expected:
            _write(file, text)
            for name in names:
                del by_configuration[name]
    return [row for rows_of_one in by_configuration.values() for row in rows_of_one]


def _without_owner(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    empty = {"value": "", "unit": "", "comment": ""}
    return [empty | {k: v for k, v in row.items() if k != _CONFIGURATION} for row in rows]


def _values(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [{name: value.value for name, value in entry.values.items()} for entry in entries]


def _line(value: Any, name: str, comment: str) -> str:
    written = ("N", "Y")[value] if isinstance(value, bool) else str(value)
    if not written or any(c.isspace() or c in "!'\"" for c in written):
        written = f'"{written}"' if "'" in written else f"'{written}'"
    return f"{written}  {name}  ! {comment}".rstrip(" !") + "\n"


def _is_name(name: str) -> bool:
    """Whether a file can have this name."""
    return name == Path(name).name and not name.startswith(".") and len(name.encode()) < 200


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")
