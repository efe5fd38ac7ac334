"""What was asked for on the command line."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Options:
    """The command line, checked. ``size`` in bytes, ``timeout`` and ``every`` in seconds."""

    root: Path
    once: bool
    input: Path | None
    json: bool
    port: int | None
    size: int
    timeout: float
    every: float


def parse(arguments: list[str] | None = None) -> Options:
    """Read the command line; what contradicts itself ends with a message and status 2."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Run the whole data center on this machine: two sites, portal, managers, "
        "workers and instruments that observe. Ctrl-C stops it; a second start goes on from there.",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=_REPOSITORY / "var" / "demo",
        metavar="FOLDER",
        help="where all its data lives (default: var/demo of the repository)",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="one night: observe, wait until all is archived, staged and cleaned up, verify, end",
    )
    parser.add_argument(
        "--input",
        type=Path,
        metavar="FOLDER",
        help="file the regular files of this folder as one observation instead of simulated ones; "
        "the folder is only read",
    )
    parser.add_argument(
        "--json", action="store_true", help="with --once: the result as one JSON document"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="the portal's port (default: 8000, else a free one)"
    )
    parser.add_argument(
        "--size",
        type=byte_count,
        default=None,
        metavar="SIZE",
        help="size of a simulated observation, for example 500KB, 20MB, 2GB "
        "(default: 20MB with --once, else 8MB)",
    )
    parser.add_argument(
        "--timeout",
        type=_positive,
        default=600.0,
        metavar="SECONDS",
        help="with --once: give up after this time and say what waits (default: 600)",
    )
    parser.add_argument(
        "--every",
        type=_not_negative,
        default=60.0,
        metavar="SECONDS",
        help="without --once: seconds between two observations; 0: none (default: 60)",
    )
    given = parser.parse_args(arguments)
    if given.json and not given.once:
        parser.error("--json goes with --once")
    if given.input is not None and not given.once:
        parser.error("--input goes with --once")
    if given.port is not None and not 0 < given.port < 65536:
        parser.error("--port is a number from 1 to 65535")
    size = given.size if given.size is not None else (20 if given.once else 8) * 10**6
    return Options(
        root=given.root.absolute(),
        once=given.once,
        input=given.input.absolute() if given.input is not None else None,
        json=given.json,
        port=given.port,
        size=size,
        timeout=given.timeout,
        every=given.every,
    )


def byte_count(text: str) -> int:
    """``20MB`` as a number of bytes; units are powers of 1,000."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", text.strip().upper())
    unit = found[2] if found else ""
    unit = f"{unit}B" if unit in {"K", "M", "G"} else unit
    if found is None or int(float(found[1]) * _UNITS[unit]) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 500KB, 20MB or 2GB")
    return int(float(found[1]) * _UNITS[unit])


def _positive(text: str) -> float:
    value = _not_negative(text)
    if value == 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _not_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from error
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value
