"""``ccat-data search``: observations that one may see, as the search page finds them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any, Final

from ccat_data.errors import Exit, UsageError
from ccat_data.server import Server

#: Options that are parameters of the search page, each with its help.
_ASKED: Final = {
    "text": "words: obs unit, source, program, mode, package",
    "source": "a part of the source's name or of an alias",
    "position": "degrees, sexagesimal, galactic, or a source; ICRS",
    "radius": "degrees around the position",
    "start": "observed from, UTC: 2026-05-01 or '2026-05-01 22:30'",
    "end": "observed until; a day includes that day",
    "quality": "as judged by the observer",
    "pwv-max": "mm",
    "freq-min": "GHz",
    "freq-max": "GHz",
}
_COLUMNS: Final = ("obs_id", "start_time", "target_name", "proposal_id", "modules", "size")


def add(commands: Any) -> None:
    """The command line."""
    one = commands.add_parser("search", help="find observations; prints a line for each, its UUID first")
    for name, text in _ASKED.items():
        one.add_argument(f"--{name}", default="", help=text)
    one.add_argument(
        "--where", action="append", default=[], metavar="NAME=VALUE", help="any other parameter of the page's address"
    )
    one.add_argument("--limit", type=int, default=100, metavar="N", help="rows at most (default 100)")
    one.add_argument("--json", action="store_true", help="print the rows as JSON")
    one.set_defaults(run=_run, needs_server=True)


def search(server: Server, asked: Mapping[str, str], limit: int = 100) -> tuple[list[dict[str, Any]], bool]:
    """The newest observations that match, and whether there are more. Names as in the address of the search page."""
    found = server.get("/vo/observations", {**asked, "MAXREC": limit, "RESPONSEFORMAT": "json"})
    return found["observations"], bool(found["overflow"])


def _run(server: Server, given: argparse.Namespace) -> Exit:
    asked = {name.replace("-", "_"): getattr(given, name.replace("-", "_")) for name in _ASKED}
    for text in given.where:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r} is not NAME=VALUE.")
        asked[name] = value
    rows, is_cut = search(server, {name: value for name, value in asked.items() if value}, given.limit)
    if given.json:
        print(json.dumps({"observations": rows, "overflow": is_cut}))
        return Exit.DONE
    for row in rows:
        print("\t".join(str(row[name] if row[name] is not None else "") for name in _COLUMNS))
    return Exit.DONE
