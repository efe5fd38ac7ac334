"""The command line of ``ccat-file``: what it takes. What it does is in :mod:`ccat_file.commands`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from ccat_file.digests import ALGORITHMS
from ccat_file.filing import CONDITIONS, ENDED, QUALITIES
from ccat_file.layouts import LAYOUTS
from ccat_file.rows import FILE_TYPES
from ccat_file.times import time_of

_EPILOG: Final = """\
environment: CCAT_FILE_URL, CCAT_FILE_TOKEN or CCAT_FILE_TOKEN_FILE, CCAT_FILE_SPOOL

exit status:
  0  done: spooled; with --wait accepted; watch: archived; status: nothing waits
  1  a fault of this program
  2  the command line, a path or a value makes no sense; nothing was spooled
  3  the server refused a call: ccat-file status shows it
  4  not in time (--wait, --timeout), or calls wait; what is spooled stays spooled
  5  the spool cannot be written (disk full, permissions); nothing was recorded
  6  address or token is missing or was rejected
"""


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(
        prog="ccat-file",
        description="Files observations at the CCAT Data Center. Every call is on disk before it "
        "returns and is sent in the background.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--url", default="", help="address of the data center or site gateway")
    top.add_argument("--spool", type=Path, help="folder of spooled calls")
    top.add_argument("--token-file", type=Path, help="file with the token; mode 600")
    top.add_argument("--no-send", action="store_true", help="only spool: a service sends")
    commands = top.add_subparsers(dest="command", required=True)
    for add in (_start, _files, _finish, _follow, _watch, _status, _retry, _correct, _discard, _send):
        add(commands)
    return top


def _start(commands: Any) -> None:
    one = _command(commands, "start", "an observation begins; prints its UUID")
    one.add_argument("--program", default="", help="short name, with --obs-unit")
    one.add_argument("--obs-unit", default="", metavar="NAME")
    one.add_argument("--obs-unit-id", type=int, metavar="N", help="in place of the two")
    one.add_argument("--start-time", type=_time, metavar="TIME", help="ISO 8601; default: now")
    one.add_argument("--operator", default="", metavar="USER")
    one.add_argument("--parameters", type=_object, default={}, metavar="JSON", help="of the scan")
    one.add_argument(
        "--module-configuration",
        type=_module_configuration,
        action="append",
        default=[],
        metavar="INSTRUMENT/MODULE=NAME",
        help="what a module is set up as; may be repeated",
    )
    one.add_argument("--observation-configuration", type=int, metavar="N", help="of the obs unit")
    one.add_argument("--slot", type=int, metavar="N", help="pre-scheduled, of the obs unit")
    one.add_argument("--id", type=UUID, help="the observation's UUID, where the caller makes it")
    _wait(one)


def _files(commands: Any) -> None:
    one = _command(commands, "files", "files of an observation, complete on disk")
    one.add_argument("observation", type=UUID)
    one.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="files and folders")
    one.add_argument("--root", type=Path, required=True, help="folder that is the location's root")
    one.add_argument("--location", required=True, help="full name, such as ccat_primecam_raw_data")
    one.add_argument("--instrument", required=True, help="short name")
    one.add_argument("--module", required=True, help="short name")
    one.add_argument("--type", choices=FILE_TYPES, default="other")
    one.add_argument("--checksum", choices=list(ALGORITHMS), help="read the files and compute it")
    _wait(one)


def _finish(commands: Any) -> None:
    one = _command(commands, "finish", "the observation is over")
    one.add_argument("observation", type=UUID)
    one.add_argument("--status", choices=ENDED, default="completed")
    one.add_argument("--end-time", type=_time, metavar="TIME", help="ISO 8601; default: now")
    one.add_argument("--quality", choices=QUALITIES, default="unknown")
    one.add_argument("--comment", default="", metavar="TEXT", help="on the quality")
    one.add_argument(
        "--condition",
        type=_condition,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"may be repeated; {', '.join(CONDITIONS)}",
    )
    _wait(one)


def _follow(commands: Any) -> None:
    one = _command(commands, "follow", "file a tree as a data stream while it grows")
    one.add_argument("folder", type=Path, help="the tree; at or below the root")
    one.add_argument(
        "--layout", required=True, help=f"{', '.join(LAYOUTS)}, or a JSON file that describes one (docs/instruments.md)"
    )
    one.add_argument("--root", type=Path, required=True, help="folder that is the location's root")
    one.add_argument("--location", required=True, help="full name, such as ccat_primecam_raw_data")
    one.add_argument("--instrument", required=True, help="short name")
    one.add_argument("--stream", required=True, metavar="NAME", help="of the data stream, the same in every module")
    one.add_argument(
        "--module",
        default="",
        help="short name; without it the module whose configuration has the read-out stream, as the server knows",
    )
    one.add_argument("--quiet", type=_seconds, metavar="SECONDS", help="a file without successor is complete then")
    one.add_argument("--interval", type=_seconds, default=5.0, metavar="SECONDS", help="between two looks")
    one.add_argument("--once", action="store_true", help="file all that is there, as complete, and end")


def _watch(commands: Any) -> None:
    one = _command(commands, "watch", "follow an observation until all of it is archived")
    one.add_argument("observation", type=UUID)
    one.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="default: none")
    one.add_argument("--interval", type=_seconds, default=10.0, metavar="SECONDS")
    one.add_argument("--at", default="", metavar="URL", help="of the main site, behind a gateway")


def _status(commands: Any) -> None:
    one = _command(commands, "status", "what waits, and what was refused and why")
    one.add_argument("--json", action="store_true")


def _retry(commands: Any) -> None:
    one = _command(commands, "retry", "send refused calls again, in their old place")
    one.add_argument("numbers", type=int, nargs="*", metavar="NUMBER", help="default: all")


def _correct(commands: Any) -> None:
    one = _command(commands, "correct", "change a refused call, and send it again")
    one.add_argument("number", type=int, metavar="NUMBER")
    one.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="JSON or a text; of a row of files: ROW.FIELD, rows count from 0",
    )
    one.add_argument("--drop", type=int, action="append", default=[], metavar="ROW", help="leave a row of files out")


def _discard(commands: Any) -> None:
    one = _command(commands, "discard", "give refused calls up")
    one.add_argument("numbers", type=int, nargs="+", metavar="NUMBER")


def _send(commands: Any) -> None:
    one = _command(commands, "send", "send what is spooled; others start this by themselves")
    one.add_argument("--forever", action="store_true", help="as a service")
    one.add_argument("--max-pause", type=_seconds, default=60.0, metavar="SECONDS")
    one.add_argument("--lock", type=int, help=argparse.SUPPRESS)  # a descriptor that the starting process hands over


def _command(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
    return made


def _wait(command: argparse.ArgumentParser) -> None:
    command.add_argument("--wait", type=_seconds, metavar="SECONDS", help="until the server has accepted it")


def _checked(read: Callable[[str], Any], text: str, wanted: str) -> Any:
    try:
        return read(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from error


def _time(text: str) -> datetime:
    moment: datetime = _checked(time_of, text, "a time in ISO 8601")
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone: add Z or an offset")
    return moment


def _assignment(text: str) -> tuple[tuple[str, ...], Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    try:
        return tuple(name.split(".")), json.loads(value)
    except ValueError:
        return tuple(name.split(".")), value


def _seconds(text: str) -> float:
    value: float = _checked(float, text, "a number of seconds")
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value


def _object(text: str) -> dict[str, Any]:
    value = _checked(json.loads, text, "JSON")
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    return value


def _module_configuration(text: str) -> tuple[tuple[str, str], str]:
    module, equals, name = text.partition("=")
    instrument, _, module = module.partition("/")
    if not (instrument and module and equals and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not INSTRUMENT/MODULE=NAME")
    return (instrument, module), name


def _condition(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    number: float = _checked(float, value, f"a number in {text!r}")
    if name not in CONDITIONS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(CONDITIONS)}")
    return name, number
