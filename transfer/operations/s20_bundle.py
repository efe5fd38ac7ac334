"""Stage 20: write what a bundle consists of into its BUFFER: a manifest of its packages, or one tar of their tars.

In: DataTransferPackage with its packages in this BUFFER. Out: the manifest or tar there, its copy PRESENT and ok. A
package that is not (or not good) here any more is taken out of the bundle. Safe to repeat because: the key holds the
attempt, and packages are only read.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import BinaryIO, cast

from django.db.models.functions import Now

from ccatdc.common.errors import DataIntegrityError
from datamgmt.checksums import digest_stream
from datamgmt.copies.recording import record_bundle_copy
from datamgmt.models import BundleFormat, DataLocation, DataTransferPackage, PhysicalCopy, RawDataPackage
from datamgmt.packaging.bundles import manifest_of
from datamgmt.packaging.naming import bundle_key
from datamgmt.packaging.tarballs import Member, MemberChanged, TarWritten, tar_size, write_tar
from datamgmt.states import VerifiedHow
from datamgmt.storage import storage_for
from transfer.engine.worker.lease import Part
from transfer.models import DataTransferPackageCreation
from transfer.operations.base import Watched
from transfer.operations.damaged_packages import BundleOperation
from transfer.routing.sources import OriginDamagedError, OriginError, open_origin


class CreateBundle(BundleOperation[DataTransferPackageCreation]):
    bundle: DataTransferPackage
    key = ""

    def prepare(self) -> None:
        """Which packages are still here, and where."""
        self.bundle = self.operation.data_transfer_package
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.buffer = storage_for(self.location)
        self.buffer.check_identity()
        suffix = "tar" if self.bundle.bundle_format == BundleFormat.TAR else "json"
        for earlier in self.operation.earlier_attempt_names():
            key = bundle_key(self.bundle.name, earlier, suffix)
            self.buffer.discard_attempt(key, earlier)
            self.buffer.delete(key)
        self.key = bundle_key(self.bundle.name, self.attempt, suffix)
        self.packages = list(self.bundle.raw_data_packages.order_by("name"))
        usable = PhysicalCopy.objects.at(self.location).usable().with_subjects()
        self.copies = {copy.raw_data_package_id: copy for copy in usable.filter(raw_data_package__in=self.packages)}

    def work(self) -> None:
        """Write the manifest, or the tar."""
        for package in self.packages:
            copy = self.copies.get(package.pk)
            if copy is None:
                self.set_package_aside(package, self._gone(package))
        if self.bundle.bundle_format == BundleFormat.TAR:
            self._write_tar()
        else:
            self._write_manifest()

    def _good(self) -> list[RawDataPackage]:
        good = [package for package in self.packages if package.pk not in self.packages_aside]
        if not good:
            raise DataIntegrityError(
                f"None of the {len(self.packages)} packages of {self.bundle} can be sent.",
                code="bundle.no_good_package",
                remedy="Send its packages again: each finds its way from where it is good.",
            )
        return good

    def _gone(self, package: RawDataPackage) -> DataIntegrityError:
        return DataIntegrityError(
            f"{package} is not (or not good) in {self.location.full_name} any more.",
            code="bundle.package_gone",
            remedy="The others go on without it; resend it.",
        )

    def _write_manifest(self) -> None:
        document = manifest_of(self.bundle, self._good())
        with self.buffer.writer(self.key, self.attempt, len(document)) as out:
            out.write(document)
        self.size, self.digest = digest_stream(io.BytesIO(document))

    def _write_tar(self) -> None:
        """Begin again without the packages that turn out to be bad."""
        while True:
            try:
                written = self._write_tar_of(self._good())
            except _Bad as bad:
                for package, error in bad.packages:
                    if not self.judge(self.copies[package.pk], error):
                        raise error from bad
                    self.set_package_aside(package, error)
            else:
                self.size, self.digest = written.size, written.digest
                return

    def _write_tar_of(self, packages: list[RawDataPackage]) -> TarWritten:
        members = []
        before = 0
        for package in packages:
            size = package.size or 0
            opener = partial(self._open, package, before)
            members.append(Member(f"{package.name}.tar", size, opener, 0, package.digest))
            before += size
        size = tar_size((member.name, member.size) for member in members)
        try:
            with self.buffer.writer(self.key, self.attempt, size) as out:
                written = write_tar(members, out)
                bad = [
                    (package, self._differs(package, "it has another digest"))
                    for package, member in zip(packages, written.members, strict=True)
                    if member.filed_ok is False
                ]
                if bad:
                    raise _Bad(bad)
        except MemberChanged as error:
            package = self.being_read
            raise _Bad([(package, self._differs(package, error.message))]) from error
        except OriginError as error:
            raise _Bad([(self.being_read, error)]) from error
        return written

    def _differs(self, package: RawDataPackage, how: str) -> OriginDamagedError:
        copy = self.copies[package.pk]
        return OriginDamagedError(f"{copy} is not what was packaged: {how.rstrip('.')}.")

    def _open(self, package: RawDataPackage, before: int) -> BinaryIO:
        self.being_read = package
        stream = open_origin(self.copies[package.pk])
        return cast("BinaryIO", Watched(stream, Part(self.lease, before)))

    def record(self) -> None:
        """The bundle without what was set aside, its digest and its copy."""
        super().record()
        is_tar = self.bundle.bundle_format == BundleFormat.TAR
        DataTransferPackage.objects.filter(pk=self.bundle.pk).update(
            digest=self.digest,
            size=self.size if is_tar else sum(package.size or 0 for package in self._good()),
            completed_at=Now(),
        )
        record_bundle_copy(
            self.bundle, self.location, key=self.key, size=self.size, digest=self.digest, how=VerifiedHow.WRITTEN
        )

    def clean_up(self) -> None:
        """Only this attempt's name."""
        if self.key:
            self.buffer.discard_attempt(self.key, self.attempt)
            self.buffer.delete(self.key)


class _Bad(Exception):
    """Packages whose copies are not what they should be."""

    def __init__(self, packages: Sequence[tuple[RawDataPackage, OriginError]]) -> None:
        super().__init__(", ".join(package.name for package, _ in packages))
        self.packages = packages
