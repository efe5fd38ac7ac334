"""Stage 60: bring a package from an archive to a PROCESSING location, unpacked, every file verified on the way.

In: a good archive copy. Out: the original tree below ``packages/``, its copy STAGED, and a link to it in the job's folder.
A package that another job had staged is only linked.
Safe to repeat because: the tree is built under a temporary name and renamed whole; the link is the same link again.
"""

from __future__ import annotations

from typing import BinaryIO, cast

from ccatdc.common.errors import DataIntegrityError, StorageError
from datamgmt.copies import record_package_copy
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.naming import job_link_key, staged_key
from datamgmt.states import Integrity, PhysicalCopyStatus, VerifiedHow
from datamgmt.storage import storage_for
from datamgmt.tarballs import ExpectedMember, extract_verified
from transfer.models import Staging, StagingJobLog
from transfer.operations.base import StageOperation, Watched
from transfer.routes import staging_origin


class StagePackage(StageOperation[Staging]):
    """Stages one package for one job."""

    staged_key = ""
    is_new = False

    def prepare(self) -> None:
        """Is it here already? If not, from which archive?"""
        self.package = RawDataPackage.objects.get(pk=self.operation.raw_data_package_id)
        self.job = self.operation.staging_job
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(self.location)
        self.storage.check_identity()
        here = PhysicalCopy.objects.of_package(self.package.pk).at(self.location).existing().first()
        if here is not None:
            if here.status != PhysicalCopyStatus.STAGED or here.integrity != Integrity.OK:
                raise StorageError(
                    f"An old copy of {self.package} at {self.location.full_name} is on its way out.",
                    code="staging.old_copy",
                    remedy="It is staged again when the old copy is gone.",
                )
            self.staged_key = here.key
            return
        for earlier in self.operation.earlier_attempt_names():
            key = staged_key(self.package, earlier)
            self.storage.discard_attempt(key, earlier)
            self.storage.delete_tree(key)
        self.origin = staging_origin(self.package.pk, self.location)
        if self.origin is None:
            raise DataIntegrityError(
                f"{self.package} has no good copy in an active archive.",
                code="staging.no_archive_copy",
                remedy="Look at its archive copies; switch an archive on or have the copy verified.",
            )

    def work(self) -> None:
        """Get, verify and extract in one pass."""
        if not self.staged_key:
            self._extract()
        self.storage.link(job_link_key(self.job.folder_key, self.package), self.staged_key)

    def _extract(self) -> None:
        assert self.origin is not None  # noqa: S101  prepare() chose it
        key = staged_key(self.package, self.attempt)
        expected = {
            path: ExpectedMember(size, digest)
            for path, size, digest in self.package.raw_data_files.values_list(
                "relative_path", "size", "digest"
            )
        }
        archive = storage_for(self.origin.data_location)
        with (
            Watched(archive.open(self.origin.key), self.lease) as stream,
            self.storage.make_tree(key, self.attempt) as folder,
        ):
            extract_verified(cast("BinaryIO", stream), folder, expected, digest=self.package.digest)
        self.staged_key, self.is_new = key, True

    def record(self) -> None:
        """The staged copy, and a line in the job's log."""
        if self.is_new:
            record_package_copy(
                self.package,
                self.location,
                key=self.staged_key,
                how=VerifiedHow.WRITTEN,
                status=PhysicalCopyStatus.STAGED,
            )
        StagingJobLog.objects.create(
            staging_job=self.job,
            raw_data_package=self.package,
            status=self.operation.status,
            message="Staged." if self.is_new else "Was staged already; linked.",
        )

    def clean_up(self) -> None:
        """This attempt's tree."""
        key = staged_key(self.package, self.attempt)
        self.storage.discard_attempt(key, self.attempt)
        if self.is_new:
            self.storage.delete_tree(key)
