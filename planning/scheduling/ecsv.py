"""A timeline as fyst-trajectories' scheduler writes it: an ECSV table in TOAST's columns with FYST's extensions.

Slews and idle times are no blocks of ours. Of a science block the table has the field (centre, size, side) and the scan;
of a calibration its kind and, where it has one, its target.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, Final

from ccatdc.common.errors import RequestError
from ccatdc.common.row_errors import RowError
from planning.scheduling.timelines import MAX_BLOCKS, Block, FieldGeometry, TimelineError

MAX_BYTES: Final = 8 * 1024 * 1024
#: What a row has to say; "block_type" and the rest are FYST's extensions.
_REQUIRED: Final = ("start_time", "stop_time", "name", "azmin", "azmax", "el")
_NO_OBSERVATION: Final = ("slew", "idle")


def read_ecsv(text: str, program: str, calibration_program: str) -> list[Block]:
    """The blocks of the table. Raises RequestError for what is no such table, TimelineError by row."""
    table = _table(text)
    missing = [name for name in _REQUIRED if name not in table.colnames]
    if missing:
        raise RequestError(
            f"The table has no column {', '.join(missing)}.",
            code="timeline.not_a_timeline",
            remedy="Send the ECSV that the scheduler writes.",
        )
    if len(table) > MAX_BLOCKS:
        raise RequestError(
            f"{len(table)} blocks are too many: at most {MAX_BLOCKS} in one timeline.", code="timeline.too_many_blocks"
        )
    if table.meta.get("timeline_is_empty"):
        return []
    blocks, errors = [], []
    for index, row in enumerate(table):
        said = {name: _plain(row[name]) for name in table.colnames}
        if said.get("block_type", "science") in _NO_OBSERVATION:
            continue
        try:
            blocks.append(_block(index, said, program, calibration_program))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            errors.append(RowError(index, "", "invalid", f"This is no block: {error}"))
    if errors:
        raise TimelineError(errors)
    return blocks


def _table(text: str) -> Any:
    from astropy.table import Table

    try:
        return Table.read(text.splitlines(), format="ascii.ecsv")
    except Exception as error:
        raise RequestError(
            f"This is no ECSV: {error}",
            code="timeline.not_a_timeline",
            remedy="Send the ECSV that the scheduler writes.",
        ) from error


def _plain(value: Any) -> Any:
    """A value of a column as Python's own."""
    return value.item() if hasattr(value, "item") else value


def _block(index: int, said: dict[str, Any], program: str, calibration_program: str) -> Block:
    is_science = said.get("block_type", "science") == "science"
    more = _object(said.get("block_meta_json", ""))
    name, mode = str(said["name"]), str(said.get("scan_type") or said["name"])
    rising = bool(said["rising"]) if "rising" in said else None
    place = _field(said, rising) if is_science else None
    target = str(more.get("target") or "")
    if not is_science:
        mode = str(more.get("cal_type") or mode)
        name = f"{mode} {target}".strip()
    elif mode == "constant_el" and rising is not None:
        name = f"{name} {'rising' if rising else 'setting'} el{_number(said['el']):g}"
    azimuths = sorted((_number(said["azmin"]), _number(said["azmax"])))
    return Block(
        index=index,
        start=_moment(said["start_time"]),
        end=_moment(said["stop_time"]),
        name=name,
        program=program if is_science else calibration_program,
        mode=mode,
        source=target,
        sky_field=place,
        geometry={
            "azimuth_min_deg": azimuths[0],
            "azimuth_max_deg": azimuths[1],
            "elevation_deg": _number(said["el"]),
            "boresight_angle_deg": _number(said.get("boresight_angle", 0.0)),
            "scan_index": int(said.get("scan_index", 0)),
            "subscan_index": int(said.get("subscan_index", 0)),
            "retune_events": [[_number(a), _number(b)] for a, b in more.get("retune_events", [])],
        },
    )


def _field(said: dict[str, Any], rising: bool | None) -> FieldGeometry | None:
    if not {"ra_center", "dec_center"} <= said.keys():
        return None
    width, height = (_number(said.get(name, 0.0)) for name in ("width", "height"))
    return FieldGeometry(_number(said["ra_center"]), _number(said["dec_center"]), width, height, rising)


def _object(text: Any) -> dict[str, Any]:
    found = json.loads(str(text) or "{}")
    if not isinstance(found, dict):
        raise TypeError(f"{text!r} is no object")
    return found


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(str(text).replace(" ", "T"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
