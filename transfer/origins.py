"""The copy that a stage reads from, and what reading teaches about it. Used by the operations of
stages 20 to 60 and by the transports.

A row promises bytes with a digest; whoever reads them compares. A promise that is not kept is noted
on the copy, so that the next attempt takes another one and nothing rests on this one any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, ClassVar

from django.db.models.functions import Now

from accounts.models import LogLevel, record
from ccatdc.common.errors import DataIntegrityError, KeyMissingError
from datamgmt.copies import mark_copy
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity, VerifiedHow
from datamgmt.storage import storage_for


class OriginError(DataIntegrityError):
    """What was to be read is not what the row promises. Another copy may be: a retry looks for it.

    ``integrity`` is the verdict. ``may_pass``: it is one only when the last attempt says so too.
    """

    default_retryable = True
    integrity: ClassVar[str]
    may_pass: ClassVar[bool] = False

    def __init__(self, message: str, *, remedy: str = "") -> None:
        # A verdict removes one copy from the choice, so that it cannot go on for ever; neither the
        # work nor the place where it runs is to blame.
        super().__init__(message, remedy=remedy, counts=self.may_pass)


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


def open_origin(copy: PhysicalCopy) -> BinaryIO:
    """The bytes of a copy. :class:`OriginMissingError` when they are not there. Needs the location as
    its own kind (``with_subjects()``).
    """
    try:
        return storage_for(copy.data_location).open(copy.key)
    except KeyMissingError as error:
        raise missing(str(copy)) from error


def missing(what: str) -> OriginMissingError:
    """The error for bytes that are not where their row says."""
    return OriginMissingError(
        f"{what} is not there any more, though nothing of ours deleted it.",
        remedy="Another copy is used where there is one.",
    )


def damaged(what: str, found: object, recorded: object) -> OriginDamagedError:
    """The error for bytes that are not those that were recorded."""
    return OriginDamagedError(
        f"{what} is not what was recorded: {found}, not {recorded}.",
        remedy="Another copy is used where there is one.",
    )


@contextmanager
def reading(what: str) -> Iterator[None]:
    """What a disk says while it is read, apart from what another says that is written to."""
    try:
        yield
    except OSError as error:
        raise OriginUnreadableError(f"Cannot read {what}: {error.strerror or error}.") from error


def note_bad(copy: PhysicalCopy, error: OriginError) -> None:
    """Nothing rests on this copy any more, and people see it."""
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
