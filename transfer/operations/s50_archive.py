"""Stage 50: put a package and its sidecar into an archive, read the object back in full, and only then say so.

In: a copy of the package in a BUFFER of the site, or in another archive. Out: object and sidecar, the copy PRESENT, ok
and read back; with the first archive copy the package is ARCHIVED. A copy here that needs attention is replaced. Safe
to repeat because: the attempt is part of the key (S3 has no rename), and the row names the winner.
"""

from __future__ import annotations

from ccatdc.common.errors import DataIntegrityError
from datamgmt.copies.recording import end_replaced_copy, note_good
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import archive_key
from datamgmt.states import NEEDS_ATTENTION
from datamgmt.storage import storage_for
from transfer.models import LongTermArchiveTransfer
from transfer.operations.archiving import Archived, archive_package, discard_archived, discard_replaced, record_archived
from transfer.operations.base import StageOperation, Watched
from transfer.routing.routes import NO_ORIGIN, archive_origin
from transfer.routing.sources import OriginError, open_origin


class ArchivePackage(StageOperation[LongTermArchiveTransfer]):
    key = ""
    archived: Archived | None = None
    origin: PhysicalCopy | None = None
    replaced: PhysicalCopy | None = None

    def prepare(self) -> None:
        """Choose the copy to read again: the planned one may be gone or damaged by now."""
        self.package = RawDataPackage.objects.select_related(
            "executed_obs_unit", "data_stream", "processing_run", "instrument_module__instrument"
        ).get(pk=self.operation.raw_data_package_id)
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.archive = storage_for(self.location)
        self.archive.check_identity()
        for earlier in self.operation.earlier_attempt_names():
            discard_archived(self.archive, archive_key(self.package, earlier), earlier)
        here = PhysicalCopy.objects.of_package(self.package.pk).at(self.location).existing()
        copy = here.with_subjects().first()
        if copy is not None and copy.integrity not in NEEDS_ATTENTION:
            return  # another way (DIRECT) was faster: there is nothing left to do
        self.replaced = copy
        self.origin = archive_origin(self.package.pk, self.location)
        if self.origin is None:
            raise DataIntegrityError(
                f"No good copy of {self.package} can be read from {self.location.full_name}.",
                code=NO_ORIGIN,
                remedy="Send the package again; it is archived as soon as a BUFFER of this site or another archive has a good copy.",
            )
        self.key = archive_key(self.package, self.attempt)

    def work(self) -> None:
        """One read of the origin, one write, one read back."""
        if self.origin is None:
            return
        self.lease.check(0, 2 * (self.package.size or 0))
        self.read_from = {self.origin.data_location_id}
        try:
            with Watched(open_origin(self.origin), self.lease) as stream:
                self.archived = archive_package(
                    self.package, stream, self.archive, object_key=self.key, attempt=self.attempt, lease=self.lease
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
        if self.replaced is not None:
            end_replaced_copy(self.replaced, f"{self.package} was archived anew.")
        record_archived(self.package, self.location, self.archived)
        note_good([self.origin])

    def finished(self) -> None:
        """The bad object goes only when the good one is recorded: it might have been the last that has some of the bytes."""
        if self.archived is not None and self.replaced is not None:
            discard_replaced(self.archive, self.replaced)

    def clean_up(self) -> None:
        """Object and sidecar of this attempt, which no row names."""
        if self.key:
            discard_archived(self.archive, self.key, self.attempt)
