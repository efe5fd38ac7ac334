"""Unpacking a package for scientists (60): one pass, every file and the whole stream checked while they are written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from ccatdc.common.errors import DataIntegrityError
from datamgmt.checksums import Digest
from datamgmt.packaging.tarballs.reading import Entry, TarStream, entries
from datamgmt.storage.disk.paths import CREATE_FLAGS, open_folder, opened_root, os_errors, raise_as_ours

_NS_PER_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ExpectedMember:
    """What packaging recorded of a file: bytes, and the BLAKE3 digest."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was unpacked: bytes and BLAKE3 digest of the whole stream, and how many files came out of it."""

    size: int
    digest: str
    files: int


def extract_verified(stream: BinaryIO, into: Path, expected: Mapping[str, ExpectedMember], *, digest: str) -> Extracted:
    """Unpack a package below the empty folder ``into``.

    Every member must be expected, have its size and its BLAKE3 digest; every expected member must
    come; and the whole stream, padding included, must have the package's ``digest``. Else
    :class:`DataIntegrityError`, which names the member, and the folder is the caller's to remove
    (``make_tree`` does). Files get their recorded time. Nothing is synced here.
    """
    whole = Digest()
    source = TarStream(stream, whole)
    missing = set(expected)
    with ExitStack() as stack:
        with os_errors(f"open {into}"):
            root = stack.enter_context(opened_root(str(into)))
        folders = stack.enter_context(_Folders(root))
        for entry in entries(source):
            promised = expected.get(entry.name)
            if promised is None:
                raise DataIntegrityError(
                    f"The package has a member {entry.name!r} that was never packed.", code="package.member_unexpected"
                )
            _extract(entry, promised, folders)
            missing.discard(entry.name)
    if missing:
        raise DataIntegrityError(
            f"The package lacks {len(missing)} of {len(expected)} files, such as {min(missing)!r}.",
            code="package.member_missing",
        )
    if not whole.matches(digest):
        raise DataIntegrityError(
            f"The package has the digest {whole}, {digest} was recorded; its files are all right.",
            code="package.digest",
        )
    return Extracted(source.offset, str(whole), len(expected))


class _Folders:
    """Keeps the folder of the last file open: members come folder by folder."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._components: Sequence[str] | None = None
        self._folder = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def of(self, components: Sequence[str]) -> int:
        """This folder, open; made when it is missing."""
        if components != self._components:
            self._close()
            self._folder, _ = open_folder(self._root, components, create=True)
            self._components = components
        return self._folder

    def _close(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
        self._folder, self._components = -1, None


def _extract(entry: Entry, promised: ExpectedMember, folders: _Folders) -> None:
    if entry.size != promised.size:
        raise DataIntegrityError(
            f"{entry.name!r} has {entry.size} bytes in the package, {promised.size} were recorded.",
            code="package.member_size",
        )
    doing = f"write {entry.name!r}"
    *components, name = entry.name.split("/")
    try:
        file = os.open(name, CREATE_FLAGS, 0o666, dir_fd=folders.of(components))
    except (FileExistsError, NotADirectoryError) as error:
        raise DataIntegrityError(
            f"{entry.name!r} cannot stand beside another member of the package.", code="package.member_conflict"
        ) from error
    except OSError as error:
        raise_as_ours(error, doing)
    digest = Digest()
    try:
        while view := entry.some():
            digest.update(view)
            _write_all(file, view, doing)
        with os_errors(doing):
            os.utime(file, ns=(entry.mtime * _NS_PER_SECOND, entry.mtime * _NS_PER_SECOND))
    finally:
        os.close(file)
    if not digest.matches(promised.digest):
        raise DataIntegrityError(
            f"{entry.name!r} has the digest {digest}, {promised.digest} was recorded.", code="package.member_digest"
        )


def _write_all(file: int, view: memoryview, doing: str) -> None:
    written = 0
    while written < len(view):
        try:
            written += os.write(file, view[written:])
        except OSError as error:
            raise_as_ours(error, doing)
