"""The copy that a stage reads from, and what reading teaches about it. Used by the operations of stages 20 to 60 and by
the transports.

A row promises bytes with a digest; whoever reads them compares. A promise that is not kept is noted on the copy, so
that the next attempt takes another one and nothing rests on this one any more.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, ClassVar, cast

from django.db import transaction

from accounts.models import LogLevel, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import (
    DataIntegrityError,
    KeyEscapesError,
    KeyMissingError,
    LocationIdentityError,
    StorageError,
)
from ccatdc.common.states import transition_all
from datamgmt.copies import recording
from datamgmt.copies.recording import mark_copy, want_check
from datamgmt.models import LocationType, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState, WantedCheck
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage

#: Seconds after which a copy that seems to be gone is looked at once more.
LOOK_AGAIN_SECONDS = 1.0


class OriginError(DataIntegrityError):
    """What was to be read is not what the row promises. Another copy may be: a retry looks for it.

    ``integrity`` is the verdict. ``may_pass``: it is one only when the last attempt says so too.
    """

    default_retryable = True
    integrity: ClassVar[str]
    may_pass: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        # A verdict removes one copy from the choice, so that it cannot go on for ever; neither the work nor the place
        # where it runs is to blame.
        super().__init__(message, remedy="Another copy is used where there is one.")


class OriginDamagedError(OriginError):
    """It has other bytes than were recorded."""

    default_code = "origin.damaged"
    integrity = Integrity.DAMAGED


class OriginMissingError(OriginError):
    """It is not there, at a place that proved to be itself."""

    default_code = "origin.missing"
    integrity = Integrity.MISSING


class OriginUnreadableError(OriginError):
    """The disk does not give it: a bad sector, or a server that is away for a moment."""

    default_code = "origin.unreadable"
    integrity = Integrity.SUSPECT
    may_pass = True


class OriginChangedError(OriginError):
    """Its store says that it is not the object that was read back: another version of the same size. Reading it tells."""

    default_code = "origin.changed"
    integrity = Integrity.SUSPECT


def damaged(what: str, found: object, recorded: object) -> OriginDamagedError:
    """The error for bytes that are not those that were recorded."""
    return OriginDamagedError(f"{what} is not what was recorded: {found}, not {recorded}.")


class OriginDiffersError(OriginChangedError):
    """A part of it has other bytes than were packaged. Reading all of it tells whether the copy or the way is at fault."""

    default_code = "origin.differs"


@contextmanager
def origin_errors(storage: LocationStorage, what: str) -> Iterator[None]:
    """What goes wrong with ``what`` while it is opened or read, as an :class:`OriginError`. Around nothing else: what a
    place says that is written to is not the origin's fault. Errors name the origin's place.

    A place that does not prove to be itself is to blame, not what it has. What a server (S3) says stays as it is: that
    it is away is no verdict about one object.
    """
    with storage.named_in_errors(), _as_origin_errors(storage, what):
        yield


@contextmanager
def _as_origin_errors(storage: LocationStorage, what: str) -> Iterator[None]:
    try:
        yield
    except LocationIdentityError:
        raise
    except KeyMissingError as error:
        raise OriginMissingError(f"{what} is not there any more, though nothing of ours deleted it.") from error
    except KeyEscapesError as error:  # a link or a folder stands in its place
        raise OriginDamagedError(f"{what} is not the file that was recorded: {error}") from error
    except StorageError as error:
        if error.code != StorageError.default_code:
            raise
        storage.check_identity()
        raise OriginUnreadableError(error.message) from error
    except OSError as error:
        storage.check_identity()
        raise OriginUnreadableError(f"Cannot read {what}: {error.strerror or error}.") from error


def open_at(storage: LocationStorage, key: str, what: str) -> BinaryIO:
    """A stream of what should be under ``key``; it raises :class:`OriginError` when it is not."""
    with origin_errors(storage, what):
        stream = storage.open(key)
    return cast("BinaryIO", _Origin(stream, storage, what))


def open_range_at(storage: LocationStorage, key: str, what: str, start: int, length: int) -> BinaryIO:
    """As :func:`open_at`, so many bytes from ``start`` on."""
    with origin_errors(storage, what):
        stream = storage.open_range(key, start, length)
    return cast("BinaryIO", _Origin(stream, storage, what))


def open_origin(copy: PhysicalCopy) -> BinaryIO:
    """The bytes of a copy, as :func:`open_at`. Needs the location as its own kind (``with_subjects()``)."""
    return open_at(storage_for(copy.data_location), copy.key, str(copy))


class _Origin(io.RawIOBase):
    """A stream whose errors are the origin's. Owns the stream."""

    def __init__(self, stream: BinaryIO, storage: LocationStorage, what: str) -> None:
        super().__init__()
        self._stream, self._storage, self._what = stream, storage, what
        self._readinto: Callable[[Any], int | None] = stream.readinto  # type: ignore[attr-defined]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read into ``buffer``; the number of bytes, 0 at the end."""
        with origin_errors(self._storage, self._what):
            return self._readinto(buffer)

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        with origin_errors(self._storage, self._what):
            return self._stream.seek(offset, whence)

    def close(self) -> None:
        self._stream.close()
        super().close()


