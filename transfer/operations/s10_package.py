"""Stage 10: write the files of a package into one tar, straight into the site's BUFFER, reading every byte once.

In: RawDataPackage with its files at SOURCE. Out: the tar in the BUFFER, its copy PRESENT and ok; every file's BLAKE3;
SOURCE copies verified. A file that is missing, or differs from what was filed, is taken out and marked, and the others
go on. A package of which no good copy was left is made again this way, and replaces a bad one in the BUFFER. Safe to
repeat because: the tar's key holds the attempt; nothing at SOURCE is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import BinaryIO
from uuid import UUID

from django.db.models.functions import Now

from ccatdc.common.errors import (
    CcatError,
    DataIntegrityError,
    KeyEscapesError,
    KeyMissingError,
    LocationIdentityError,
    StorageError,
)
from datamgmt.checksums import Data
from datamgmt.copies.recording import (
    PackagedFile,
    SetAside,
    end_replaced_copy,
    mark_files,
    record_package_copy,
    record_packaged_files,
    set_files_aside,
)
from datamgmt.metadata.filling import fill
from datamgmt.models import DataLocation, PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.packaging.naming import buffer_key
from datamgmt.packaging.tarballs import (
    Member,
    MemberChanged,
    MemberUnreadable,
    MemberWritten,
    TarWritten,
    tar_size,
    write_tar,
)
from datamgmt.states import Integrity, PackageState, VerifiedHow
from datamgmt.storage import storage_for
from datamgmt.storage.base import Stored, Writer
from transfer.models import RawDataPackageCreation
from transfer.operations.base import StageOperation, require_in_use


class CreatePackage(StageOperation[RawDataPackageCreation]):
    """Makes the tar of one package."""

    package: RawDataPackage
    written: TarWritten
    key = ""

    def prepare(self) -> None:
        """Both places prove themselves: an unmounted SOURCE must not make its files look missing."""
        self.package = RawDataPackage.objects.select_related(
            "executed_obs_unit", "data_stream", "processing_run", "instrument_module__instrument"
        ).get(pk=self.operation.raw_data_package_id)
        self.destination = DataLocation.objects.get(pk=self.operation.destination_location_id)
        require_in_use(self.destination)
        self.source = storage_for(DataLocation.objects.get(pk=self.operation.location_id))
        self.buffer = storage_for(self.destination)
        self.source.check_identity()
        self.buffer.check_identity()
        self.key = buffer_key(self.package, self.attempt)
        for earlier in self.operation.earlier_attempt_names():
            # Ours, never recorded, and its worker can record nothing any more.
            key = buffer_key(self.package, earlier)
            self.buffer.discard_attempt(key, earlier)
            self.buffer.delete(key)
        copies = PhysicalCopy.objects.of_package(self.package.pk)
        self.is_made = self.package.state == PackageState.ARCHIVED or copies.usable().exists()
        self.replaced = copies.at(self.destination).existing().with_subjects().first()
        self.set_aside: dict[UUID, SetAside] = {}

    def work(self) -> None:
        """Write the tar; start again without the files that turn out to be wrong."""
        if self.is_made:
            return  # it is archived, or has a good copy again: other bytes would belie those
        files = {file.relative_path: file for file in self._files()}
        members = self._members(files)
        while members:
            try:
                self.written = self._write(members)
            except _Wrong as wrong:
                for name, error in wrong.errors.items():
                    self._put_aside(files[name], wrong.integrity, error)
                members = [member for member in members if member.name not in wrong.errors]
            else:
                self._require_whole()
                return
        self._require_whole()
        raise DataIntegrityError(
            f"None of the {len(files)} files of {self.package} can be packaged.",
            code="package.no_good_file",
            remedy="Look at its files in the portal, put them right at the source and let them be checked again.",
        )

    def _require_whole(self) -> None:
        """A package that is made again must not lose files: the bad copy, which is kept, may be the last that has them."""
        if self.package.finalized_at is not None and self.set_aside:
            raise DataIntegrityError(
                f"{len(self.set_aside)} files of {self.package} are not good at {self.source.name}"
                " any more, and it has no good copy.",
                code="package.files_lost",
                remedy="Restore them there, or a copy of the package; have them checked again, then resend it.",
            )

    def verify(self) -> None:
        """The tar has the length that its members add up to; then a bad one may go for it."""
        if self.is_made:
            return
        promised = tar_size((m.name, m.size) for m in self.written.members)
        if self.written.size != promised:
            raise DataIntegrityError(
                f"The tar of {self.package} has {self.written.size} bytes, not {promised}.", code="package.size_differs"
            )
        if self.replaced is not None:
            self.buffer.delete(self.replaced.key)

    def record(self) -> None:
        """The package, its copy, its files' digests, and what was set aside."""
        if self.is_made:
            return
        set_files_aside(self.set_aside.values())
        ids = dict(self._files_by_path())
        record_packaged_files(
            [PackagedFile(ids[m.name], m.digest, m.mtime_ns, m.inode, m.ctime_ns) for m in self.written.members],
            VerifiedHow.READ_BACK,
        )
        RawDataPackage.objects.filter(pk=self.package.pk).update(
            size=self.written.size, digest=self.written.digest, file_count=len(self.written.members), finalized_at=Now()
        )
        self.package.refresh_from_db()
        if self.replaced is not None:
            end_replaced_copy(self.replaced, f"{self.package} was made again.")
        record_package_copy(self.package, self.destination, key=self.key, how=VerifiedHow.WRITTEN)
        fill(self.package)

    def record_failure(self, error: CcatError) -> None:
        """What was found wrong about files is kept although the package was not made."""
        if error.code == "package.no_good_file":
            set_files_aside(self.set_aside.values())
        elif error.code == "package.files_lost":
            mark_files(self.set_aside.values())

    def clean_up(self) -> None:
        """Only this attempt's name."""
        if self.key:
            self.buffer.discard_attempt(self.key, self.attempt)
            self.buffer.delete(self.key)

    def _files(self) -> list[RawDataFile]:
        # By code points and not by the collation of the database, which may be another one when a download computes
        # where a file is.
        return sorted(self.package.raw_data_files.all(), key=lambda file: file.relative_path)

    def _files_by_path(self) -> list[tuple[str, UUID]]:
        return list(self.package.raw_data_files.values_list("relative_path", "id"))

    def _members(self, files: dict[str, RawDataFile]) -> list[Member]:
        """Those that are there with the size that was filed; the others are put aside."""
        members = []
        for path, file in files.items():
            self.lease.check()
            try:
                stored = self._stat(path)
                _require_size(file, stored.size)
            except KeyMissingError as error:
                self._put_aside(file, Integrity.MISSING, self._missing(path, error))
            except (DataIntegrityError, KeyEscapesError) as error:
                self._put_aside(file, Integrity.DAMAGED, error)
            except LocationIdentityError:
                raise
            except StorageError as error:
                is_denied = isinstance(error.__cause__, PermissionError)
                self._put_aside(file, Integrity.SUSPECT, self._unreadable(error, is_denied))
            else:
                opener = partial(self._open, path)
                promised = _promised_checksum(file)
                members.append(Member(path, file.size, opener, stored.mtime_ns or 0, promised))
        return members

    def _stat(self, path: str) -> Stored:
        try:
            return self.source.stat(path)
        except KeyMissingError:
            # Its copy is present: a deletion that did not end may have taken it out.
            if not self.source.put_back(path):
                raise
            return self.source.stat(path)

    def _missing(self, path: str, cause: Exception) -> DataIntegrityError:
        missing = DataIntegrityError(
            f"{path} is not at {self.source.name}.",
            code="file.missing",
            remedy="Restore it there, then let it be checked again.",
        )
        missing.__cause__ = cause
        return missing

    def _open(self, path: str) -> BinaryIO:
        self.lease.check(self._done_bytes)
        try:
            return self.source.open(path)
        except KeyMissingError as error:
            raise _Wrong({path: self._missing(path, error)}, Integrity.MISSING) from error
        except KeyEscapesError as error:
            raise _Wrong({path: error}, Integrity.DAMAGED) from error

    def _write(self, members: list[Member]) -> TarWritten:
        self._done_bytes = 0
        size = tar_size((m.name, m.size) for m in members)
        try:
            with self.buffer.writer(self.key, self.attempt, size) as out:
                written = write_tar(members, _Counting(out, self))
                wrong = {m.name: _differs(m) for m in written.members if m.filed_ok is False}
                if wrong:
                    raise _Wrong(wrong, Integrity.DAMAGED)
        except MemberChanged as error:
            raise _Wrong({error.name: error}, Integrity.SUSPECT) from error
        except MemberUnreadable as error:
            unreadable = self._unreadable(error, error.is_denied)
            raise _Wrong({error.name: unreadable}, Integrity.SUSPECT) from error
        return written

    def _unreadable(self, error: StorageError, is_denied: bool) -> DataIntegrityError:
        """Why the file is put aside. Where a retry may help it is not, before the last attempt: a server that fails for
        a moment must not set thousands of files aside.
        """
        if not is_denied and not self.is_last_attempt:
            self.source.check_identity()  # a place that is away is no verdict about one file
            raise StorageError(error.message, code="storage.read_failed") from error
        unreadable = DataIntegrityError(
            error.message,
            code="file.unreadable",
            remedy="Give the worker's account the right to read it, or restore it, then let it be checked again.",
        )
        unreadable.__cause__ = error
        return unreadable

    def _put_aside(self, file: RawDataFile, integrity: str, error: CcatError) -> None:
        self.problem(error, file.relative_path)
        self.set_aside[file.pk] = SetAside(file.pk, integrity, error.code, str(error))


