"""How the demo's locations differ from those of ``reference_data``: other places, no waiting.

Written as a second folder of reference files, the way an operator describes another installation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ccatdc.demo.home import Home

REFERENCE_DATA = Path(__file__).resolve().parents[2] / "reference_data"

#: Site and name of every disk location.
DISKS = (
    ("ccat", "primecam_raw_data"),
    ("ccat", "chai_raw_data"),
    ("ccat", "output_buffer"),
    ("ccat", "output_buffer_b"),
    ("cologne", "input_buffer"),
    ("cologne", "input_buffer_b"),
    ("cologne", "ramses_processing"),
)
BUCKETS = (("cologne", "long_term_archive"), ("us", "lta"))

#: A night passes in seconds: nothing settles, waits for company or is kept for later. A laptop's
#: disk may be nearly full without being in trouble.
_AT_ONCE: dict[str, Any] = {
    "settle_seconds": 0,
    "bundle_max_age_seconds": 0,
    "retention_days": 0,
    "warning_pct": 97,
    "critical_pct": 99,
    "emergency_pct": 100,
    "check_interval_seconds": 60,
}

_HEAD = "# Made by scripts/demo at every start: where its locations are. Not meant to be edited.\n"


def write_overlay(home: Home, endpoint_url: str) -> list[Path]:
    """Write the demo's own reference files; returns the folders to load, in order."""
    disks = [
        {"site": site, "name": name, "path": str(home.disk(site, name)), "host": "", **_AT_ONCE}
        for site, name in DISKS
    ]
    buckets = [
        {"site": site, "name": name, "endpoint_url": endpoint_url, "check_interval_seconds": 60}
        for site, name in BUCKETS
    ]
    sections = {"disk_data_location": disks, "s3_data_location": buckets}
    home.reference.mkdir(exist_ok=True)
    text = yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=1000)
    (home.reference / "demo.yaml").write_text(_HEAD + text, encoding="utf-8")
    return [REFERENCE_DATA, home.reference]
