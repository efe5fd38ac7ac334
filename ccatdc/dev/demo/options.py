"""What was asked for on the command line."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
REPOSITORY: Final = Path(__file__).resolve().parents[3]


class Options(argparse.Namespace):
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
        description="Run the whole data center on this machine: two sites, portal, managers, workers and instruments that "
        "observe. Ctrl-C stops it; a second start goes on from there.",
    )
    root = REPOSITORY / "var" / "demo"
    for name, kind, default, metavar, text in (
        ("--root", _path, root, "FOLDER", "where all its data lives (default: var/demo of the repository)"),
        ("--input", _path, None, "FOLDER", "with --once: file the regular files of this folder; it is only read"),
        ("--port", int, None, "N", "the portal's port (default: 8000, else a free one)"),
        ("--size", byte_count, None, "SIZE", "size of a simulated observation, for example 500KB, 20MB, 2GB"),
        ("--timeout", _seconds, 600.0, "SECONDS", "with --once: give up after this time (default: 600)"),
        ("--every", _seconds, 60.0, "SECONDS", "without --once: seconds between observations; 0: none (default: 60)"),
    ):
        parser.add_argument(name, type=kind, default=default, metavar=metavar, help=text)
    parser.add_argument("--once", action="store_true", help="one night: observe, archive, stage, clean up, verify, end")
    parser.add_argument("--json", action="store_true", help="with --once: the result as one JSON document")
    given = parser.parse_args(arguments, namespace=Options())
    for name in ("json", "input"):
        if getattr(given, name) and not given.once:
            parser.error(f"--{name} goes with --once")
    if given.port is not None and not 0 < given.port < 65536:
        parser.error("--port is a number from 1 to 65535")
    if not given.timeout:
        parser.error("--timeout must be more than 0")
    given.size = given.size or (20 if given.once else 8) * 10**6
    return given


def byte_count(text: str) -> int:
    """``20MB`` as a number of bytes; units are powers of 1,000."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip().upper())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 500KB, 20MB or 2GB")
    return size


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def _path(text: str) -> Path:
    return Path(text).absolute()
