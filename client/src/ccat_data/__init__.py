"""Search, stage, download and verify data of the CCAT Data Center.

from ccat_data import Server, search

with Server() as server:                           # address and token: the environment
    rows, is_cut = search(server, {"source": "orion kl", "pwv_max": "0.6"})
"""

from __future__ import annotations

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

__all__ = [
    "AwayError",
    "CcatDataError",
    "DamagedError",
    "Exit",
    "RefusedError",
    "Server",
    "SettingsError",
    "StillWaitingError",
    "UsageError",
    "search",
]
