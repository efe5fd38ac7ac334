"""Checksums of files, computed while they are written or by reading them once more.

sha256 is in the standard library; blake3 and xxh3_128, many times faster, need the packages ``blake3`` and ``xxhash``.
"""

from __future__ import annotations

import hashlib
import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Protocol

from ccat_file.errors import UsageError

_BLOCK: Final = 1024 * 1024
#: Algorithm: the package that has it.
ALGORITHMS: Final = {"sha256": "hashlib", "blake3": "blake3", "xxh3_128": "xxhash"}


class Digest(Protocol):
    def update(self, data: Any, /) -> object:
        """Take bytes in."""

    def hexdigest(self) -> str:
        """The digest of the bytes so far."""


def new_digest(algorithm: str) -> Digest:
    """A fresh digest. Raises UsageError for an unknown algorithm or one whose package is missing."""
    if algorithm == "sha256":
        return hashlib.sha256()
    package = ALGORITHMS.get(algorithm)
    if package is None:
        raise UsageError(f"The algorithm {algorithm!r} is none of {', '.join(ALGORITHMS)}.")
    try:
        digest: Digest = getattr(importlib.import_module(package), algorithm)()
    except ImportError as error:
        raise UsageError(f"{algorithm} needs the Python package {package}. Install it, or use sha256.") from error
    return digest


class HashingWriter(io.RawIOBase):
    """Passes bytes on to a binary stream and knows their checksum. Closes the stream with itself.

    Bytes are taken in as they are written, so one cannot seek: a program that goes back in a file (HDF5 does) has its
    checksum computed afterwards.
    """

    def __init__(self, stream: BinaryIO | IO[bytes], algorithm: str = "sha256") -> None:
        super().__init__()
        self.algorithm = algorithm
        self.size = 0
        self._stream = stream
        self._digest = new_digest(algorithm)

    @property
    def checksum(self) -> str:
        """Hexadecimal digits of the digest of all bytes written so far."""
        return self._digest.hexdigest()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        """Write bytes. Only what the stream took counts."""
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view):
            count = self._stream.write(view[written:])
            if not count:
                break  # a stream that does not block
            self._digest.update(view[written : written + count])
            written += count
        self.size += written
        return written

    def flush(self) -> None:
        if not self.closed:
            self._stream.flush()

    def close(self) -> None:
        if not self.closed:
            try:
                super().close()
            finally:
                self._stream.close()


def create(path: Path | str, algorithm: str = "sha256") -> HashingWriter:
    """Create a file whose checksum is computed while it is written. It must not exist."""
    new_digest(algorithm)  # before there is a file
    return HashingWriter(Path(path).open("xb"), algorithm)


def checksum_of(path: Path | str, algorithm: str, advance: Callable[[int], None] = lambda _: None) -> str:
    """The checksum of a file, by reading it. ``advance`` is told the bytes of each block."""
    digest = new_digest(algorithm)
    with Path(path).open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()
