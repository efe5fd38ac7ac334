"""Digests of files and packages, computed in the pass that reads the bytes anyway.

Stands beside every stage that touches bytes: packaging (10), unpacking (40), archiving (50), staging (60), scrubbing
(90).

The BLAKE3 digest of every file and every package is BLAKE3, written ``blake3:<64 hex digits>`` (2.8 GB/s on a core that
does SHA-256 with 0.2 GB/s). An instrument may file a checksum of another algorithm; it keeps its own and is checked in
the same pass. All digests are written and compared in lower case.
"""

from __future__ import annotations

import hashlib
import io
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

import google_crc32c
import xxhash
from blake3 import blake3

from ccatdc.common.errors import RequestError

HOUSE_ALGORITHM: Final = "blake3"

#: One read of a stream. Larger buffers fall out of the processor's cache and are slower (measured:
#: 16 MiB against 1 MiB).
BUFFER_BYTES: Final = 1024 * 1024

Data = bytes | bytearray | memoryview


class _Hash(Protocol):
    def update(self, data: Data, /) -> object: ...

    def hexdigest(self) -> str: ...


class _Crc32c:
    """CRC-32C (Castagnoli), 8 hex digits, most significant first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: Data, /) -> None:
        # The C extension takes nothing but ``bytes``; the copy costs a tenth of the file's read.
        self._value = google_crc32c.extend(self._value, bytes(data))

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


@dataclass(frozen=True, slots=True)
class _Algorithm:
    make: Callable[[], _Hash]
    hex_digits: int


_ALGORITHMS: Final[dict[str, _Algorithm]] = {
    "blake3": _Algorithm(blake3, 64),
    "sha256": _Algorithm(hashlib.sha256, 64),
    "md5": _Algorithm(lambda: hashlib.md5(usedforsecurity=False), 32),
    "xxh3_128": _Algorithm(xxhash.xxh3_128, 32),
    "crc32c": _Algorithm(_Crc32c, 8),
}


def known_algorithms() -> tuple[str, ...]:
    """The algorithms that a filed checksum may have; the BLAKE3 digest first."""
    return tuple(_ALGORITHMS)


def is_wellformed(algorithm: str, hex_digits: str) -> bool:
    """Whether ``hex_digits`` (either case) can be a digest of this algorithm. Unknown algorithms have none."""
    known = _ALGORITHMS.get(algorithm)
    if known is None or len(hex_digits) != known.hex_digits:
        return False
    # What is left when hexadecimal digits are stripped from both ends holds another character.
    return not hex_digits.strip(string.hexdigits)


def parse_checksum(text: str) -> tuple[str, str]:
    """Split ``algorithm:hex`` into the algorithm and lower-case digits; :class:`RequestError` if it is neither."""
    algorithm, _, digits = text.partition(":")
    if not is_wellformed(algorithm, digits):
        raise RequestError(
            f"{text!r} is not a checksum that can be checked.",
            code="checksum.malformed",
            remedy=f"Write algorithm:hex with one of {', '.join(_ALGORITHMS)}.",
        )
    return algorithm, digits.lower()


class Digest:
    """A running digest. ``str(digest)`` is its stored form, ``algorithm:hex``."""

    __slots__ = ("_hash", "algorithm", "update")

    def __init__(self, algorithm: str = HOUSE_ALGORITHM) -> None:
        known = _ALGORITHMS.get(algorithm)
        if known is None:
            raise RequestError(
                f"The checksum algorithm {algorithm!r} is not known.",
                code="checksum.unknown_algorithm",
                remedy=f"Use one of {', '.join(_ALGORITHMS)}.",
            )
        self.algorithm = algorithm
        self._hash = known.make()
        #: Feed bytes. Bound to the hash itself: it is called once for every megabyte of the telescope.
        self.update: Callable[[Data], object] = self._hash.update

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hexdigest()}"

    def matches(self, checksum: str) -> bool:
        """Whether the bytes so far have this checksum, written ``algorithm:hex`` in either case."""
        return str(self) == checksum.lower()


def new_digest(algorithm: str = HOUSE_ALGORITHM) -> Digest:
    """A fresh digest; :class:`RequestError` ``checksum.unknown_algorithm`` for an algorithm we do not have."""
    return Digest(algorithm)


def digest_of(data: Data) -> str:
    """The BLAKE3 digest of a short document."""
    digest = Digest()
    digest.update(data)
    return str(digest)


class HashingReader(io.RawIOBase):
    """Passes a stream on and feeds what is read to digests; counts it in ``size``.

    Does not own the stream: closing this leaves the other open.
    """

    def __init__(self, stream: BinaryIO, *digests: Digest) -> None:
        super().__init__()
        self._readinto: Callable[[memoryview], int | None] = stream.readinto  # type: ignore[attr-defined]
        self._digests = digests
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        with memoryview(buffer) as whole, whole.cast("B") as view:  # type: ignore[arg-type]
            count = self._readinto(view) or 0
            with view[:count] as read:
                for digest in self._digests:
                    digest.update(read)
        self.size += count
        return count


def digest_stream(stream: BinaryIO) -> tuple[int, str]:
    """Read a stream to its end; its size in bytes and its BLAKE3 digest ``blake3:<hex>``."""
    digest = Digest()
    reader = HashingReader(stream, digest)
    buffer = bytearray(BUFFER_BYTES)
    while reader.readinto(buffer):
        pass
    return reader.size, str(digest)
