"""Reading a tar that somebody else may have touched: unpacking bundles (40), staging (60), scrubbing (90).

Only regular files are taken, with or without PAX records. Links, devices, folders, sparse files,
vendor records, names that lead elsewhere and names that come twice are refused:
:class:`DataIntegrityError` with a code ``tar.…``.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from ccatdc.common.errors import DataIntegrityError, KeyEscapesError, StorageError
from datamgmt.checksums import BUFFER_BYTES, Digest
from datamgmt.packaging.tarballs.headers import BLOCK, PLAIN_LIMIT, padded
from datamgmt.storage.keys import checked_key

_EMPTY_BLOCK: Final = bytes(BLOCK)
_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)
#: PAX records that we write, and those of other tars that change nothing about the bytes.
_KNOWN_RECORDS: Final = frozenset(
    {"path", "size", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment"}
)
#: A path of 4 KiB needs 5; nobody needs more.
_MAX_RECORDS_BYTES: Final = 1024 * 1024


def read_tar(stream: BinaryIO) -> Iterator[tuple[str, int, BinaryIO]]:
    """Name, size and bytes of every member, in order, while the stream passes once.

    The bytes of a member can be read until the next one is asked for; what was not read is skipped.
    """
    for entry in entries(TarStream(stream)):
        yield entry.name, entry.size, cast(BinaryIO, io.BufferedReader(entry))


class TarStream:
    """A stream read in whole buffers, hashed as it passes; gives out views of the buffer."""

    def __init__(self, stream: BinaryIO, digest: Digest | None = None) -> None:
        self._stream = stream
        self._digest = digest
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._start = 0
        self._end = 0
        self._read = 0

    @property
    def offset(self) -> int:
        """How many bytes were taken so far."""
        return self._read - (self._end - self._start)

    def some(self, limit: int) -> memoryview:
        """At least one byte and at most ``limit``, valid until the next call; empty at the end."""
        if self._start == self._end:
            self._refill()
        view = self._buffer[self._start : min(self._end, self._start + limit)]
        self._start += len(view)
        return view

    def exactly(self, count: int) -> bytes:
        """This many bytes, for headers; :class:`DataIntegrityError` when the stream ends before."""
        taken = bytearray()
        while len(taken) < count:
            view = self.some(count - len(taken))
            if not view:
                raise damaged(f"it ends after {self.offset} bytes, in the middle of a header")
            taken += view
        return bytes(taken)

    def _refill(self) -> None:
        try:
            count: int = self._stream.readinto(self._buffer)  # type: ignore[attr-defined]
        except OSError as error:
            raise StorageError(
                f"Cannot read the package after {self._read} bytes: {error.strerror or error}.",
                code="storage.read_failed",
            ) from error
        self._start, self._end = 0, count
        self._read += count
        if self._digest is not None:
            self._digest.update(self._buffer[:count])


class Entry(io.RawIOBase):
    """One member: its facts, and its bytes as a raw stream."""

    def __init__(self, source: TarStream, name: str, size: int, mtime: int) -> None:
        super().__init__()
        self.name = name
        self.size = size
        self.mtime = mtime
        self._source = source
        self._left = size

    def readable(self) -> bool:
        return True

    def some(self, limit: int = BUFFER_BYTES) -> memoryview:
        """The next bytes, valid until the next call; empty at the end of the member."""
        if not self._left:
            return memoryview(b"")
        view = self._source.some(min(limit, self._left))
        if not view:
            raise damaged(f"it ends in the middle of {self.name!r}, {self._left} bytes too early")
        self._left -= len(view)
        return view

    def readinto(self, buffer: object, /) -> int:
        with memoryview(buffer) as whole, whole.cast("B") as target:  # type: ignore[arg-type]
            view = self.some(len(target))
            target[: len(view)] = view
            return len(view)

    def skip(self) -> None:
        """Pass over what was not read."""
        while self._left:
            self.some()


def entries(source: TarStream) -> Iterator[Entry]:
    """Every member, in order; at the end the rest of the stream, which must be empty, has passed."""
    names: set[str] = set()
    while True:
        block = source.exactly(BLOCK)
        if block == _EMPTY_BLOCK:
            _require_end(source)
            return
        entry = _entry(source, block)
        if entry.name in names:
            raise DataIntegrityError(f"The tar has two members {entry.name!r}.", code="tar.duplicate_name")
        names.add(entry.name)
        yield entry
        entry.skip()
        source.exactly(padded(entry.size) - entry.size)


def damaged(why: str) -> DataIntegrityError:
    """The error for a tar that is none (any more)."""
    return DataIntegrityError(f"The tar is damaged: {why}.", code="tar.damaged")


def _entry(source: TarStream, block: bytes) -> Entry:
    info = _parse(block, source.offset)
    records: dict[str, str] = {}
    if info.type == tarfile.XHDTYPE:
        if not 0 <= info.size <= _MAX_RECORDS_BYTES:
            raise damaged(f"PAX records of {info.size} bytes at {source.offset}")
        records = _parse_records(source.exactly(padded(info.size))[: info.size])
        info = _parse(source.exactly(BLOCK), source.offset)
    if info.type not in _REGULAR:
        raise DataIntegrityError(
            f"The tar has a member {info.name!r} of the type {info.type!r}, not a regular file.", code="tar.unsupported"
        )
    size = _number(records["size"]) if "size" in records else info.size
    # A fraction of a second is written as 1.5; ours has none.
    mtime = _number(records["mtime"].partition(".")[0]) if "mtime" in records else int(info.mtime)
    if size < 0:
        raise damaged(f"a member of {size} bytes")
    name = _checked_name(records.get("path", info.name))
    return Entry(source, name, size, min(max(mtime, 0), PLAIN_LIMIT - 1))


def _parse(block: bytes, offset: int) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise damaged(f"the header before byte {offset} cannot be read ({error})") from error


def _parse_records(data: bytes) -> dict[str, str]:
    """``<length> <key>=<value>\\n``, one after the other; the length counts the whole record."""
    records: dict[str, str] = {}
    position = 0
    while position < len(data):
        digits, space, _ = data[position : position + 20].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = data[position + len(digits) + 1 : position + length]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or not record.endswith(b"\n") or position + length > len(data):
            raise damaged("a PAX record cannot be read")
        name = key.decode("utf-8", "surrogateescape")
        if name not in _KNOWN_RECORDS:
            raise DataIntegrityError(
                f"The tar has a PAX record {name!r}, whose meaning for the bytes is not known.", code="tar.unsupported"
            )
        records[name] = value.decode("utf-8", "surrogateescape")
        position += length
    return records


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise damaged(f"{text!r} is not a number") from error


def _checked_name(name: str) -> str:
    try:
        return checked_key(name)
    except KeyEscapesError as error:
        raise DataIntegrityError(f"The tar is not safe: {error}", code="tar.unsafe_name") from error


def _require_end(source: TarStream) -> None:
    """A second empty block, then nothing but the zeros that fill a record."""
    if source.exactly(BLOCK) != _EMPTY_BLOCK:
        raise damaged("it has a single empty block")
    while view := source.some(BUFFER_BYTES):
        if any(view):
            raise damaged(f"something follows its end, before byte {source.offset}")
