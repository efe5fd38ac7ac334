"""``ccat-data``: search, stage, download and verify data of the CCAT Data Center, and file what was made of it.

Each sub-command is a module with ``add``, which describes its command line and sets ``run``. Standard output has what
programs want; what people want is on standard error. Exit statuses: :class:`ccat_data.errors.Exit`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ccat_data import downloading, filing_products, searching, staging, verifying
from ccat_data.errors import CcatDataError
from ccat_data.server import Server
from ccat_file.errors import CcatFileError

_EPILOG: Final = """\
environment: CCAT_DATA_URL, CCAT_DATA_TOKEN or CCAT_DATA_TOKEN_FILE

exit status:
  0  done; with --wait: all is there
  1  a fault of this program, or of the disk here
  2  the command line or a value makes no sense
  3  the server refused it for good
  4  not in time, or the server is away: the same command goes on where this one ended
  5  bytes are not those that were archived
  6  address or token is missing or was rejected
"""
#: Modules with a sub-command.
_COMMANDS: Final = (searching, staging, downloading, verifying, filing_products)


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(
        prog="ccat-data",
        description="Searches, stages, downloads and verifies data of the CCAT Data Center, and files data products.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--url", default="", help="address of the data center")
    top.add_argument("--token-file", type=Path, help="file with the token; mode 600")
    commands = top.add_subparsers(dest="command", required=True)
    for module in _COMMANDS:
        module.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    given = parser().parse_args(arguments)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        if not given.needs_server:
            return int(given.run(given))
        with Server(given.url, given.token_file) as server:
            return int(given.run(server, given))
    except (CcatDataError, CcatFileError) as error:
        print(f"ccat-data: {error}", file=sys.stderr)
        return int(error.exit)
    except OSError as error:
        print(f"ccat-data: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ccat-data: interrupted; the same command goes on where it ended", file=sys.stderr)
        return 130
