"""The contract of every storage technology: what operations may do with the bytes of one location.

Operations ask ``storage_for(location)`` and know nothing else about disks, buckets or tapes. Managers never come here.

Rules that hold for all technologies (each has a case in ``tests/datamgmt/storage/contract.py``):

* A location proves that it is itself before every write and every delete, and before it says that
  something is missing or lists what it has: an unmounted disk is an error, never an empty store.
* A name is used once. What is being written stands elsewhere until it is whole, and never replaces
  anything.
* A deletion names exactly one key; a key that is gone already is success.
* What a technology cannot do by its nature raises :class:`NotSupportedError`, by name.
"""

from __future__ import annotations

import functools
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NoReturn, Protocol
from uuid import UUID

from ccatdc.common.errors import CcatError, DataIntegrityError, NotSupportedError, StorageError
from datamgmt.checksums import Data
from datamgmt.storage.identity import Marker
from datamgmt.storage.keys import checked_key


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
    """One stored file; None is what the technology does not have.

    ``ctime_ns`` moves with every change of a file and cannot be set by users. ``version`` is what an object store says
    of the object's content: its ETag.
    """

    size: int
    mtime_ns: int | None = None
    inode: int | None = None
    ctime_ns: int | None = None
    version: str = ""

    @property
    def modified_at(self) -> datetime | None:
        """When its content last changed, to the microsecond; None where the store does not say, or says what no date
        can be.
        """
        if self.mtime_ns is None:
            return None
        try:
            return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self.mtime_ns // 1000)
        except OverflowError:
            return None

    def agrees_with(self, other: Stored) -> bool:
        """Whether both can be the same file, by everything that both know."""
        pairs = ((self.mtime_ns, other.mtime_ns), (self.inode, other.inode), (self.ctime_ns, other.ctime_ns))
        same_version = not (self.version and other.version) or self.version == other.version
        return (
            self.size == other.size
            and same_version
            and all(
                in_64_bits(mine) == in_64_bits(theirs)
                for mine, theirs in pairs
                if mine is not None and theirs is not None
            )
        )


def in_64_bits(number: int) -> int:
    """A time or inode as a signed column of 64 bits holds it, larger ones folded into it: some file systems number
    their files with all 64 bits, and nanoseconds of the year 2262 need more. Only ever compared with itself.
    """
    return (number + 2**63) % 2**64 - 2**63


