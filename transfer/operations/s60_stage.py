"""Stage 60: bring a package from an archive to a PROCESSING location, unpacked, every file verified on the way.

In: an archive copy. Out: the original tree below ``packages/``, its copy STAGED, and a link to it in the job's folder.
A package that another job had staged is only linked.
Safe to repeat because: the tree is built under a temporary name and renamed whole, and the job's link belongs to this operation alone.
"""

from __future__ import annotations

from typing import BinaryIO, cast

from ccatdc.common.errors import DataIntegrityError, StorageError
from datamgmt.checksums import digest_stream
from datamgmt.copies import record_package_copy
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.naming import job_link_key, staged_key
from datamgmt.states import Integrity, PhysicalCopyStatus, VerifiedHow
from datamgmt.storage import storage_for
from datamgmt.tarballs import ExpectedMember, extract_verified
from transfer.models import Staging, StagingJobLog
from transfer.operations.base import StageOperation, Watched
from transfer.origins import OriginError, damaged, note_good, open_origin
from transfer.routes import staging_origin


class StagePackage(StageOperation[Staging]):
    """Stages one package for one job."""

    key = ""
    is_new = False
    origin: PhysicalCopy | None = None

    def prepare(self) -> None:
        """Is it here already? If not, from which archive?"""
        self.package = RawDataPackage.objects.get(pk=self.operation.raw_data_package_id)
        self.job = self.operation.staging_job
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(self.location)
        self.storage.check_identity()
        self.link_key = job_link_key(self.job.folder_key, self.package)
        for earlier in self.operation.earlier_attempt_names():
            # Ours, never recorded, and its worker can record nothing any more.
            key = staged_key(self.package, earlier)
            self.storage.discard_attempt(key, earlier)
            self.storage.delete_tree(key)
        here = PhysicalCopy.objects.of_package(self.package.pk).at(self.location).existing().first()
        if here is not None:
            if here.status != PhysicalCopyStatus.STAGED or here.integrity != Integrity.OK:
                raise StorageError(
                    f"An old copy of {self.package} at {self.location.full_name} is on its way out.",
                    code="staging.old_copy",
                    remedy="It is staged again when the old copy is gone.",
                )
            self.key = here.key
            return
        self.origin = staging_origin(self.package.pk, self.location)
        if self.origin is None:
            raise DataIntegrityError(
                f"{self.package} has no good copy in an active archive.",
                code="staging.no_archive_copy",
                remedy="Look at its archive copies; switch an archive on or have the copy verified.",
            )
        self.key, self.is_new = staged_key(self.package, self.attempt), True

    def work(self) -> None:
        """Get, verify and extract in one pass."""
        if self.origin is not None:
            self._extract(self.origin)
        # An attempt whose tree is gone may have left a link to that.
        self.storage.unlink_link(self.link_key)
        self.storage.link(self.link_key, self.key)

    def _extract(self, origin: PhysicalCopy) -> None:
        expected = {
            path: ExpectedMember(size, digest)
            for path, size, digest in self.package.raw_data_files.values_list(
                "relative_path", "size", "digest"
            )
        }
        try:
            with (
                Watched(open_origin(origin), self.lease) as stream,
                self.storage.make_tree(self.key, self.attempt) as folder,
            ):
                extract_verified(
                    cast("BinaryIO", stream), folder, expected, digest=self.package.digest
                )
        except OriginError as error:
            self.judge(origin, error)
            raise
        except DataIntegrityError as error:
            found = self._digest_of(origin)
            if found == self.package.digest:
                raise  # it is what was packaged: no other copy is better
            damage = damaged(str(origin), found, self.package.digest)
            self.judge(origin, damage)
            raise damage from error

    def _digest_of(self, origin: PhysicalCopy) -> str:
        with Watched(open_origin(origin), self.lease) as stream:
            return digest_stream(cast("BinaryIO", stream))[1]

    def record(self) -> None:
        """The staged copy, and a line in the job's log."""
        super().record()
        if self.is_new and self.origin is not None:
            record_package_copy(
                self.package,
                self.location,
                key=self.key,
                how=VerifiedHow.WRITTEN,
                status=PhysicalCopyStatus.STAGED,
            )
            note_good([self.origin])
        StagingJobLog.objects.create(
            staging_job=self.job,
            raw_data_package=self.package,
            status=self.operation.status,
            message="Staged." if self.is_new else "Was staged already; linked.",
        )

    def clean_up(self) -> None:
        """This attempt's tree, and the link to it."""
        if self.is_new:
            self.storage.unlink_link(self.link_key)
            self.storage.discard_attempt(self.key, self.attempt)
            self.storage.delete_tree(self.key)
