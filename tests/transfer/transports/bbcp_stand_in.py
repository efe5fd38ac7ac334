#!/usr/bin/env python3
"""A stand-in for bbcp: speaks its command line and its output, follows the rules of ``-a``, and really moves the bytes,
over the command of ``-T`` (ssh). Streams, windows and checksums it takes and does not have. Blanks in paths it refuses, as
bbcp does. Started as ``bbcp``; with ``SNK`` it is the receiving end.

``BBCP_STAND_IN`` makes it misbehave: ``hangs``, ``crashes`` after so many bytes as ``BBCP_BYTES`` says, ``lies`` (sends
half and says that all went well), ``bad sector``.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

NAME = "bbcp"


def say(text: str) -> None:
    print(f"{NAME}: {text}", file=sys.stderr, flush=True)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    for value in ["a", "s", "w", "P", "t", "x", "Z", "T"]:
        parser.add_argument(f"-{value}")
    for flag in ["k", "e"]:
        parser.add_argument(f"-{flag}", action="store_true")
    return parser


def signature(source: Path) -> str:
    found = source.stat()
    return f"{found.st_ino:x} {found.st_size:x} {found.st_mtime_ns:x} {source.name}"


def receive(words: list[str]) -> int:
    """The sink: says where to begin on standard output, then takes the bytes from standard input."""
    checkpoints, target, source, size = Path(words[0]), Path(words[1]), words[2].replace("/", " "), int(words[3])
    if not target.parent.is_dir():
        say(f"Target directory {target} not found")
        return 2
    free = os.statvfs(target.parent)
    if free.f_blocks and free.f_bavail * free.f_frsize < size:
        say("Insufficient space to copy all the files from localhost")
        return 28
    signed = checkpoints / f"bbcp.localhost.1.{target.name}"
    offset = target.stat().st_size if target.exists() else 0
    if target.exists() and not signed.exists() and offset != size:
        say(f"File {target} changed since the copy completed; append not possible.")
        return 22
    if signed.exists() and signed.read_text() != source:
        say(f"Source file '{target.name}' on localhost appears to have changed after the previous copy ended.")
        say(f"Cannot append to {target.name}")
        return 22
    signed.write_text(source)
    print(offset, flush=True)
    with target.open("ab") as out:
        while block := os.read(sys.stdin.fileno(), 1 << 16):
            out.write(block)
            out.flush()
    if target.stat().st_size != size and os.environ.get("BBCP_STAND_IN") != "lies" and sys.argv[-1] != "lies":
        say("Link was broken.")
        return 32
    signed.unlink()
    return 0


def send(given: argparse.Namespace, source: Path, sink: str) -> int:
    mode = os.environ.get("BBCP_STAND_IN", "")
    if any(" " in str(path) for path in (source, sink)):
        say("Unable to allocate more than 0 of 4 data streams.")
        return 2
    target = sink.partition(":")[2]
    size = source.stat().st_size
    words = [given.a, target, signature(source).replace(" ", "/"), str(size), mode.replace(" ", "-")]
    far = subprocess.Popen([*given.T.split(), "SNK", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert far.stdin is not None and far.stdout is not None
    begin = far.stdout.readline()
    if not begin:
        status = far.wait()
        if status in (127, 255):
            say(f"{NAME} unexpectedly terminated on {sink.partition(':')[0]}")
        return status
    done = int(begin)
    say(f"Appending to ./{target} at offset {done}")
    last = size // 2 if mode == "lies" else int(os.environ.get("BBCP_BYTES", size))
    with source.open("rb") as stream:
        stream.seek(done)
        while done < last and (block := stream.read(min(1 << 14, last - done))):
            far.stdin.write(block)
            done += len(block)
            far.stdin.flush()
            say(f"{datetime.now():%y%m%d %H:%M:%S} {done * 100 // size}% done; 10.0 MB/s")
    if mode == "hangs":
        time.sleep(600)
    if mode == "crashes":
        far.stdin.close()
        far.wait()
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "bad sector":
        say(f"Input/output error reading {source}")
        return 5
    far.stdin.close()
    return far.wait()


def main() -> int:
    if sys.argv[1:2] == ["SNK"]:
        return receive(sys.argv[2:])
    given, paths = options().parse_known_args()
    if len(paths) != 2 or any(path.startswith("-") for path in paths):
        say(f"Invalid arguments: {paths}")
        return 22
    return send(given, Path(paths[0]), paths[1])


if __name__ == "__main__":
    raise SystemExit(main())
