"""The writers of PhysicalCopy rows, besides filing (which makes the SOURCE copies) and deletion.

A package's copy is recorded in the transaction that completes the operation that wrote it, never before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from ccatdc.common.states import transition
from datamgmt.models import (
    DataLocation,
    DataTransferPackage,
    DataTransferPackagePhysicalCopy,
    PhysicalCopy,
    RawDataFile,
    RawDataPackage,
    RawDataPackagePhysicalCopy,
)
from datamgmt.states import USABLE, Integrity, PhysicalCopyStatus, VerifiedHow, WantedCheck
from datamgmt.storage.base import in_64_bits


def record_package_copy(
    package: RawDataPackage,
    location: DataLocation,
    *,
    key: str,
    how: str,
    status: str = PhysicalCopyStatus.PRESENT,
    store_version: str = "",
    ctime_ns: int | None = None,
) -> RawDataPackagePhysicalCopy:
    """A verified copy of a package: its bytes had the package's digest when they were verified as ``how`` says.

    ``store_version`` is what the store said of the object when it was read back (``Stored.version``), ``ctime_ns`` when
    the last file of a tree was written.
    """
    copy: RawDataPackagePhysicalCopy = RawDataPackagePhysicalCopy.objects.create(
        raw_data_package=package,
        data_location=location,
        key=key,
        size=package.size,
        digest=package.digest,
        status=status,
        integrity=Integrity.OK,
        verified_at=Now(),
        seen_at=Now(),
        verified_how=how,
        store_version=store_version,
        ctime_ns=None if ctime_ns is None else in_64_bits(ctime_ns),
    )
    return copy


def record_bundle_copy(
    bundle: DataTransferPackage, location: DataLocation, *, key: str, size: int, digest: str, how: str
) -> DataTransferPackagePhysicalCopy:
    """A verified copy of a bundle: of its manifest, or of its tar of tars. ``size`` in bytes of that file."""
    copy: DataTransferPackagePhysicalCopy = DataTransferPackagePhysicalCopy.objects.create(
        data_transfer_package=bundle,
        data_location=location,
        key=key,
        size=size,
        digest=digest,
        integrity=Integrity.OK,
        verified_at=Now(),
        verified_how=how,
    )
    return copy


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """What packaging learned of one file: its BLAKE3, and the identity of the file that was read (None where it was no
    local file).
    """

    file_id: UUID
    digest: str
    mtime_ns: int | None
    inode: int | None
    ctime_ns: int | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that could not be packaged, and why."""

    file_id: UUID
    integrity: str
    code: str
    message: str


def record_packaged_files(files: Sequence[PackagedFile], how: str) -> None:
    """Digest of each file, and its SOURCE copy verified: two statements for thousands of files."""
    columns = (
        [f.file_id for f in files],
        [f.digest for f in files],
        [None if f.mtime_ns is None else in_64_bits(f.mtime_ns) for f in files],
        [None if f.inode is None else in_64_bits(f.inode) for f in files],
        [None if f.ctime_ns is None else in_64_bits(f.ctime_ns) for f in files],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE raw_data_file f SET digest = v.digest"
            " FROM unnest(%s::uuid[], %s::text[]) AS v(id, digest) WHERE f.id = v.id",
            columns[:2],
        )
        cursor.execute(
            "UPDATE physical_copy c SET digest = v.digest, mtime_ns = v.mtime_ns, inode = v.inode,"
            " ctime_ns = v.ctime_ns,"
            " integrity = %s, verified_at = now(), verified_how = %s, error_code = '', error_message = ''"
            " FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
            " AS v(id, digest, mtime_ns, inode, ctime_ns)"
            " WHERE c.raw_data_file_id = v.id AND c.status <> 'deleted'",
            (Integrity.OK, how, *columns),
        )


def set_files_aside(files: Iterable[SetAside]) -> None:
    """Take files out of their package and mark their SOURCE copies; they wait for an operator, the others go on. Two
    statements, were it a whole folder that is gone.
    """
    marks = list(files)
    RawDataFile.objects.filter(pk__in=[f.file_id for f in marks]).update(raw_data_package=None)
    mark_files(marks)


def mark_files(files: Iterable[SetAside]) -> None:
    """Mark the SOURCE copies of files, and leave these in their package: one statement."""
    marks = list(files)
    columns = (
        [f.file_id for f in marks],
        [f.integrity for f in marks],
        [f.code for f in marks],
        [f.message for f in marks],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE physical_copy c SET integrity = v.integrity, error_code = v.code,"
            " error_message = v.message"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[])"
            " AS v(id, integrity, code, message)"
            " WHERE c.raw_data_file_id = v.id AND c.status <> 'deleted'",
            columns,
        )


def mark_copy(copy: PhysicalCopy, integrity: str, code: str, message: str) -> bool:
    """A verdict about one copy that is not good news; whether it is a new one. It answers what somebody wanted to know."""
    rows = PhysicalCopy.objects.non_polymorphic().filter(pk=copy.pk)
    is_new = bool(rows.exclude(integrity=integrity, error_code=code).exists())
    rows.update(integrity=integrity, error_code=code, error_message=message, seen_at=Now(), wanted_check="")
    return is_new


def note_seen(copies: Collection[int]) -> None:
    """They are in their store, with the size and version that were recorded."""
    rows = PhysicalCopy.objects.non_polymorphic().filter(pk__in=copies)
    rows.update(seen_at=Now())
    rows.filter(wanted_check=WantedCheck.LOOK).update(wanted_check="")


def note_good(copies: Iterable[PhysicalCopy]) -> None:
    """They were read in full and had their digests: the evidence is renewed, whichever stage read. One that was found
    bad meanwhile stays so.
    """
    keys = [copy.pk for copy in copies]
    _renew(PhysicalCopy.objects.non_polymorphic().filter(pk__in=keys, integrity__in=USABLE))


def note_verified(copy: PhysicalCopy, version: str) -> bool:
    """It was read in full in order to know, and has its digest: whatever was said against it before is settled.
    ``version`` is what its store says of it now. False when somebody said something else meanwhile.
    """
    rows = PhysicalCopy.objects.non_polymorphic().filter(pk=copy.pk, integrity=copy.integrity)
    return _renew(rows, store_version=version) == 1


def _renew(copies: QuerySet[Any], **fields: Any) -> int:
    return copies.update(
        integrity=Integrity.OK,
        verified_at=Now(),
        seen_at=Now(),
        verified_how=VerifiedHow.READ_BACK,
        wanted_check="",
        error_code="",
        error_message="",
        **fields,
    )


def want_check(copies: Iterable[int], check: str) -> None:
    """Have stage 90 look at these copies, or read them in full. A wish to read is not taken back by one to look."""
    rows = PhysicalCopy.objects.non_polymorphic().filter(pk__in=list(copies))
    if check == WantedCheck.LOOK:
        rows = rows.filter(wanted_check="")
    rows.exclude(wanted_check=check).update(wanted_check=check)


def end_replaced_copy(copy: PhysicalCopy, why: str) -> None:
    """End a bad copy whose bytes are gone, so that a good one of the same can be recorded at the place. In the
    transaction that records that one. InvalidTransition when a deletion has begun with it.
    """
    transition(copy, PhysicalCopyStatus.DELETION_SCHEDULED)
    transition(copy, PhysicalCopyStatus.DELETION_IN_PROGRESS)
    transition(copy, PhysicalCopyStatus.DELETED, deleted_at=Now(), evidence={"replaced_because": why})
