"""``ccat-data verify``: what a manifest lists is there, with the digests that were archived. Needs no server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ccat_data.errors import Exit, UsageError
from ccat_data.manifests import MANIFEST, read_manifest
from ccat_file.digests import checksum_of
from ccat_file.progress import Bar


def add(commands: Any) -> None:
    """The command line."""
    one = commands.add_parser("verify", help=f"compare downloaded files with the {MANIFEST} of their folder")
    one.add_argument("folder", type=Path, nargs="?", default=Path())
    one.set_defaults(run=_run, needs_server=False)


def verify(folder: Path, advance: Callable[[int], None] = lambda _: None) -> Iterator[tuple[str, str]]:
    """Each file that is not what the manifest says, and why. UsageError without a manifest."""
    known = read_manifest(folder / MANIFEST)
    if not known:
        raise UsageError(f"There is no {MANIFEST} in {folder}, or nothing in it.")
    for name, digest in known.items():
        try:
            found = checksum_of(folder / name, "blake3", advance)
        except OSError as error:
            yield name, error.strerror or str(error)
        else:
            if found != digest:
                yield name, "other bytes than were archived"


def _run(given: argparse.Namespace) -> Exit:
    paths = (given.folder / name for name in read_manifest(given.folder / MANIFEST))
    total = sum(path.stat().st_size for path in paths if path.exists())
    with Bar("verify", total) as bar:
        wrong = list(verify(given.folder, bar.advance))
    for name, why in wrong:
        print(f"{name}\t{why}")
    print(f"{len(wrong)} files are wrong." if wrong else "All files are good.", file=sys.stderr)
    return Exit.DAMAGED if wrong else Exit.DONE
