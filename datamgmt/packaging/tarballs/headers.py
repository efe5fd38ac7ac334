"""Headers and sizes of our tar files, byte for byte predictable."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from typing import Final

from datamgmt.storage.keys import checked_key

BLOCK: Final = tarfile.BLOCKSIZE
#: Tapes were written in records of 20 blocks; every tar still ends on one.
RECORD: Final = tarfile.RECORDSIZE
#: What the plain header can say in octal; more goes into a PAX record.
PLAIN_LIMIT: Final = 8**11
_PLAIN_NAME_BYTES: Final = 100
_NS_PER_SECOND: Final = 1_000_000_000


def member_header(name: str, size: int, mtime_ns: int = 0) -> bytes:
    """The header of one regular file: a block, before it the PAX records that it needs.

    Owner and rights are always the same. The time is cut to whole seconds between 1970 and 2242, so that it always fits
    the plain header and the length depends on name and size only.
    """
    info = tarfile.TarInfo(checked_key(name))
    info.size = size
    info.mode = 0o644
    info.mtime = min(max(mtime_ns // _NS_PER_SECOND, 0), PLAIN_LIMIT - 1)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def header_size(name: str, size: int) -> int:
    """The length of :func:`member_header` in bytes."""
    if len(name) <= _PLAIN_NAME_BYTES and size < PLAIN_LIMIT and name.isascii():
        return BLOCK
    return len(member_header(name, size))


def padded(size: int) -> int:
    """The room that this many bytes take in a tar: whole blocks."""
    return -(-size // BLOCK) * BLOCK


def tar_size(members: Iterable[tuple[str, int]]) -> int:
    """The exact size in bytes of the tar of these members (name, size)."""
    return closed_size(sum(header_size(name, size) + padded(size) for name, size in members))


def closed_size(size: int) -> int:
    """The size of a tar whose members take ``size``: two empty blocks, then up to a whole record."""
    return -(-(size + 2 * BLOCK) // RECORD) * RECORD
