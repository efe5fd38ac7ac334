"""``ccat-data download``: files of observations, each verified against its BLAKE3; what was cut goes on where it ended.

A file stands under its own name only when it is whole and verified; until then it is ``NAME.part``. ``MANIFEST.b3`` in the
folder lists what is there, for ``ccat-data verify`` and ``b3sum --check``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from ccat_data.errors import AwayError, DamagedError, Exit, UsageError
from ccat_data.manifests import MANIFEST, read_manifest, write_manifest
from ccat_data.server import TRIES, Server, require_success
from ccat_file.digests import Digest, checksum_of, new_digest
from ccat_file.progress import Bar, size_text
from ccat_file.sender import Backoff

_BLOCK: Final = 1024 * 1024
_PREFIX: Final = "blake3:"


@dataclass(frozen=True, slots=True)
class Item:
    """Something to download: where it goes below the folder, where it is, bytes and digest (``blake3:hex``)."""

    path: str
    address: str
    size: int
    digest: str

    @property
    def hex_digest(self) -> str:
        return self.digest.removeprefix(_PREFIX)


def add(commands: Any) -> None:
    """The command line."""
    one = commands.add_parser("download", help="files of observations, packages or single files; verified, resumed")
    one.add_argument("observations", type=UUID, nargs="*", metavar="OBSERVATION")
    one.add_argument("--package", type=UUID, action="append", default=[], metavar="ID", help="its tar; repeatable")
    one.add_argument("--file", type=UUID, action="append", default=[], metavar="ID", help="one file; repeatable")
    one.add_argument("--into", type=Path, default=Path(), metavar="FOLDER", help="default: here")
    one.set_defaults(run=_run, needs_server=True)


def items_of(
    server: Server,
    observations: Iterable[UUID | str] = (),
    packages: Iterable[UUID | str] = (),
    files: Iterable[UUID | str] = (),
) -> Iterator[Item]:
    """What there is to download: archived files of observations, tars of packages, single files."""
    for observation in observations:
        asked = {"belongs_to": str(observation), "expand": "raw_data_package", "page_size": 1000}
        for file in server.pages("/api/raw_data_files/", asked):
            package = file["expanded"]["raw_data_package"]
            if package is not None and package["state"] == "archived":
                yield _file(file, package["name"])
    for each in packages:
        found = server.get(f"/api/raw_data_packages/{each}/")
        address = f"/api/raw_data_packages/{each}/download"
        yield Item(_checked(f"{found['name']}.tar"), address, found["size"], found["digest"])
    for each in files:
        found = server.get(f"/api/raw_data_files/{each}", {"expand": "raw_data_package"})
        if found["expanded"]["raw_data_package"] is None:
            raise UsageError(f"The file {each} is in no archive yet.")
        yield _file(found, found["expanded"]["raw_data_package"]["name"])


def download(server: Server, item: Item, folder: Path, advance: Callable[[int], None] = lambda _: None) -> bool:
    """One item below ``folder``; whether anything had to be fetched. ``advance`` is told bytes as they come.

    DamagedError when the bytes are not those that were archived; AwayError when the server stays away: what came is
    kept, and the next call goes on from there.
    """
    target = folder / item.path
    if target.exists():
        if target.stat().st_size == item.size and checksum_of(target, "blake3") == item.hex_digest:
            advance(item.size)
            return False
        raise UsageError(f"{target} exists, and is another file. Move it away.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    # What an earlier call left may be spoiled: then once more from the first byte.
    for _ in range(2):
        if _fetch(server, item, part, advance).hexdigest() == item.hex_digest:
            part.replace(target)
            return True
        part.unlink()
        advance(-item.size)
    raise DamagedError(f"{item.path} does not have its digest; it was removed.")


def _fetch(server: Server, item: Item, part: Path, advance: Callable[[int], None]) -> Digest:
    """All bytes into ``part``, as often as it takes; their digest."""
    backoff = Backoff()
    digest, have = _begun(part, item.size)
    advance(have)
    with part.open("r+b" if part.exists() else "w+b") as stream:
        while True:
            before = have
            stream.seek(have)
            stream.truncate()
            try:
                for block, is_anew in _blocks(server, item, have):
                    if is_anew and have:
                        stream.seek(0)
                        stream.truncate()
                        advance(-have)
                        digest, have = new_digest("blake3"), 0
                    stream.write(block)
                    digest.update(block)
                    have += len(block)
                    advance(len(block))
            except AwayError as error:
                backoff.failures = 0 if have > before else backoff.failures
                if backoff.failures + 1 >= TRIES:
                    raise
                time.sleep(backoff.next(getattr(error, "after_seconds", 0.0)))
            else:
                stream.flush()
                os.fsync(stream.fileno())
                return digest


def _begun(part: Path, size: int) -> tuple[Digest, int]:
    """What an earlier call left, and its digest; nothing of what is longer than it can be."""
    digest, have = new_digest("blake3"), 0
    if part.exists() and part.stat().st_size <= size:
        with part.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                have += len(block)
    return digest, have


def _blocks(server: Server, item: Item, start: int) -> Iterator[tuple[bytes, bool]]:
    """Bytes from ``start`` on, or from 0 where the server sends all: each with whether that is so. AwayError when the
    connection breaks.
    """
    import httpx

    if start and start >= item.size:
        return
    headers = {"Range": f"bytes={start}-", "If-Range": f'"blake3-{item.hex_digest}"'} if start else {}
    try:
        with server.stream(item.address, headers) as answer:
            if not answer.is_success:
                answer.read()
                require_success(answer)
            is_anew = answer.status_code != HTTPStatus.PARTIAL_CONTENT
            for block in answer.iter_raw(_BLOCK):
                yield block, is_anew
                is_anew = False
    except httpx.TransportError as error:
        raise AwayError(f"{server.url} went away ({type(error).__name__}).") from error


def _file(file: Any, package: str) -> Item:
    path = _checked(f"{package}/{file['relative_path']}")
    return Item(path, f"/api/raw_data_files/{file['id']}/download", file["size"], file["digest"])


def _checked(path: str) -> str:
    """A path that stays below the folder, whatever the server says."""
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(path.split("/")) or "\0" in path:
        raise UsageError(f"The server names a path that leads elsewhere: {path!r}.")
    return path


def _run(server: Server, given: argparse.Namespace) -> Exit:
    new_digest("blake3")  # before gigabytes are fetched
    items = list(items_of(server, given.observations, given.package, given.file))
    if not items:
        raise UsageError("There is nothing to download: name observations whose files are archived.")
    total = sum(item.size for item in items)
    print(f"{len(items)} files, {size_text(total)}", file=sys.stderr)
    manifest, damaged = given.into / MANIFEST, 0
    known = read_manifest(manifest)
    try:
        with Bar("download", total) as bar:
            for item in items:
                try:
                    download(server, item, given.into, bar.advance)
                except DamagedError as error:
                    damaged += 1
                    print(f"ccat-data: {error}", file=sys.stderr)
                else:
                    known[item.path] = item.hex_digest
    finally:
        write_manifest(manifest, known)
    return Exit.DAMAGED if damaged else Exit.DONE
