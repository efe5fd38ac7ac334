"""What this process is called in the database: by it history and ``pg_stat_activity`` tell commands apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath


def program_name(argv: Sequence[str]) -> str:
    """``ccatdc load_reference`` for a command of manage.py, ``ccatdc`` for any other process."""
    if len(argv) > 1 and PurePath(argv[0]).name == "manage.py":
        return f"ccatdc {argv[1]}"
    return "ccatdc"
