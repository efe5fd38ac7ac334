"""The contract of every storage technology: what operations may do with the bytes of one location.

Operations ask ``storage_for(location)`` and know nothing else about disks, buckets or tapes.
Managers never come here.

Rules that hold for all technologies (each has a case in ``tests/datamgmt/storage/contract.py``):

* A location proves that it is itself before every write and every delete, and before it says that
  something is missing or lists what it has: an unmounted disk is an error, never an empty store.
* A name is used once. What is being written stands elsewhere until it is whole, and never replaces
  anything.
* A deletion names exactly one key; a key that is gone already is success.
* What a technology cannot do by its nature raises :class:`NotSupportedError`, by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, NoReturn, Protocol
from uuid import UUID

from ccatdc.common.errors import DataIntegrityError, NotSupportedError
from datamgmt.checksums import Data
from datamgmt.storage.identity import Marker


class Location(Protocol):
    """What every storage needs of a location's row."""

    @property
    def uuid(self) -> UUID: ...

    @property
    def full_name(self) -> str: ...


class StoredLocation(Location, Protocol):
    """A location whose row says which class stores its bytes."""

    @property
    def storage(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored file. ``inode`` is None where the technology has none."""

    size: int
    mtime_ns: int | None = None
    inode: int | None = None

    def agrees_with(self, other: Stored) -> bool:
        """Whether both can be the same file, by everything that both know."""
        pairs = ((self.mtime_ns, other.mtime_ns), (self.inode, other.inode))
        return self.size == other.size and all(
            in_64_bits(mine) == in_64_bits(theirs)
            for mine, theirs in pairs
            if mine is not None and theirs is not None
        )


def in_64_bits(number: int) -> int:
    """A time or inode as a signed column of 64 bits holds it, larger ones folded into it: some file
    systems number their files with all 64 bits, and nanoseconds of the year 2262 need more. Only
    ever compared with itself.
    """
    return (number + 2**63) % 2**64 - 2**63


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes in use and in all; None where the technology cannot tell at an affordable price."""

    used_bytes: int | None
    capacity_bytes: int | None


class Writer(Protocol):
    """Takes the bytes of one new file, in order."""

    def write(self, data: Data, /) -> int: ...


class LocationStorage(ABC):
    """The bytes of one location. Cheap to make; holds no open files."""

    technology: ClassVar[str]

    def __init__(self, location: Location) -> None:
        self._marker = Marker(location.uuid, location.full_name)
        self.name = location.full_name

    # Identity (decision 9)

    @abstractmethod
    def write_marker(self) -> None:
        """Mark the place as this location's. Its own marker is left as it is;
        :class:`LocationIdentityError` for another's.
        """

    @abstractmethod
    def check_identity(self) -> None:
        """:class:`LocationIdentityError`, saying which, when the marker is missing, unreadable or
        another location's.
        """

    # Reading

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """A stream from the first byte, with ``readinto``. :class:`KeyMissingError` when there is
        no such file.
        """

    @abstractmethod
    def stat(self, key: str) -> Stored:
        """Size and identity of one file. :class:`KeyMissingError` when there is no such file."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is a file under this key. A folder is not a file."""

    @abstractmethod
    def walk(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        """Every regular file below a folder (all of them by default), in no promised order,
        without the house's own.

        ``obs_1`` does not list ``obs_10``. A name that is not UTF-8 comes with surrogate escapes,
        so that it can be reported; every other method refuses it.
        """

    @abstractmethod
    def usage(self) -> Usage:
        """What is used and what there is in all, in bytes."""

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """Where this host sees the key as a file, for people and for transports; None where it
        does not.
        """

    # Writing

    @abstractmethod
    def writer(
        self, key: str, attempt: str, size: int | None = None
    ) -> AbstractContextManager[Writer]:
        """Write one new file. It appears whole and durable under ``key`` when the block ends well,
        else not at all.

        ``attempt`` (letters, digits, ``._-``, at most 100) names who writes: leftovers of a killed
        attempt can be told from the files of others. ``size`` is the announced number of bytes;
        other than that is a :class:`DataIntegrityError`. :class:`KeyExistsError` when the name is
        taken, :class:`NoSpaceError` when the location is full.
        """

    @abstractmethod
    def discard_attempt(self, key: str, attempt: str) -> None:
        """Remove what a killed attempt left of writing ``key``. Touches nothing of other attempts
        and no finished file.
        """

    @abstractmethod
    def delete(self, key: str, *, expected: Stored | None = None) -> None:
        """Delete exactly one file; success when it is gone already.

        With ``expected``, a file that differs from it is kept: :class:`DataIntegrityError`
        ``storage.changed``.
        """

    # Folders, which only disks have

    def make_tree(self, key: str, attempt: str) -> AbstractContextManager[Path]:
        """A new local folder to fill. It appears under ``key`` when the block ends well, else not
        at all.
        """
        self._cannot(f"hold the folder {key!r} ({attempt})")

    def delete_tree(self, key: str) -> None:
        """Delete exactly one folder with all that it holds, never following links; success when it
        is gone already.
        """
        self._cannot(f"hold the folder {key!r}")

    def link(self, key: str, target_key: str) -> None:
        """A relative symbolic link at ``key`` to ``target_key``. The same link again is success."""
        self._cannot(f"hold the link {key!r} to {target_key!r}")

    def unlink_link(self, key: str) -> None:
        """Remove a link, never what it points to; success when it is gone already."""
        self._cannot(f"hold the link {key!r}")

    # For the technologies

    def _cannot(self, what: str) -> NoReturn:
        raise NotSupportedError(f"{self.technology} cannot {what}: {self.name} is such a location.")


def require_unchanged(key: str, found: Stored, expected: Stored | None) -> None:
    """The guard of deletions: :class:`DataIntegrityError` ``storage.changed`` when this is not the
    file that was meant.
    """
    if expected is not None and not found.agrees_with(expected):
        raise DataIntegrityError(
            f"{key!r} is not the file that was to be deleted: "
            f"{expected} was expected, {found} is there. It was kept.",
            code="storage.changed",
            remedy="Find out who changed it; file it anew if it is data.",
        )


def require_announced(key: str, written: int, size: int | None) -> None:
    """The guard of writers: what was announced must have come."""
    if size is not None and written != size:
        raise DataIntegrityError(
            f"{written} bytes were written to {key!r}, {size} were announced. Nothing was kept.",
            code="storage.size_differs",
        )
