"""``ccat-data products file FOLDER``: files what a run made, whole and as often as one likes.

Nothing is spooled: the folder itself says what is to be filed, and the same command again goes on where it was.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ccat_data.errors import AwayError, Exit, StillWaitingError
from ccat_data.folder import KINDS, Filing, read_folder
from ccat_data.server import Server
from ccat_file.digests import ALGORITHMS, new_digest

_PAUSE: Final = 1.0


def add(commands: Any) -> None:
    """The command line."""
    products = commands.add_parser("products", help="data products", allow_abbrev=False)
    purpose = (
        f"file a folder with {', '.join(f'{name}/' for name in KINDS)} and manifest.json; prints the id of the run"
    )
    one = products.add_subparsers(dest="action", required=True).add_parser(
        "file", help=purpose, description=purpose, allow_abbrev=False
    )
    one.add_argument("folder", type=Path)
    one.add_argument("--root", type=Path, required=True, help="folder that is the location's root")
    one.add_argument("--location", required=True, help="full name, such as cologne_ramses_results")
    one.add_argument("--checksum", choices=list(ALGORITHMS), default="sha256")
    one.add_argument("--wait", type=float, default=300.0, metavar="SECONDS", help="for a server that is away")
    one.set_defaults(run=_file, needs_server=True)


def send(server: Server, filing: Filing, *, seconds: float) -> None:
    """The run begins, has products, is over. Each call may be made again: the ids are the folder's.

    RefusedError, SettingsError; StillWaitingError when the server was away for so long.
    """
    run, deadline = filing.run["id"], time.monotonic() + seconds
    _until(deadline, lambda: server.post("/api/processing_runs/", filing.run))
    for portion in filing.portions():
        _until(deadline, functools.partial(server.post, "/api/data_products/bulk", portion))
    if filing.end is not None:
        _until(deadline, lambda: server.put(f"/api/processing_runs/{run}/finish", filing.end))


def _until(deadline: float, ask: Callable[[], Any]) -> None:
    while True:
        try:
            ask()
        except AwayError as error:
            if time.monotonic() + _PAUSE > deadline:
                raise StillWaitingError(f"{error} Run the same command again.") from error
            _say(f"{error} Again in {_PAUSE:.0f} s.")
            time.sleep(_PAUSE)
        else:
            return


def _file(server: Server, given: argparse.Namespace) -> int:
    new_digest(given.checksum)
    filing = read_folder(given.folder, root=given.root, location=given.location, checksum=given.checksum)
    send(server, filing, seconds=given.wait)
    print(filing.run["id"])
    count = sum(len(product["files"]) for product in filing.products)
    _say(f"{len(filing.products)} products with {count} files are filed")
    return Exit.DONE


def _say(text: str) -> None:
    print(f"ccat-data: {text}", file=sys.stderr, flush=True)
