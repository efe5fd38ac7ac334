"""The copy that a stage reads from, and what reading teaches about it. Used by the operations of
stages 20 to 60 and by the transports.

A row promises bytes with a digest; whoever reads them compares. A promise that is not kept is noted
on the copy, so that the next attempt takes another one and nothing rests on this one any more.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, ClassVar, cast

from django.db.models.functions import Now

from accounts.models import LogLevel, record
from ccatdc.common.errors import (
    DataIntegrityError,
    KeyEscapesError,
    KeyMissingError,
    LocationIdentityError,
    StorageError,
)
from datamgmt.copies import mark_copy
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity, VerifiedHow
from datamgmt.storage import storage_for
from datamgmt.storage.base import LocationStorage


class OriginError(DataIntegrityError):
    """What was to be read is not what the row promises. Another copy may be: a retry looks for it.

    ``integrity`` is the verdict. ``may_pass``: it is one only when the last attempt says so too.
    """

    default_retryable = True
    integrity: ClassVar[str]
    may_pass: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        # A verdict removes one copy from the choice, so that it cannot go on for ever; neither the
        # work nor the place where it runs is to blame.
        super().__init__(
            message, remedy="Another copy is used where there is one.", counts=self.may_pass
        )


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


def damaged(what: str, found: object, recorded: object) -> OriginDamagedError:
    """The error for bytes that are not those that were recorded."""
    return OriginDamagedError(f"{what} is not what was recorded: {found}, not {recorded}.")


@contextmanager
def origin_errors(storage: LocationStorage, what: str) -> Iterator[None]:
    """What goes wrong with ``what`` while it is opened or read, as an :class:`OriginError`. Around
    nothing else: what a place says that is written to is not the origin's fault.

    A place that does not prove to be itself is to blame, not what it has. What a server (S3) says
    stays as it is: that it is away is no verdict about one object.
    """
    try:
        yield
    except LocationIdentityError:
        raise
    except KeyMissingError as error:
        raise OriginMissingError(
            f"{what} is not there any more, though nothing of ours deleted it."
        ) from error
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


def open_origin(copy: PhysicalCopy) -> BinaryIO:
    """The bytes of a copy, as :func:`open_at`. Needs the location as its own kind
    (``with_subjects()``).
    """
    return open_at(storage_for(copy.data_location), copy.key, str(copy))


class _Origin(io.RawIOBase):
    """A stream whose errors are the origin's. Owns the stream."""

    def __init__(self, stream: BinaryIO, storage: LocationStorage, what: str) -> None:
        super().__init__()
        self._stream, self._storage, self._what = stream, storage, what
        self._readinto: Callable[[Any], int | None] = stream.readinto  # type: ignore[attr-defined]

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read into ``buffer``; the number of bytes, 0 at the end."""
        with origin_errors(self._storage, self._what):
            return self._readinto(buffer)

    def close(self) -> None:
        """Close what is read, too."""
        self._stream.close()
        super().close()


def note_bad(copy: PhysicalCopy, error: OriginError) -> None:
    """Nothing rests on this copy any more, and people see it. A copy that was deleted meanwhile is
    not missing.
    """
    if not PhysicalCopy.objects.filter(pk=copy.pk).readable().exists():
        return
    mark_copy(copy, error.integrity, error.code, str(error))
    record(
        "copies",
        f"{copy} is {error.integrity}: {error}",
        about=copy,
        level=LogLevel.ERROR,
        code=error.code,
    )


def note_good(copies: Iterable[PhysicalCopy]) -> None:
    """They were read in full and had their digests. What was good before stays as it was verified
    then.
    """
    doubtful = PhysicalCopy.objects.non_polymorphic().filter(
        pk__in=[copy.pk for copy in copies], integrity=Integrity.UNVERIFIED
    )
    doubtful.update(integrity=Integrity.OK, verified_at=Now(), verified_how=VerifiedHow.READ_BACK)
