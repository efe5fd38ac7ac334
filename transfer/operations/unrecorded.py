"""What stage 95 does with an unrecorded file: record it as a copy, remove it, or leave it to a person.

By itself it does two things, after two inventories have seen the file: it adopts the package object without which a
package would have no copy at all, and it removes what an operation that is over left of a package that is well
archived. A person may decide both sooner. Every step asks the rows again, and removes exactly one key.
"""

from __future__ import annotations

from typing import BinaryIO, cast

from django.db import transaction

from accounts.models import record
from ccatdc.common.errors import ConflictError, DataIntegrityError
from datamgmt.checksums import digest_stream
from datamgmt.copies.recording import end_replaced_copy, record_package_copy
from datamgmt.copies.unrecorded import can_be_adopted, forget, is_recorded
from datamgmt.models import DataLocation, Decision, LocationType, PhysicalCopy, RawDataPackage, UnrecordedFile
from datamgmt.packaging.naming import sidecar_key
from datamgmt.packaging.sidecar import sidecar_of
from datamgmt.states import NEEDS_ATTENTION, VerifiedHow
from datamgmt.storage.base import LocationStorage, Stored
from datamgmt.storage.keys import attempt_of
from transfer.engine.worker.lease import LeaseHandle
from transfer.models import Operation
from transfer.operations.archiving import Archived, record_archived
from transfer.operations.base import Watched
from transfer.routing.sources import open_at

#: A place whose unrecorded files are never removed, whoever asks: nobody else may have them.
_NEVER_REMOVED = LocationType.SOURCE


def carry_out(file: UnrecordedFile, location: DataLocation, storage: LocationStorage, lease: LeaseHandle) -> None:
    """What was decided about the file, or follows from the rules; nothing for most.

    Raises CcatError, after which the file waits for a person: DataIntegrityError when it is not the package whose name
    it has, ConflictError when the decision cannot be done any more.
    """
    decision = file.decision or _by_rule(file, location)
    if decision == Decision.ADOPT:
        _adopt(file, location, storage, lease)
    elif decision == Decision.REMOVE:
        _remove(file, location, storage, lease)


def _by_rule(file: UnrecordedFile, location: DataLocation) -> str:
    package = file.raw_data_package
    if package is None or not file.is_settled or file.error_message or not _is_left_behind(file):
        return ""
    if not PhysicalCopy.objects.non_polymorphic().of_package(package.pk).usable().exists():
        return Decision.ADOPT if can_be_adopted(file) else ""
    return Decision.REMOVE if location.location_type != _NEVER_REMOVED and _is_well_archived(package, file) else ""


def _is_left_behind(file: UnrecordedFile) -> bool:
    """Whether the operation that wrote it is over."""
    operation = attempt_of(file.key).partition("-")[0]
    return bool(operation) and not Operation.objects.non_polymorphic().open().filter(pk=operation).exists()


def _is_well_archived(package: RawDataPackage, file: UnrecordedFile) -> bool:
    """Whether an archive has a good copy that was seen in its store since this file was found."""
    copies = PhysicalCopy.objects.non_polymorphic().of_package(package.pk).in_archives().good().at_active()
    return bool(copies.filter(seen_at__gt=file.found_at, verified_how=VerifiedHow.READ_BACK).exists())


def _adopt(file: UnrecordedFile, location: DataLocation, storage: LocationStorage, lease: LeaseHandle) -> None:
    """Read it in full; with the package's digest it is a copy. A bad copy at the place gives way to it."""
    package = file.raw_data_package
    if package is None or not can_be_adopted(file):
        raise ConflictError(f"{file} cannot be recorded as a copy.", code="unrecorded.no_package")
    with Watched(open_at(storage, file.key, str(file)), lease) as stream:
        size, digest = digest_stream(cast("BinaryIO", stream))
    if (size, digest) != (package.size, package.digest):
        raise DataIntegrityError(
            f"{file} is not {package}: {size} bytes, {digest}, not {package.size} bytes, {package.digest}.",
            code="unrecorded.other_bytes",
            remedy="Remove it, or keep it where it is.",
        )
    version = storage.stat(file.key).version
    is_archive = location.location_type == LocationType.LONG_TERM_ARCHIVE
    if is_archive:
        _complete_sidecar(file, package, storage)
    with transaction.atomic():
        RawDataPackage.objects.select_for_update(of=("self",)).get(pk=package.pk)
        for copy in PhysicalCopy.objects.of_package(package.pk).at(location).existing():
            if copy.integrity not in NEEDS_ATTENTION:
                raise ConflictError(
                    f"{package} has a copy at {location} already.",
                    code="unrecorded.has_copy",
                    remedy="Remove this one.",
                )
            end_replaced_copy(copy, f"{file.key} was found, and is good.")
        if is_archive:
            record_archived(package, location, Archived(file.key, sidecar_key(file.key), size, version))
        else:
            record_package_copy(package, location, key=file.key, how=VerifiedHow.READ_BACK, store_version=version)
        record("unrecorded files", f"Recorded as a copy: {file}.", about=package, user=file.decided_by)
        forget(file)


def _complete_sidecar(file: UnrecordedFile, package: RawDataPackage, storage: LocationStorage) -> None:
    key = sidecar_key(file.key)
    if not storage.exists(key):
        document = sidecar_of(package, storage.name, file.key)
        with storage.writer(key, f"adopt-{file.pk}", len(document)) as out:
            out.write(document)


def _remove(file: UnrecordedFile, location: DataLocation, storage: LocationStorage, lease: LeaseHandle) -> None:
    """Exactly this key, if it is what the inventory saw and no row names it by now."""
    if location.location_type == _NEVER_REMOVED:
        raise ConflictError(f"Nothing is removed from {location}.", code="unrecorded.at_source")
    with transaction.atomic():
        if is_recorded(file):
            forget(file)
            return
        package = file.raw_data_package
        usable = PhysicalCopy.objects.non_polymorphic().of_package(package.pk).usable() if package else None
        if usable is not None and can_be_adopted(file) and not usable.exists():
            raise ConflictError(
                f"{file} may be the last copy of {package}.",
                code="unrecorded.last_copy",
                remedy="Record it as a copy first.",
            )
        lease.check()
        if location.location_type == LocationType.PROCESSING:
            storage.delete_tree(file.key)
        else:
            storage.delete(file.key, expected=Stored(file.size, version=file.store_version))
        words = "Removed, as was decided" if file.decision else "Removed: its package is well archived"
        record("unrecorded files", f"{words}: {file}.", about=file, user=file.decided_by, size=file.size)
        forget(file)
