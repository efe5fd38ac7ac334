"""Putting one package into an archive: the object, read back in full, and its sidecar. Used by stage 50, and by stage
30 on a way that ends in an archive.

A 200 proves nothing (decision 7): the object counts when its bytes were read back and had the digest of packaging.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.db.models.functions import Now

from ccatdc.common.errors import KeyMissingError, StorageError
from ccatdc.common.states import transition_all
from datamgmt.checksums import BUFFER_BYTES, digest_of, new_digest
from datamgmt.copies.recording import record_package_copy
from datamgmt.metadata.filling import fill_where_missing
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import sidecar_key
from datamgmt.packaging.sidecar import sidecar_of
from datamgmt.states import PackageState, VerifiedHow
from datamgmt.storage.base import LocationStorage
from transfer.engine.worker.lease import LeaseHandle, Part
from transfer.routing.sources import damaged


class Stream(Protocol):
    """What is read: into a buffer, 0 at the end."""

    def readinto(self, buffer: Any, /) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Archived:
    """One package in an archive: keys of object and sidecar, bytes of the object."""

    object_key: str
    sidecar_key: str
    size: int
    version: str = ""


def archive_package(
    package: RawDataPackage,
    stream: Stream,
    archive: LocationStorage,
    *,
    object_key: str,
    attempt: str,
    lease: LeaseHandle,
) -> Archived:
    """Write, read back, describe. When it fails, :func:`discard_archived` removes what is there.

    :class:`OriginDamagedError` when ``stream`` is not the package. ``lease`` is told the bytes read
    back, in addition to those that ``stream`` tells.
    """
    size = package.size or 0
    archived = Archived(object_key, sidecar_key(object_key), size)
    with archive.writer(object_key, attempt, size) as out:
        length, digest = _pour(stream, out.write)
        if (length, digest) != (size, package.digest):
            found, recorded = f"{length} bytes, {digest}", f"{size} bytes, {package.digest}"
            raise damaged(f"What should be {package}", found, recorded)
    _read_back(archive, object_key, size, package.digest, Part(lease, size))
    fill_where_missing(package)
    document = sidecar_of(package, archive.name, object_key)
    with archive.writer(archived.sidecar_key, attempt, len(document)) as out:
        out.write(document)
    _read_back(archive, archived.sidecar_key, len(document), digest_of(document), Part(lease, 2 * size))
    return replace(archived, version=archive.stat(object_key).version)


def discard_archived(archive: LocationStorage, object_key: str, attempt: str) -> None:
    """Remove what an attempt left of an object and its sidecar, finished or not, that no row names."""
    for key in (object_key, sidecar_key(object_key)):
        archive.discard_attempt(key, attempt)
        archive.delete(key)


def discard_replaced(archive: LocationStorage, copy: PhysicalCopy) -> None:
    """Remove the object of a bad copy, and its sidecar, after a good one took its place."""
    for key in (copy.key, sidecar_key(copy.key)):
        archive.delete(key)


def record_archived(package: RawDataPackage, location: DataLocation, archived: Archived) -> None:
    """The copy, and with the first one the package is ARCHIVED. In the transaction that completes the operation."""
    record_package_copy(
        package, location, key=archived.object_key, how=VerifiedHow.READ_BACK, store_version=archived.version
    )
    transition_all(
        RawDataPackage.objects.filter(pk=package.pk), PackageState.ARCHIVED, field="state", archived_at=Now()
    )


def _pour(stream: Stream, write: Callable[[memoryview], object]) -> tuple[int, str]:
    """Number and digest of the bytes that came."""
    digest = new_digest()
    buffer = memoryview(bytearray(BUFFER_BYTES))
    length = 0
    while count := stream.readinto(buffer):
        digest.update(buffer[:count])
        write(buffer[:count])
        length += count
    return length, str(digest)


def _read_back(archive: LocationStorage, key: str, size: int, digest: str, lease: LeaseHandle) -> None:
    found, length = new_digest(), 0
    try:
        with archive.named_in_errors(), archive.open(key) as stream:
            buffer = memoryview(bytearray(BUFFER_BYTES))
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                found.update(buffer[:count])
                length += count
                lease.check(length)
    except KeyMissingError as error:
        incomplete = StorageError(f"{archive.name} took {key} and then has none.", code="storage.s3_incomplete")
        incomplete.place = archive.uuid
        raise incomplete from error
    if length != size or str(found) != digest:
        raise StorageError(
            f"{archive.name} returned {length} bytes with {found} for {key}; {size} bytes with {digest} were written.",
            code="archive.read_back_differs",
            remedy="It is written again; if this repeats, the store is damaging data: switch the location off.",
        )
