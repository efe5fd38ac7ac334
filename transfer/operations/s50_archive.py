"""Stage 50: put a package and its sidecar into an archive, read the object back in full, and only then say so.

In: a good copy of the package in a BUFFER of the site, or in another archive. Out: object and sidecar, the copy PRESENT, ok and read
back; with the first archive copy the package is ARCHIVED.
Safe to repeat because: the attempt is part of the key (S3 has no rename), and the row names the winner.
"""

from __future__ import annotations

from ccatdc.common.errors import CcatError, DataIntegrityError
from datamgmt.copies import mark_copy
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.naming import archive_key, sidecar_key
from datamgmt.states import Integrity
from datamgmt.storage import storage_for
from transfer.archiving import (
    Archived,
    OriginDamagedError,
    archive_package,
    discard_archived,
    record_archived,
)
from transfer.models import LongTermArchiveTransfer
from transfer.operations.base import StageOperation, Watched
from transfer.routes import archive_origin


class ArchivePackage(StageOperation[LongTermArchiveTransfer]):
    """Archives one package."""

    archived: Archived | None = None
    origin: PhysicalCopy | None = None

    def prepare(self) -> None:
        """Choose the copy to read again: the planned one may be gone or damaged by now."""
        self.package = RawDataPackage.objects.select_related(
            "executed_obs_unit", "instrument_module__instrument"
        ).get(pk=self.operation.raw_data_package_id)
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.archive = storage_for(self.location)
        self.archive.check_identity()
        for earlier in self.operation.earlier_attempt_names():
            key = archive_key(self.package, earlier)
            self.archive.discard_attempt(key, earlier)
            discard_archived(self.archive, Archived(key, sidecar_key(key), 0))
        self.origin = archive_origin(self.package.pk, self.location)
        if self.origin is None:
            raise DataIntegrityError(
                f"No good copy of {self.package} can be read from {self.location.full_name}.",
                code="archive.no_origin",
                remedy="Look at the package's copies: one in a BUFFER of this site or in another archive is needed.",
            )

    def work(self) -> None:
        """One read of the origin, one write, one read back."""
        assert self.origin is not None  # noqa: S101  prepare() chose it
        storage = storage_for(self.origin.data_location)
        key = archive_key(self.package, self.attempt)
        with Watched(storage.open(self.origin.key), self.lease) as stream:
            self.archived = archive_package(
                self.package,
                stream,
                self.archive,
                object_key=key,
                attempt=self.attempt,
                lease=self.lease,
            )

    def record(self) -> None:
        """The copy, and the package's state."""
        assert self.archived is not None and self.origin is not None  # noqa: S101
        LongTermArchiveTransfer._base_manager.filter(pk=self.operation.pk).update(
            origin_location=self.origin.data_location,
            object_key=self.archived.object_key,
            sidecar_key=self.archived.sidecar_key,
            checksum_verified=True,
        )
        record_archived(self.package, self.location, self.archived)

    def record_failure(self, error: CcatError) -> None:
        """A damaged origin is marked, so that the next attempt takes another copy and nothing rests on this one."""
        if isinstance(error, OriginDamagedError) and self.origin is not None:
            mark_copy(self.origin, Integrity.DAMAGED, error.code, str(error))

    def clean_up(self) -> None:
        """Object and sidecar of this attempt, which no row names."""
        if self.archived is not None:
            discard_archived(self.archive, self.archived)
