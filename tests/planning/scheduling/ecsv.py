"""A timeline as fyst-trajectories 0.4.0 writes it: its columns, and the blocks of a part of a night."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

NIGHT = datetime(2026, 6, 1, 22, 0)
DEEP = {"ra_center": 24.0, "dec_center": -32.0, "width": 40.0, "height": 10.0, "velocity": 1.0}


def block(minutes: float, length: float, kind: str, name: str, scan: str, **fields: Any) -> dict[str, Any]:
    """A row of the table; times in minutes."""
    start = NIGHT + timedelta(minutes=minutes)
    meta = fields.pop("meta", {})
    scan_params = fields.pop("scan_params", {})
    row = {
        "start_time": start.isoformat(" ", "milliseconds"),
        "stop_time": (start + timedelta(minutes=length)).isoformat(" ", "milliseconds"),
        "boresight_angle": 12.5,
        "name": name,
        "azmin": 110.0,
        "azmax": 130.0,
        "az_final": float("nan"),
        "el": 50.0,
        "scan_index": 0,
        "subscan_index": 0,
        "block_type": kind,
        "scan_type": scan,
        "rising": True,
        **dict.fromkeys(DEEP, 0.0),
        **fields,
    }
    return {**row, "scan_params_json": json.dumps(scan_params), "block_meta_json": json.dumps(meta)}


def part_of_a_night() -> list[dict[str, Any]]:
    """Pointing on a planet, a retune in place, two subscans of a field, a skydip, a daisy."""
    return [
        block(0, 5, "slew", "slew", "slew", azmin=200.0, azmax=110.0),
        block(5, 3, "calibration", "pointing_cal", "pointing_cal", meta={"cal_type": "pointing_cal", "target": "jupiter"}),
        block(8, 0.1, "calibration", "retune", "retune", meta={"cal_type": "retune", "target": None}),
        block(10, 20, "science", "Deep56", "constant_el", scan_index=1, **DEEP, meta={"retune_events": [[600.0, 5.0]]}),
        block(30, 20, "science", "Deep56", "constant_el", scan_index=1, subscan_index=1, **DEEP),
        block(50, 2, "idle", "idle", ""),
        block(52, 4, "calibration", "skydip", "skydip", azmin=180.0, azmax=180.0, meta={"cal_type": "skydip", "target": None}),
        block(60, 20, "science", "E-COSMOS", "pong", scan_index=2, ra_center=150.12, dec_center=2.2, width=2.0,
              height=2.0, velocity=0.5, scan_params={"spacing": 0.1}),
    ]  # fmt: skip


def written(rows: list[dict[str, Any]]) -> str:
    """As the planner writes them, quantities and metadata included."""
    from astropy import units
    from astropy.table import QTable, Table

    table = Table(rows)
    for name in ("azmin", "azmax", "az_final", "el", "boresight_angle"):
        table[name].unit = units.deg
    table.meta["timeline_start_time"] = rows[0]["start_time"]
    table.meta["timeline_is_empty"] = False
    table.meta["site_lat"] = -22.985639 * units.deg
    table.meta["calibration_planet_targets"] = json.dumps(["jupiter"])
    text = StringIO()
    QTable(table).write(text, format="ascii.ecsv")
    return text.getvalue()
