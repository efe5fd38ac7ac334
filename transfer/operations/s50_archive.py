"""Stage 50: put a package and its sidecar into an archive, read the object back in full, and only then say so.

In: a copy of the package in a BUFFER of the site, or in another archive. Out: object and sidecar, the copy PRESENT, ok and read
back; with the first archive copy the package is ARCHIVED.
Safe to repeat because: the attempt is part of the key (S3 has no rename), and the row names the winner.
"""

from __future__ import annotations

from ccatdc.common.errors import DataIntegrityError
from datamgmt.copy_querysets import IN_TROUBLE
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.naming import archive_key
from datamgmt.storage import storage_for
from transfer.archiving import Archived, archive_package, discard_archived, record_archived
from transfer.models import LongTermArchiveTransfer
from transfer.operations.base import StageOperation, Watched
from transfer.origins import OriginError, note_good, open_origin
from transfer.routes import NO_ORIGIN, archive_origin


class ArchivePackage(StageOperation[LongTermArchiveTransfer]):
    """Archives one package."""

    key = ""
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
            discard_archived(self.archive, archive_key(self.package, earlier), earlier)
        if self._is_here():
            return
        self.origin = archive_origin(self.package.pk, self.location)
        if self.origin is None:
            raise DataIntegrityError(
                f"No good copy of {self.package} can be read from {self.location.full_name}.",
                code=NO_ORIGIN,
                remedy="Send the package again; it is archived as soon as a BUFFER of this site or another archive has a good copy.",
            )
        self.key = archive_key(self.package, self.attempt)

    def _is_here(self) -> bool:
        """Whether another way (DIRECT) was faster; there is nothing left to do then."""
        here = PhysicalCopy.objects.non_polymorphic().of_package(self.package.pk).at(self.location)
        copy = here.existing().first()
        if copy is not None and copy.integrity in IN_TROUBLE:
            raise DataIntegrityError(
                f"The copy of {self.package} at {self.location.full_name} is {copy.integrity}.",
                code="archive.bad_copy_here",
                remedy="Look at that copy: restore it and have it checked again. Other copies are kept meanwhile.",
            )
        return copy is not None

    def work(self) -> None:
        """One read of the origin, one write, one read back."""
        if self.origin is None:
            return
        self.lease.check(0, 2 * (self.package.size or 0))
        try:
            with Watched(open_origin(self.origin), self.lease) as stream:
                self.archived = archive_package(
                    self.package,
                    stream,
                    self.archive,
                    object_key=self.key,
                    attempt=self.attempt,
                    lease=self.lease,
                )
        except OriginError as error:
            self.judge(self.origin, error)
            raise

    def record(self) -> None:
        """The copy, and the package's state."""
        super().record()
        if self.archived is None or self.origin is None:
            return
        LongTermArchiveTransfer._base_manager.filter(pk=self.operation.pk).update(
            origin_location=self.origin.data_location,
            object_key=self.archived.object_key,
            sidecar_key=self.archived.sidecar_key,
            checksum_verified=True,
        )
        record_archived(self.package, self.location, self.archived)
        note_good([self.origin])

    def clean_up(self) -> None:
        """Object and sidecar of this attempt, which no row names."""
        if self.key:
            discard_archived(self.archive, self.key, self.attempt)