def look_at(copy: PhysicalCopy, storage: LocationStorage) -> None:
    """Whether a copy is in its store, with the size and version that were recorded. :class:`OriginError` when it is
    not.

    One odd answer is asked again before it counts.
    """
    try:
        _look(copy, storage)
    except OriginError:
        time.sleep(LOOK_AGAIN_SECONDS)
        _look(copy, storage)


def _look(copy: PhysicalCopy, storage: LocationStorage) -> None:
    with origin_errors(storage, str(copy)):
        found = storage.stat(copy.location_key)
    if found.size != copy.size:
        raise damaged(str(copy), f"{found.size} bytes", f"{copy.size} bytes")
    if copy.store_version and found.version and found.version != copy.store_version:
        raise OriginChangedError(f"{copy} has the version {found.version}; {copy.store_version} was read back.")


def is_back(copy: PhysicalCopy, error: OriginError) -> bool:
    """Whether a copy that seemed to be missing had been taken out by a deletion that did not end, and has its name
    again.

    A copy that is being deleted is left alone.
    """
    if not isinstance(error, OriginMissingError):
        return False
    if not PhysicalCopy.objects.filter(pk=copy.pk).readable().exists():
        return False
    return storage_for(copy.data_location).put_back(copy.location_key)


def note_bad(copy: PhysicalCopy, error: OriginError) -> None:
    """Nothing rests on this copy any more, and people see it. A copy that was deleted meanwhile is not missing.

    A package that has no good archive copy any more is not archived: it is FAILED until it was resent from what there
    is.
    """
    with transaction.atomic():
        found = PhysicalCopy.objects.non_polymorphic().filter(pk=copy.pk).readable()
        if found.select_for_update(of=("self",)).first() is None:
            return
        is_new = mark_copy(copy, error.integrity, error.code, str(error))
        if isinstance(error, OriginChangedError):
            want_check([copy.pk], WantedCheck.READ)
        elif copy.data_location.location_type == LocationType.LONG_TERM_ARCHIVE:
            package = RawDataPackage.objects.archived().filter(pk=copy.raw_data_package_id)
            lost = package.exclude(pk__in=package.present_in_archive())
            transition_all(lost, PackageState.FAILED, field="state")
        if is_new:
            record("copies", f"{copy} is {error.integrity}: {error}", about=copy, level=LogLevel.ERROR, code=error.code)
        notify_managers()


def note_verified(copy: PhysicalCopy, version: str) -> None:
    """A copy was read in order to know, and is good. With a good copy in an archive its package is archived, whatever
    was thought.
    """
    with transaction.atomic():
        if not recording.note_verified(copy, version):
            return
        if copy.data_location.location_type == LocationType.LONG_TERM_ARCHIVE:
            again = RawDataPackage.objects.failed().filter(pk=copy.raw_data_package_id)
            transition_all(again, PackageState.ARCHIVED, field="state")
        notify_managers()
