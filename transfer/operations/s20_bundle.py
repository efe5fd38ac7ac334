"""Stage 20: write what a bundle consists of into its BUFFER: a manifest of its packages, or one tar of their tars.

In: DataTransferPackage with its packages in this BUFFER. Out: the manifest or tar there, its copy PRESENT and ok.
Safe to repeat because: the key holds the attempt, and packages are only read.
"""

from __future__ import annotations

import io
from functools import partial
from typing import BinaryIO, cast

from django.db.models.functions import Now

from ccatdc.common.errors import DataIntegrityError
from datamgmt.bundles import manifest_of
from datamgmt.checksums import digest_stream
from datamgmt.copies import record_bundle_copy
from datamgmt.models import BundleFormat, DataLocation, DataTransferPackage, PhysicalCopy
from datamgmt.naming import bundle_key
from datamgmt.states import VerifiedHow
from datamgmt.storage import storage_for
from datamgmt.tarballs import Member, tar_size, write_tar
from transfer.models import DataTransferPackageCreation
from transfer.operations.base import StageOperation, Watched


class CreateBundle(StageOperation[DataTransferPackageCreation]):
    """Makes one bundle."""

    bundle: DataTransferPackage

    def prepare(self) -> None:
        """Every package is still here and good."""
        self.bundle = self.operation.data_transfer_package
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.buffer = storage_for(self.location)
        self.buffer.check_identity()
        suffix = "tar" if self.bundle.bundle_format == BundleFormat.TAR else "json"
        self.key = bundle_key(self.bundle.name, self.attempt, suffix)
        for earlier in self.operation.earlier_attempt_names():
            key = bundle_key(self.bundle.name, earlier, suffix)
            self.buffer.discard_attempt(key, earlier)
            self.buffer.delete(key)
        packages = list(self.bundle.raw_data_packages.order_by("name"))
        good = PhysicalCopy.objects.non_polymorphic().at(self.location).good()
        keys = dict(
            good.filter(raw_data_package__in=packages).values_list("raw_data_package_id", "key")
        )
        gone = [package.name for package in packages if package.pk not in keys]
        if gone:
            raise DataIntegrityError(
                f"{', '.join(gone)} is not (or not good) in {self.location.full_name} any more.",
                code="bundle.package_gone",
                remedy="Look at the package's copies; send it again from where it is good.",
            )
        self.packages = [(package, keys[package.pk]) for package in packages]

    def work(self) -> None:
        """Write the manifest, or the tar."""
        if self.bundle.bundle_format == BundleFormat.TAR:
            self._write_tar()
        else:
            self._write_manifest()

    def _write_manifest(self) -> None:
        document = manifest_of(self.bundle, [package for package, _ in self.packages])
        with self.buffer.writer(self.key, self.attempt, len(document)) as out:
            out.write(document)
        self.size, self.digest = digest_stream(io.BytesIO(document))

    def _write_tar(self) -> None:
        members = [
            Member(
                f"{package.name}.tar",
                package.size or 0,
                partial(self._open, key),
                0,
                package.digest,
            )
            for package, key in self.packages
        ]
        size = tar_size((member.name, member.size) for member in members)
        with self.buffer.writer(self.key, self.attempt, size) as out:
            written = write_tar(members, out)
            wrong = [member.name for member in written.members if member.filed_ok is False]
            if wrong:
                raise DataIntegrityError(
                    f"{', '.join(wrong)} in {self.location.full_name} is not what was packaged.",
                    code="bundle.package_damaged",
                    remedy="The copy is damaged; the files at SOURCE are kept. Send the package again.",
                )
        self.size, self.digest = written.size, written.digest

    def _open(self, key: str) -> BinaryIO:
        return cast("BinaryIO", Watched(self.buffer.open(key), self.lease))

    def record(self) -> None:
        """The bundle's digest and its copy."""
        fields = {"digest": self.digest, "completed_at": Now()}
        if self.bundle.bundle_format == BundleFormat.TAR:
            fields["size"] = self.size
        DataTransferPackage.objects.filter(pk=self.bundle.pk).update(**fields)
        record_bundle_copy(
            self.bundle,
            self.location,
            key=self.key,
            size=self.size,
            digest=self.digest,
            how=VerifiedHow.WRITTEN,
        )

    def clean_up(self) -> None:
        """Only this attempt's name."""
        self.buffer.discard_attempt(self.key, self.attempt)
        self.buffer.delete(self.key)
