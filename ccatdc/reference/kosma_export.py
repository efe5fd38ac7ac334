"""CHAI's tiles and parameters as files of its software, the other way round from .kosma_files.

A file is written only when reading it gives the same values back; other rows are returned, for a
table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ccatdc.reference.entries import Entry
from ccatdc.reference.kosma_files import read_inpar, read_tiling
from ccatdc.reference.problems import Problem

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
            _line(row["value"], row["name"], f"{row['comment']} [{row['unit']}]".replace(" []", ""))
            for row in first
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
    written = str(value)
    if not written or any(c.isspace() or c in "!'\"" for c in written):
        written = f'"{written}"' if "'" in written else f"'{written}'"
    return f"{written}  {name}  ! {comment}".rstrip(" !") + "\n"


def _is_name(name: str) -> bool:
    """Whether a file can have this name."""
    return name == Path(name).name and not name.startswith(".") and len(name.encode()) < 200


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")
