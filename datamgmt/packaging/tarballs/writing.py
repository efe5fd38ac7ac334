"""Writing a package (10) or a bundle of packages (20): every byte is read once and hashed as it passes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from ccatdc.common.errors import DataIntegrityError, KeyMissingError, LocationIdentityError, StorageError
from datamgmt.checksums import BUFFER_BYTES, HOUSE_ALGORITHM, Digest, parse_checksum
from datamgmt.packaging.tarballs.headers import closed_size, member_header, padded
from datamgmt.storage.base import Writer

#: A rest of the buffer that is smaller than this is not worth a read of its own.
_SMALL_REST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A file to pack.

    ``open`` gives its stream. ``mtime_ns`` goes into the header; None: what the open file says. ``checksum`` is what
    its instrument filed, ``algorithm:hex``.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    mtime_ns: int | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class MemberWritten:
    """A file that was packed.

    ``digest`` is the BLAKE3 digest. ``filed_ok`` says whether the filed checksum matches; None when there was none.
    ``mtime_ns``, ``inode`` and ``ctime_ns`` are those of the file that was read, None where it was no local file.
    ``offset`` is where its bytes begin in the tar.
    """

    name: str
    size: int
    digest: str
    filed_ok: bool | None
    mtime_ns: int | None
    inode: int | None
    ctime_ns: int | None
    offset: int


@dataclass(frozen=True, slots=True)
class TarWritten:
    """A whole tar: its size in bytes, its BLAKE3 digest, its members in order."""

    size: int
    digest: str
    members: list[MemberWritten]


class MemberChanged(DataIntegrityError):
    """A file is not, or is no longer, what was announced. The tar is worthless; the others are fine."""

    default_code = "package.member_changed"

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name!r} {what}.", remedy="Find out what writes to it; file it anew when it is finished.")
        self.name = name


class MemberUnreadable(StorageError):
    """A file cannot be opened or read. ``is_denied``: the worker has no right to; else a retry may help."""

    default_code = "storage.read_failed"

    def __init__(self, name: str, why: str, *, is_denied: bool) -> None:
        super().__init__(f"Cannot read {name!r}: {why.rstrip('.')}.")
        self.name, self.is_denied = name, is_denied


def write_tar(members: Iterable[Member], out: Writer) -> TarWritten:
    """Write a tar of these members, in their order, to ``out``.

    :class:`MemberChanged` at once when a file is shorter or longer than announced or changes while
    it is read, :class:`MemberUnreadable` when it cannot be read. A filed checksum that does not
    match stops nothing: see ``filed_ok``. Holds 1 MiB.
    """
    output = _Output(out)
    written: list[MemberWritten] = []
    names: set[str] = set()
    for member in members:
        if member.name in names:
            raise DataIntegrityError(f"{member.name!r} is to be packed twice.", code="package.duplicate_member")
        names.add(member.name)
        written.append(_write_member(member, output))
    output.put(bytes(closed_size(output.size) - output.size))
    output.flush()
    return TarWritten(output.size, str(output.digest), written)


class _Output:
    """Collects bytes in one buffer, hashes and writes whole buffers."""

    def __init__(self, out: Writer) -> None:
        self._out = out
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._fill = 0
        self.size = 0
        self.digest = Digest()

    def put(self, data: bytes) -> None:
        """Add a few bytes: headers and padding."""
        if self._fill + len(data) > BUFFER_BYTES:
            self.flush()
        self._buffer[self._fill : self._fill + len(data)] = data
        self.advance(len(data))

    def space(self, wanted: int) -> memoryview:
        """Room in the buffer for up to ``wanted`` bytes, to read into; then :meth:`advance`."""
        free = BUFFER_BYTES - self._fill
        if free < wanted and free < _SMALL_REST:
            self.flush()
        return self._buffer[self._fill : self._fill + wanted]

    def advance(self, count: int) -> None:
        self._fill += count
        self.size += count

    def flush(self) -> None:
        full = self._buffer[: self._fill]
        self.digest.update(full)
        self._out.write(full)
        self._fill = 0


def _write_member(member: Member, output: _Output) -> MemberWritten:
    digests = {HOUSE_ALGORITHM: Digest()}
    filed = ""
    if member.checksum is not None:
        algorithm, digits = parse_checksum(member.checksum)
        filed = f"{algorithm}:{digits}"
        digests.setdefault(algorithm, Digest(algorithm))
    with _opened(member) as stream:
        before = _file_facts(stream)
        if before is not None and before.st_size != member.size:
            raise MemberChanged(member.name, f"has {before.st_size} bytes, {member.size} were announced")
        mtime_ns = before.st_mtime_ns if before else None
        header_time = member.mtime_ns if member.mtime_ns is not None else mtime_ns or 0
        output.put(member_header(member.name, member.size, header_time))
        offset = output.size
        _copy(member, stream, output, list(digests.values()))
        _require_whole(member, stream, before, _file_facts(stream))
    output.put(bytes(padded(member.size) - member.size))
    return MemberWritten(
        name=member.name,
        size=member.size,
        digest=str(digests[HOUSE_ALGORITHM]),
        filed_ok=digests[filed.partition(":")[0]].matches(filed) if filed else None,
        mtime_ns=mtime_ns,
        inode=before.st_ino if before else None,
        ctime_ns=before.st_ctime_ns if before else None,
        offset=offset,
    )


def _copy(member: Member, stream: BinaryIO, output: _Output, digests: list[Digest]) -> None:
    left = member.size
    while left:
        space = output.space(left)
        count = _read(member, stream, space)
        if not count:
            raise MemberChanged(member.name, f"ended after {member.size - left} bytes, {member.size} were announced")
        for digest in digests:
            digest.update(space[:count])
        output.advance(count)
        left -= count


def _opened(member: Member) -> BinaryIO:
    with _reading(member):
        return member.open()


def _read(member: Member, stream: BinaryIO, into: memoryview | bytearray) -> int:
    with _reading(member):
        count: int = stream.readinto(into)  # type: ignore[attr-defined]
    return count


@contextmanager
def _reading(member: Member) -> Iterator[None]:
    """What goes wrong with this member is told from what goes wrong with the tar, or the place."""
    try:
        yield
    except (LocationIdentityError, KeyMissingError):
        raise
    except (OSError, StorageError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        why = cause.strerror if isinstance(cause, OSError) else None
        is_denied = isinstance(cause, PermissionError)
        raise MemberUnreadable(member.name, why or str(error), is_denied=is_denied) from error


def _file_facts(stream: BinaryIO) -> os.stat_result | None:
    """What the system knows of an open file; None for a stream that is none (S3, memory)."""
    try:
        return os.fstat(stream.fileno())
    except io.UnsupportedOperation:
        return None


def _require_whole(
    member: Member, stream: BinaryIO, before: os.stat_result | None, after: os.stat_result | None
) -> None:
    """That what was read is the whole file: the system says so, or there is nothing more to read."""
    if before is None or after is None:
        if _read(member, stream, bytearray(1)):
            raise MemberChanged(member.name, f"is longer than the announced {member.size} bytes")
    elif (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise MemberChanged(member.name, "was written to while it was read")
