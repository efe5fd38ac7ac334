"""``ccat-data products file FOLDER``: files what a run made, whole and as often as one likes.

Nothing is spooled: the folder itself says what is to be filed, and the same command again goes on where it was. Exit
statuses: :class:`ccat_file.errors.Exit`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from ccat_data.folder import KINDS, Filing, read_folder
from ccat_file.answers import Meaning, judge
from ccat_file.digests import ALGORITHMS, new_digest
from ccat_file.errors import CcatFileError, Exit, RefusedError, SettingsError, StillWaitingError
from ccat_file.settings import Settings

_EPILOG: Final = """\
environment: CCAT_FILE_URL, CCAT_FILE_TOKEN or CCAT_FILE_TOKEN_FILE

exit status:
  0  done: the server has all of it
  2  the command line, the folder or its manifest makes no sense; nothing was sent
  3  the server refused something, and says what
  4  the server did not answer in time: the same command again goes on
  6  address or token is missing or was rejected
"""
_TIMEOUT: Final = 120.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(
        prog="ccat-data",
        description="What scientists do with the CCAT Data Center from the cluster.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--url", default="", help="address of the data center")
    top.add_argument("--token-file", type=Path, help="file with the token; mode 600")
    groups = top.add_subparsers(dest="group", required=True)
    products = groups.add_parser("products", help="data products", allow_abbrev=False)
    commands = products.add_subparsers(dest="command", required=True)
    purpose = f"file a folder with {', '.join(f'{name}/' for name in KINDS)} and manifest.json"
    one = commands.add_parser("file", help=purpose, description=purpose, allow_abbrev=False)
    one.add_argument("folder", type=Path)
    one.add_argument("--root", type=Path, required=True, help="folder that is the location's root")
    one.add_argument("--location", required=True, help="full name, such as cologne_ramses_results")
    one.add_argument("--checksum", choices=list(ALGORITHMS), default="sha256")
    one.add_argument("--wait", type=float, default=300.0, metavar="SECONDS", help="for a server that is away")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    given = parser().parse_args(arguments)
    try:
        settings = Settings.from_environment(url=given.url, token_file=given.token_file)
        new_digest(given.checksum)
        filing = read_folder(given.folder, root=given.root, location=given.location, checksum=given.checksum)
        send(filing, settings, seconds=given.wait)
    except CcatFileError as error:
        _say(str(error))
        return int(error.exit)
    print(filing.run["id"])
    count = sum(len(product["files"]) for product in filing.products)
    _say(f"{len(filing.products)} products with {count} files are filed")
    return int(Exit.DONE)


def send(filing: Filing, settings: Settings, *, seconds: float) -> None:
    """The run begins, has products, is over. Raises RefusedError, StillWaitingError, SettingsError."""
    run = filing.run["id"]
    deadline = time.monotonic() + seconds
    headers = {"Authorization": f"Bearer {settings.require_token()}", "Accept": "application/json"}
    with httpx.Client(base_url=settings.require_url(), headers=headers, timeout=_TIMEOUT) as server:
        _call(server, ("POST", "/api/processing_runs/", filing.run), {"id": run}, deadline)
        for portion in filing.portions():
            _call(server, ("POST", "/api/data_products/bulk", portion), {"rows": len(portion)}, deadline)
        if filing.end is not None:
            _call(server, ("PUT", f"/api/processing_runs/{run}/finish", filing.end), {"id": run}, deadline)


def _call(server: httpx.Client, method: str, path: str, body: Any, expect: Mapping[str, Any], deadline: float) -> None:
    """Until the server accepts or refuses it, or time is up."""
    pause = _FIRST_PAUSE
    while True:
        try:
            verdict = judge(server.request(method, path, json=body), expect)
            meaning, said, after = verdict.meaning, verdict.said, verdict.after_seconds
        except (httpx.TransportError, httpx.DecodingError) as error:
            meaning, said, after = Meaning.AWAY, f"{server.base_url} does not answer ({error})", 0.0
        if meaning is Meaning.ACCEPTED:
            return
        if meaning is Meaning.REFUSED:
            raise RefusedError(f"{method} {path} was refused: {said}")
        if meaning is Meaning.DENIED:
            raise SettingsError(f"The server does not let this token file: {said}")
        wait = max(pause, after)
        if time.monotonic() + wait > deadline:
            raise StillWaitingError(f"{said}. Run the same command again.")
        _say(f"{said}; again in {wait:.1f} s")
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _say(text: str) -> None:
    print(f"ccat-data: {text}", file=sys.stderr, flush=True)