#: What :meth:`LocationStorage.probe_writing` writes.
PROBE = b"ccatdc probe"


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes, and files of which a file system can hold a fixed number (inodes): in use and in all. None where the
    technology has no such limit, or cannot tell at an affordable price.
    """

    used_bytes: int | None
    capacity_bytes: int | None
    used_files: int | None = None
    capacity_files: int | None = None


def require_probe(found: bytes, name: str) -> None:
    """The answer to :meth:`LocationStorage.probe_writing` must be what was written."""
    if found != PROBE:
        raise StorageError(
            f"{name} returned {len(found)} other bytes than were written.", code="archive.read_back_differs"
        )


class Writer(Protocol):
    """Takes the bytes of one new file, in order."""

    def write(self, data: Data, /) -> int: ...


class ResumableWriter(Protocol):
    """Takes the bytes of one file that an earlier attempt may have begun.

    ``size``: bytes that are there, which :meth:`read_back` gives from the first one on. While ``keep`` is True, what is
    written stays for the next attempt when the block ends with an error.
    """

    size: int
    keep: bool

    def write(self, data: Data, /) -> int: ...

    def read_back(self) -> Iterator[memoryview]: ...


class FreshWriter:
    """A writer where nothing can be resumed."""

    size = 0
    keep = False

    def __init__(self, out: Writer) -> None:
        self._out = out

    def write(self, data: Data, /) -> int:
        return self._out.write(data)

    @staticmethod
    def read_back() -> Iterator[memoryview]:
        return iter(())


#: Methods of a storage whose errors name this location; what they return is not covered.
_ANSWERING = (
    "check_identity", "write_marker", "open", "open_range", "stat", "exists", "usage", "probe_writing",
    "discard_attempt", "delete", "put_back", "delete_tree", "link", "unlink_link",
    "sweep", "quarantined", "empty_quarantine",
)  # fmt: skip
#: Methods that return a block of writing.
_BLOCKS = ("writer", "resumable_writer", "make_tree")


class LocationStorage(ABC):
    """The bytes of one location. Cheap to make; holds no open files.

    An error that one of its methods raises names the location (``CcatError.place``), so that the right circuit breaker
    opens.
    """

    technology: ClassVar[str]

    def __init__(self, location: Location) -> None:
        self._marker = Marker(location.uuid, location.full_name)
        self.name = location.full_name
        self.uuid = location.uuid

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _ANSWERING:
            if name in cls.__dict__:
                setattr(cls, name, _naming_the_place(cls.__dict__[name]))
        for name in _BLOCKS:
            if name in cls.__dict__:
                setattr(cls, name, _block_naming_the_place(cls.__dict__[name]))

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Errors in this block that name no place name this one. For what reads a stream of :meth:`open`."""
        try:
            yield
        except CcatError as error:
            if error.place is None:
                error.place = self.uuid
            raise

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
        """A stream from the first byte, with ``readinto``. :class:`KeyMissingError` when there is no such file."""

    @abstractmethod
    def open_range(self, key: str, start: int, length: int) -> BinaryIO:
        """A stream, as :meth:`open`, of ``length`` bytes from ``start`` on; shorter only where the file ends before."""

    @abstractmethod
    def stat(self, key: str) -> Stored:
        """Size and identity of one file. :class:`KeyMissingError` when there is no such file."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is a file under this key. A folder is not a file."""

    @abstractmethod
    def walk(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        """Every regular file below a folder (all of them by default), in no promised order, without the reserved
        folder.

        ``obs_1`` does not list ``obs_10``. A name that is not UTF-8 comes with surrogate escapes, so that it can be
        reported; every other method refuses it.
        """

    @abstractmethod
    def usage(self) -> Usage:
        """What is used and what there is in all, in bytes."""

    @abstractmethod
    def probe_writing(self) -> None:
        """Write, read and remove a small file of our own; raises what a write there raises now."""

    def certificate_expires_at(self) -> datetime | None:
        """When the certificate of the store's endpoint ends; None where it has none."""
        return None

    def presigned_address(self, key: str, seconds: int) -> str:
        """An address from which everybody can read the file for so many seconds. :class:`NotSupportedError` where the
        technology has none.
        """
        self._cannot(f"give an address of {key!r} that is good for {seconds} s")

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """Where this host sees the key as a file, for people and for transports; None where it does not."""

    # Writing

    @abstractmethod
    def writer(self, key: str, attempt: str, size: int | None = None) -> AbstractContextManager[Writer]:
        """Write one new file. It appears whole and durable under ``key`` when the block ends well, else not at all.

        ``attempt`` (letters, digits, ``._-``, at most 100) names who writes: leftovers of a killed attempt can be told
        from the files of others. ``size`` is the announced number of bytes; other than that is a
        :class:`DataIntegrityError`. :class:`KeyExistsError` when the name is taken, :class:`NoSpaceError` when the
        location is full.
        """

    @contextmanager
    def resumable_writer(
        self, key: str, attempt: str, size: int, earlier: Sequence[tuple[str, str]] = ()
    ) -> Iterator[ResumableWriter]:
        """As :meth:`writer`, for bytes that earlier attempts may have begun to write: their keys and names. What one of
        them left is continued where the place can do that, the rest is removed. Who writes compares the digest of all.
        """
        for earlier_key, earlier_attempt in earlier:
            self.discard_attempt(earlier_key, earlier_attempt)
        with self.writer(key, attempt, size) as out:
            yield FreshWriter(out)

    @abstractmethod
    def discard_attempt(self, key: str, attempt: str) -> None:
        """Remove what a killed attempt left of writing ``key``. Touches nothing of other attempts and no finished file."""

    @abstractmethod
    def delete(self, key: str, *, expected: Stored | None = None) -> None:
        """Delete exactly one file; success when it is gone already.

        With ``expected``, a file that differs from it is kept: :class:`DataIntegrityError` ``storage.changed``.
        """

    def put_back(self, key: str) -> bool:
        """Give back its name to what a deletion of this key took out of the tree and did not remove; whether there was
        something.

        False where deletions take nothing out first. :class:`KeyExistsError` when the name is taken by now.
        """
        checked_key(key)
        return False

    # What nobody needs any more

    def sweep(self, is_over: Callable[[str], bool], age: timedelta) -> list[str]:  # noqa: ARG002
        """Remove what writers left that were killed: the parts of attempts of which ``is_over(attempt)`` says that they
        write no more, untouched for ``age``. The names of what was removed.

        Nothing where writing leaves nothing behind.
        """
        return []

    def quarantined(self, age: timedelta) -> set[str]:  # noqa: ARG002
        """The hashes (:func:`~datamgmt.storage.keys.key_hash`) of the keys that deletions took out longer than ``age``
        ago, and neither removed nor put back. Empty where deletions take nothing out first.
        """
        return set()

    def empty_quarantine(self, hashes: Collection[str]) -> list[str]:  # noqa: ARG002
        """Remove what deletions of keys with these hashes took out. The names of what was removed."""
        return []

    # Folders, which only disks have

    def make_tree(
        self, key: str, attempt: str, *, size: int | None = None, files: int = 1
    ) -> AbstractContextManager[Path]:
        """A new local folder to fill with so many bytes and files. It appears under ``key`` when the block ends well,
        else not at all. :class:`NoSpaceError` when there is no room for them.
        """
        self._cannot(f"hold the folder {key!r} ({attempt}, {size} bytes, {files} files)")

    def delete_tree(self, key: str) -> None:
        """Delete exactly one folder with all that it holds, never following links; success when it is gone already."""
        self._cannot(f"hold the folder {key!r}")

    def link(self, key: str, target_key: str) -> None:
        """A relative symbolic link at ``key`` to ``target_key``. The same link again is success."""
        self._cannot(f"hold the link {key!r} to {target_key!r}")

    def unlink_link(self, key: str) -> None:
        """Remove a link, never what it points to; success when it is gone already."""
        self._cannot(f"hold the link {key!r}")

    # For the technologies

    def _cannot(self, what: str) -> NoReturn:
        """Refuse what the technology cannot do."""
        raise NotSupportedError(f"{self.technology} cannot {what}: {self.name} is such a location.")


class Stretch(io.RawIOBase):
    """The next ``length`` bytes of a stream, which it owns."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        super().__init__()
        self._stream, self._left = stream, length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        """Never more than what is left."""
        with memoryview(buffer) as whole, whole.cast("B") as view:  # type: ignore[arg-type]
            count: int = self._stream.readinto(view[: self._left])  # type: ignore[attr-defined]
        self._left -= count
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def require_unchanged(key: str, found: Stored, expected: Stored | None) -> None:
    """The guard of deletions: :class:`DataIntegrityError` ``storage.changed`` when this is not the file that was meant."""
    if expected is not None and not found.agrees_with(expected):
        raise DataIntegrityError(
            f"{key!r} is not the file that was to be deleted: {expected} was expected, {found} is there. It was kept.",
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


def _naming_the_place(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: LocationStorage, *args: Any, **kwargs: Any) -> Any:
        with self.named_in_errors():
            return method(self, *args, **kwargs)

    return call


def _block_naming_the_place(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: LocationStorage, *args: Any, **kwargs: Any) -> Any:
        with self.named_in_errors():
            block = method(self, *args, **kwargs)
        return _named(self, block)

    return call


@contextmanager
def _named(storage: LocationStorage, block: AbstractContextManager[Any]) -> Iterator[Any]:
    with storage.named_in_errors(), block as value:
        yield value
