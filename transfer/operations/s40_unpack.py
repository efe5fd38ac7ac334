"""Stage 40: what arrived with a bundle is verified and becomes packages of this BUFFER.

In: DataTransfer COMPLETED, its files here. Out: package copies PRESENT and ok here; the bundle has served.
With a manifest the packages lie in their places already: what the transport proved is not read again, the rest is read once.
Safe to repeat because: extracted packages have this attempt's names; packages that are here already are left alone.
"""

from __future__ import annotations

from typing import BinaryIO, cast

from ccatdc.common.errors import DataIntegrityError
from datamgmt.checksums import BUFFER_BYTES, digest_stream, new_digest
from datamgmt.copies import record_package_copy
from datamgmt.models import BundleFormat, DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.naming import buffer_key
from datamgmt.states import VerifiedHow
from datamgmt.storage import storage_for
from datamgmt.tarballs import read_tar
from transfer.models import DataTransferUnpacking
from transfer.operations.base import StageOperation, Watched


class UnpackBundle(StageOperation[DataTransferUnpacking]):
    """Unpacks one bundle."""

    def prepare(self) -> None:
        """What should have come, and which of it is here already by another way."""
        self.transfer = self.operation.data_transfer
        self.bundle = self.transfer.data_transfer_package
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.buffer = storage_for(self.location)
        self.buffer.check_identity()
        self.packages = list(
            self.bundle.raw_data_packages.select_related(
                "executed_obs_unit", "instrument_module__instrument"
            ).order_by("name")
        )
        here = PhysicalCopy.objects.non_polymorphic().at(self.location).existing()
        self.known = set(
            here.filter(raw_data_package__in=self.packages).values_list(
                "raw_data_package_id", flat=True
            )
        )
        self.unpacked: list[tuple[RawDataPackage, str, str]] = []

    def work(self) -> None:
        """Verify in place, or extract and verify."""
        if self.bundle.bundle_format == BundleFormat.TAR:
            self._extract()
        else:
            self._verify_manifest()
            for package in self.packages:
                self._verify_in_place(package)

    def _verify_manifest(self) -> None:
        key = self.transfer.received["bundle"]
        with self.buffer.open(key) as stream:
            digest = digest_stream(stream)[1]
        if digest != self.bundle.digest:
            raise self._damaged(self.bundle, key)

    def _verify_in_place(self, package: RawDataPackage) -> None:
        key = self.transfer.received[str(package.pk)]
        if package.pk in self.known:
            return
        size = self.buffer.stat(key).size
        how = VerifiedHow.RECEIVED
        if size == package.size and not self.transfer.checksum_verified:
            with Watched(self.buffer.open(key), self.lease) as stream:
                digest = digest_stream(cast("BinaryIO", stream))[1]
            how = VerifiedHow.READ_BACK
        else:
            digest = package.digest
        if size != package.size or digest != package.digest:
            raise self._damaged(package, key)
        self.unpacked.append((package, key, how))
        self.lease.check()

    def _extract(self) -> None:
        by_member = {f"{package.name}.tar": package for package in self.packages}
        buffer = memoryview(bytearray(BUFFER_BYTES))
        with Watched(self.buffer.open(self.transfer.received["bundle"]), self.lease) as stream:
            for name, size, member in read_tar(cast("BinaryIO", stream)):
                package = by_member.pop(name, None)
                if package is None or size != package.size:
                    raise self._damaged(self.bundle, name)
                if package.pk in self.known:
                    continue
                key = buffer_key(package, self.attempt)
                digest = new_digest()
                with self.buffer.writer(key, self.attempt, size) as out:
                    while count := member.readinto(buffer):  # type: ignore[attr-defined]
                        digest.update(buffer[:count])
                        out.write(buffer[:count])
                    if str(digest) != package.digest:
                        raise self._damaged(package, key)
                self.unpacked.append((package, key, VerifiedHow.WRITTEN))
        missing = [package for package in by_member.values() if package.pk not in self.known]
        if missing:
            raise self._damaged(missing[0], missing[0].name)

    def _damaged(self, what: object, key: str) -> DataIntegrityError:
        return DataIntegrityError(
            f"{what} did not arrive at {self.location.full_name} as it was sent ({key}).",
            code="unpack.damaged",
            remedy="It is still where it was sent from: send the packages of this bundle again.",
        )

    def record(self) -> None:
        """The packages' copies."""
        for package, key, how in self.unpacked:
            record_package_copy(package, self.location, key=key, how=how)

    def clean_up(self) -> None:
        """Extracted packages of this attempt; what was received is the transfer's and stays."""
        if self.bundle.bundle_format == BundleFormat.TAR:
            for package in self.packages:
                key = buffer_key(package, self.attempt)
                self.buffer.discard_attempt(key, self.attempt)
                self.buffer.delete(key)
