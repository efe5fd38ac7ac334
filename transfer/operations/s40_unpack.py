"""Stage 40: what arrived with a bundle is verified and becomes packages of this BUFFER.

In: DataTransfer COMPLETED, its files here. Out: package copies PRESENT and ok here; the bundle has served. With a
manifest the packages lie in their places already: what the transport proved is not read again, the rest is read once. A
package that did not arrive as it was sent is set aside, the others go on. One that comes for a bad copy here replaces
that. Safe to repeat because: extracted packages have this attempt's names; packages that are here already are left
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, cast

from ccatdc.common.errors import DataIntegrityError
from datamgmt.checksums import BUFFER_BYTES, digest_stream, new_digest
from datamgmt.copies.recording import end_replaced_copy, record_package_copy
from datamgmt.models import BundleFormat, DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import buffer_key
from datamgmt.packaging.tarballs import read_tar
from datamgmt.states import READABLE, Integrity, VerifiedHow
from datamgmt.storage import storage_for
from transfer.engine.worker.lease import Part
from transfer.models import DataTransferUnpacking
from transfer.operations.base import Watched
from transfer.operations.damaged_packages import BundleOperation
from transfer.routing.sources import OriginError, open_at, origin_errors


class UnpackBundle(BundleOperation[DataTransferUnpacking]):
    packages: Sequence[RawDataPackage] = ()

    def prepare(self) -> None:
        """What should have come, and which of it is here already by another way."""
        self.transfer = self.operation.data_transfer
        self.bundle = self.transfer.data_transfer_package
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.buffer = storage_for(self.location)
        self.buffer.check_identity()
        self.packages = list(
            self.bundle.raw_data_packages.select_related(
                "executed_obs_unit", "data_stream", "processing_run", "instrument_module__instrument"
            ).order_by("name")
        )
        here = PhysicalCopy.objects.at(self.location).existing().with_subjects()
        copies = list(here.filter(raw_data_package__in=self.packages))
        # One on its way out is of an archived package: what came is not needed.
        self.replaced = {
            c.raw_data_package_id: c for c in copies if c.integrity != Integrity.OK and c.status in READABLE
        }
        self.known = {c.raw_data_package_id for c in copies} - set(self.replaced)
        self.unpacked: list[tuple[RawDataPackage, str, str]] = []
        self.done_bytes = 0
        if self._is_tar:
            self._discard(self.operation.earlier_attempt_names())

    @property
    def _is_tar(self) -> bool:
        return self.bundle.bundle_format == BundleFormat.TAR

    def work(self) -> None:
        """Verify in place, or extract and verify; then remove what is replaced."""
        if self._is_tar:
            self._extract()
        else:
            self._verify_manifest()
            for package in self.packages:
                self._verify_in_place(package)
        for package, _, _ in self.unpacked:
            if package.pk in self.replaced:
                self.buffer.delete(self.replaced[package.pk].key)

    def _verify_manifest(self) -> None:
        """It says nothing that the catalogue does not: a bad one is noted, and that is all."""
        key = self.transfer.received["bundle"]
        try:
            with self._open(key) as stream:
                if digest_stream(stream)[1] != self.bundle.digest:
                    raise self._damaged(self.bundle, key)
        except DataIntegrityError as error:
            self.problem(error, key)

    def _verify_in_place(self, package: RawDataPackage) -> None:
        key = self.transfer.received.get(str(package.pk))
        if key is None:
            return  # it was set aside when the bundle was sent
        if package.pk in self.known:
            self.buffer.delete(key)  # it came another way; no row names this one
            return
        try:
            how = self._verified(package, key)
        except DataIntegrityError as error:
            self._set_aside(package, error)
            self.buffer.delete(key)  # no row names it, and it is worth nothing
        else:
            self.unpacked.append((package, key, how))

    def _set_aside(self, package: RawDataPackage, error: DataIntegrityError) -> None:
        self._require_verdict(error)
        self.set_package_aside(package, error)

    def _require_verdict(self, error: DataIntegrityError) -> None:
        """Another attempt may read what this one could not."""
        if isinstance(error, OriginError) and error.may_pass and not self.is_last_attempt:
            raise error

    def _open(self, key: str) -> BinaryIO:
        return open_at(self.buffer, key, f"{key} at {self.location.full_name}")

    def _verified(self, package: RawDataPackage, key: str) -> str:
        with origin_errors(self.buffer, f"{key} at {self.location.full_name}"):
            size = self.buffer.stat(key).size
        if size != package.size:
            raise self._damaged(package, key)
        if self.transfer.checksum_verified:
            self.lease.check()
            return VerifiedHow.RECEIVED
        with Watched(self._open(key), Part(self.lease, self.done_bytes)) as stream:
            digest = digest_stream(cast("BinaryIO", stream))[1]
        self.done_bytes += size
        if digest != package.digest:
            raise self._damaged(package, key)
        return VerifiedHow.READ_BACK

    def _extract(self) -> None:
        """What comes out whole counts, also of a tar that is damaged further on."""
        missing = {f"{package.name}.tar": package for package in self.packages}
        reason: DataIntegrityError | None = None
        try:
            with Watched(self._open(self.transfer.received["bundle"]), self.lease) as stream:
                for name, size, member in read_tar(cast("BinaryIO", stream)):
                    package = missing.pop(name, None)
                    if package is None:
                        self.problem(self._damaged(self.bundle, name), name)
                    elif package.pk not in self.known:
                        self._extract_one(package, size, member)
        except DataIntegrityError as error:
            self._require_verdict(error)
            reason = error
        for package in missing.values():
            if package.pk not in self.known:
                self._set_aside(package, reason or self._damaged(package, package.name))

    def _extract_one(self, package: RawDataPackage, size: int, member: BinaryIO) -> None:
        """Its own damage sets it aside; damage of the tar around it ends the extraction, too."""
        key = buffer_key(package, self.attempt)
        try:
            if size != package.size:
                raise self._damaged(package, key)
            self._write(package, key, member)
        except DataIntegrityError as error:
            self._set_aside(package, error)
            if error.code != "unpack.damaged":
                raise
        else:
            self.unpacked.append((package, key, VerifiedHow.WRITTEN))

    def _write(self, package: RawDataPackage, key: str, member: BinaryIO) -> None:
        digest = new_digest()
        buffer = memoryview(bytearray(BUFFER_BYTES))
        with self.buffer.writer(key, self.attempt, package.size) as out:
            while count := member.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(buffer[:count])
                out.write(buffer[:count])
            if str(digest) != package.digest:
                raise self._damaged(package, key)

    def _damaged(self, what: object, key: str) -> DataIntegrityError:
        return DataIntegrityError(
            f"{what} did not arrive at {self.location.full_name} as it was sent ({key}).",
            code="unpack.damaged",
            remedy="It is still where it was sent from: resend it.",
        )

    def record(self) -> None:
        super().record()
        for package, key, how in self.unpacked:
            if package.pk in self.replaced:
                end_replaced_copy(self.replaced[package.pk], f"{package} was resent.")
            record_package_copy(package, self.location, key=key, how=how)

    def clean_up(self) -> None:
        """Extracted packages of this attempt; what was received is the transfer's and stays."""
        if self.packages and self._is_tar:
            self._discard([self.attempt])

    def _discard(self, attempts: Sequence[str]) -> None:
        for attempt in attempts:
            for package in self.packages:
                key = buffer_key(package, attempt)
                self.buffer.discard_attempt(key, attempt)
                self.buffer.delete(key)
