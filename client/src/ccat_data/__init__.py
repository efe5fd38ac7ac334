"""Search, stage, download and verify data of the CCAT Data Center.

from ccat_data import Server, download, items_of, search

with Server() as server:                           # address and token: the environment
    rows, is_cut = search(server, {"source": "orion kl", "pwv_max": "0.6"})
    for item in items_of(server, [rows[0]["obs_id"]]):
        download(server, item, Path("orion"))      # verified; what was cut goes on where it ended
"""

from __future__ import annotations

from ccat_data.downloading import Item, download, items_of
from ccat_data.errors import (
    AwayError,
    CcatDataError,
    DamagedError,
    Exit,
    RefusedError,
    SettingsError,
    StillWaitingError,
    UsageError,
)
from ccat_data.searching import search
from ccat_data.server import Server
from ccat_data.staging import estimate, stage, wait
from ccat_data.verifying import verify

__all__ = [
    "AwayError",
    "CcatDataError",
    "DamagedError",
    "Exit",
    "Item",
    "RefusedError",
    "Server",
    "SettingsError",
    "StillWaitingError",
    "UsageError",
    "download",
    "estimate",
    "items_of",
    "search",
    "stage",
    "verify",
    "wait",
]
