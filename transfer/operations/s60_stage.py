"""Stage 60: bring a package from an archive to a PROCESSING location, unpacked, every file verified on the way.

In: an archive copy. Out: the original tree below ``packages/``, its copy STAGED, and a link to it in the job's folder.
A package that another job had staged is only linked, if its tree is still whole; else it is staged anew. Safe to repeat
because: the tree is built under a temporary name and renamed whole, and the job's link belongs to this operation alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import BinaryIO, cast

from django.utils import timezone

from ccatdc.common.errors import DataIntegrityError, StorageError
from datamgmt.checksums import digest_stream
from datamgmt.copies.recording import end_replaced_copy, note_good, record_package_copy, want_check
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import staged_key
from datamgmt.packaging.tarballs import ExpectedMember, extract_verified
from datamgmt.states import Integrity, PhysicalCopyStatus, VerifiedHow, WantedCheck
from datamgmt.storage import storage_for
from datamgmt.storage.base import in_64_bits
from transfer.engine.worker.lease import LeaseHandle
from transfer.models import Staging, StagingJob, StagingJobLog
from transfer.operations.base import StageOperation, Watched
from transfer.routing.routes import staging_origin
from transfer.routing.sources import OriginError, damaged, open_at, open_origin, origin_errors

#: Files of a staged tree whose digests are compared before another job is given it.
SAMPLE = 20


class StagePackage(StageOperation[Staging]):
    """Stages one package for one job."""

    key = ""
    is_new = False
    origin: PhysicalCopy | None = None
    replaced: PhysicalCopy | None = None
    ctime_ns = 0

    def __init__(self, operation: Staging, lease: LeaseHandle) -> None:
        super().__init__(operation, lease)
        self.read_in_full: list[PhysicalCopy] = []
        self.others: list[StagingJob] = []

    def prepare(self) -> None:
        """Is it here already? If not, from which archive?"""
        self.package = RawDataPackage.objects.get(pk=self.operation.raw_data_package_id)
        self.job = self.operation.staging_job
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(self.location)
        self.storage.check_identity()
        for earlier in self.operation.earlier_attempt_names():
            # Ours, never recorded, and its worker can record nothing any more.
            key = staged_key(self.package, earlier)
            self.storage.discard_attempt(key, earlier)
            self.storage.delete_tree(key)
        here = PhysicalCopy.objects.of_package(self.package.pk).at(self.location).existing().first()
        if here is not None and here.status != PhysicalCopyStatus.STAGED:
            raise StorageError(
                f"An old copy of {self.package} at {self.location.full_name} is on its way out.",
                code="staging.old_copy",
                remedy="It is staged again when the old copy is gone.",
            )
        if here is not None and (here.integrity != Integrity.OK or not self._is_whole(here)):
            self.replaced, here = here, None
        if here is not None:
            self.key = here.key
            return
        self.origin = staging_origin(self.package.pk, self.location)
        if self.origin is None:
            # What a store answers may pass: the bad ones are read again, as often as this is tried.
            bad = PhysicalCopy.objects.of_package(self.package.pk).at_active().in_archives().needing_attention()
            want_check(bad.values_list("pk", flat=True), WantedCheck.READ)
            raise DataIntegrityError(
                f"{self.package} has no good copy in an active archive.",
                code="staging.no_archive_copy",
                remedy="It is staged when one is good again: bad copies are read again, and made again from a good copy "
                "elsewhere. Look at its archive copies, or switch an archive on.",
            )
        self.key, self.is_new = staged_key(self.package, self.attempt), True

    def _is_whole(self, tree: PhysicalCopy) -> bool:
        """Whether a staged tree is still what was extracted: others may clean up or write there. Every file has its
        size, and those that were touched since (ctime) their digests, as has a sample. All are read when nobody did for
        the location's scrub period.
        """
        files = list(
            self.package.raw_data_files.order_by("relative_path").values_list("relative_path", "size", "digest")
        )
        days = self.location.scrub_days
        age = timezone.now() - (tree.verified_at or tree.created_at)
        is_old = bool(days) and age > timedelta(days=days)
        step = 1 if is_old else max(1, len(files) // SAMPLE)
        try:
            for number, (path, size, digest) in enumerate(files):
                self.lease.check()
                self._check_file(tree, path, size, digest, in_sample=number % step == 0)
        except OriginError as error:
            changed = DataIntegrityError(f"{tree}: {error.message}", code="staging.tree_changed")
            self.problem(changed, str(tree))
            return False
        if is_old:
            self.read_in_full.append(tree)
        return True

    def _check_file(self, tree: PhysicalCopy, path: str, size: int, digest: str, *, in_sample: bool) -> None:
        key = f"{tree.key}/{path}"
        with origin_errors(self.storage, key):
            found = self.storage.stat(key)
        if found.size != size:
            raise damaged(key, f"{found.size} bytes", f"{size} bytes")
        if not (in_sample or _is_newer(found.ctime_ns, tree.ctime_ns)):
            return
        with Watched(open_at(self.storage, key, key), self.lease) as stream:
            now = digest_stream(cast("BinaryIO", stream))[1]
        if now != digest:
            raise damaged(key, now, digest)

    def work(self) -> None:
        """Get, verify and extract in one pass. A tree that was not whole any more goes, and its jobs get the new one."""
        if self.origin is not None:
            self._extract(self.origin)
            written = self.storage.walk(self.key)
            self.ctime_ns = max((found.ctime_ns or 0 for _, found in written), default=0)
        if self.replaced is not None:
            jobs = StagingJob.objects.active().filter(
                raw_data_packages=self.package, destination_location=self.location
            )
            self.others = [job for job in jobs if job.pk != self.job.pk]
        self._link([self.job, *self.others], self.key)

    def _link(self, jobs: Iterable[StagingJob], tree: str) -> None:
        for job in jobs:
            for link, target in job.links_to(self.package, tree).items():
                self.lease.check()
                # An attempt whose tree is gone may have left a link to that.
                self.storage.unlink_link(link)
                self.storage.link(link, target)

    def _extract(self, origin: PhysicalCopy) -> None:
        self.read_from = {origin.data_location_id}
        expected = {
            path: ExpectedMember(size, digest)
            for path, size, digest in self.package.raw_data_files.values_list("relative_path", "size", "digest")
        }
        try:
            with (
                Watched(open_origin(origin), self.lease) as stream,
                self.storage.make_tree(
                    self.key, self.attempt, size=self.package.size, files=2 * len(expected) + 1
                ) as folder,
            ):
                extract_verified(cast("BinaryIO", stream), folder, expected, digest=self.package.digest)
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
            if self.replaced is not None:
                end_replaced_copy(self.replaced, f"{self.package} was staged anew.")
            record_package_copy(
                self.package,
                self.location,
                key=self.key,
                how=VerifiedHow.WRITTEN,
                status=PhysicalCopyStatus.STAGED,
                ctime_ns=self.ctime_ns,
            )
            note_good([self.origin])
        note_good(self.read_in_full)
        StagingJobLog.objects.create(
            staging_job=self.job,
            raw_data_package=self.package,
            status=self.operation.status,
            message="Staged." if self.is_new else "Was staged already; linked.",
        )

    def finished(self) -> None:
        """What is left of the tree that was not whole."""
        if self.replaced is not None:
            self.storage.delete_tree(self.replaced.key)

    def clean_up(self) -> None:
        """This attempt's tree, and the links to it."""
        if self.is_new:
            for link in self.job.links_to(self.package, self.key):
                self.storage.unlink_link(link)
            if self.replaced is not None:
                self._link(self.others, self.replaced.key)
            self.storage.discard_attempt(self.key, self.attempt)
            self.storage.delete_tree(self.key)


def _is_newer(ctime_ns: int | None, written_ns: int | None) -> bool:
    """Whether a file was touched after its tree was written; True where nobody knows."""
    return ctime_ns is None or written_ns is None or in_64_bits(ctime_ns) > written_ns