def _promised_checksum(file: RawDataFile) -> str | None:
    """What was found when the file was packaged before, else what its instrument filed, if anything."""
    if file.digest:
        return file.digest
    return f"{file.checksum_algorithm}:{file.checksum}" if file.checksum else None


def _require_size(file: RawDataFile, found: int) -> None:
    if found != file.size:
        raise DataIntegrityError(
            f"{file.relative_path} has {found} bytes; {file.size} were filed.",
            code="file.size_differs",
            remedy="Find out which is right; file it anew or restore it, then let it be checked again.",
        )


def _differs(member: MemberWritten) -> DataIntegrityError:
    return DataIntegrityError(
        f"{member.name} does not have the checksum that was filed.",
        code="file.checksum_differs",
        remedy="Find out which is right; restore it or file it anew, then let it be checked again.",
    )


class _Wrong(Exception):
    """Files that cannot be packaged, each with the reason; the others can."""

    def __init__(self, errors: Mapping[str, CcatError], integrity: str) -> None:
        super().__init__(", ".join(errors))
        self.errors, self.integrity = errors, integrity


class _Counting:
    """Passes bytes on and tells the lease how many there were."""

    def __init__(self, out: Writer, operation: CreatePackage) -> None:
        self._out, self._operation = out, operation

    def write(self, data: Data, /) -> int:
        count = self._out.write(data)
        self._operation._done_bytes += count
        self._operation.lease.check(self._operation._done_bytes)
        return count
