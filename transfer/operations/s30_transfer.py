"""Stage 30: move a bundle from the BUFFER that has it to where its route leads, each package verified while it is received.

In: DataTransferPackage here. Out: its packages (or its tar) at the destination under keys of this transfer, the bundle's copy there
PRESENT. A DIRECT or CUSTOM route that ends in an archive archives each package at once and leaves nothing to unpack.
Safe to repeat because: what an earlier attempt received has its own name, was verified before it got it, and is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from ccatdc.common.errors import DataIntegrityError
from ccatdc.common.states import Status
from datamgmt.copies import record_bundle_copy
from datamgmt.models import BundleFormat, DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.naming import archive_key, buffer_key, bundle_key
from datamgmt.states import VerifiedHow
from datamgmt.storage import storage_for
from transfer.archiving import Archived, archive_package, discard_archived, record_archived
from transfer.models import DataTransfer
from transfer.operations.base import StageOperation, Watched, require_in_use
from transfer.transports import Cargo, Place, choose_transport


class TransferBundle(StageOperation[DataTransfer]):
    """Moves one bundle."""

    def prepare(self) -> None:
        """The bundle and its packages are here, both ends are themselves, and there is a way between them."""
        self.bundle = self.operation.data_transfer_package
        self.origin_location = DataLocation.objects.get(pk=self.operation.origin_location_id)
        self.destination_location = DataLocation.objects.get(
            pk=self.operation.destination_location_id
        )
        require_in_use(self.destination_location)
        self.origin = storage_for(self.origin_location)
        self.origin.check_identity()
        route = self.operation.route
        self.destination = Place(self.destination_location)
        self.transport = choose_transport(
            Place(self.origin_location),
            self.destination,
            route.method if route is not None else "",
        )
        self.ends_in_archive = (
            self.destination_location.location_type == LocationType.LONG_TERM_ARCHIVE
        )
        copies = PhysicalCopy.objects.at(self.origin_location).good().with_subjects()
        self.bundle_copy = copies.filter(data_transfer_package=self.bundle).first()
        if self.bundle_copy is None:
            raise DataIntegrityError(
                f"{self.bundle} is not in {self.origin_location.full_name} any more.",
                code="transfer.bundle_gone",
                remedy="Send its packages again.",
            )
        packages = self.bundle.raw_data_packages.select_related(
            "executed_obs_unit", "instrument_module__instrument"
        )
        self.packages: list[tuple[RawDataPackage, PhysicalCopy]] = []
        if not self._as_one_file or self.ends_in_archive:
            by_package = {
                copy.raw_data_package_id: copy
                for copy in copies.filter(raw_data_package__in=packages)
            }
            for package in packages.order_by("name"):
                if package.pk not in by_package:
                    raise DataIntegrityError(
                        f"{package} is not (or not good) in {self.origin_location.full_name}.",
                        code="transfer.package_gone",
                        remedy="Look at its copies; send it again from where it is good.",
                    )
                self.packages.append((package, by_package[package.pk]))
        self.received: dict[str, str] = {}
        self.archived: list[tuple[RawDataPackage, Archived]] = []
        self.moved_bytes = 0

    @property
    def _as_one_file(self) -> bool:
        return self.bundle.bundle_format == BundleFormat.TAR

    def work(self) -> None:
        """Package by package, so that a cut link costs one package at most."""
        started = time.monotonic()
        if self.ends_in_archive:
            for package, copy in self.packages:
                self._archive(package, copy)
        else:
            for package, copy in self.packages:
                self.received[str(package.pk)] = self._receive(
                    partial(buffer_key, package),
                    copy.key,
                    package.size or 0,
                    package.digest,
                )
            self.received["bundle"] = self._receive(
                lambda name: bundle_key(self.bundle.name, name, self._suffix),
                self.bundle_copy.key,
                self.bundle_copy.size,
                self.bundle_copy.digest,
            )
        self.seconds = time.monotonic() - started

    @property
    def _suffix(self) -> str:
        return "tar" if self._as_one_file else "json"

    def _receive(
        self, key_of: Callable[[str], str], origin_key: str, size: int, digest: str
    ) -> str:
        """Move one file unless an earlier attempt already received it; the key under which it is there."""
        for earlier in self.operation.earlier_attempt_names():
            key = key_of(earlier)
            self.transport.discard_attempt(key, earlier, self.destination)
            if self.transport.received(key, self.destination) == size:
                self.log.info("%s was received by attempt %s", key, earlier)
                return key
        key = key_of(self.attempt)
        cargo = Cargo(origin_key, key, size, digest)
        self.transport.move(
            cargo, Place(self.origin_location), self.destination, self.attempt, self.lease
        )
        self.moved_bytes += size
        self.lease.check(self.moved_bytes)
        return key

    def _archive(self, package: RawDataPackage, copy: PhysicalCopy) -> None:
        existing = (
            PhysicalCopy.objects.of_package(package.pk).at(self.destination_location).existing()
        )
        if existing.exists():
            return
        with Watched(self.origin.open(copy.key), self.lease, self.moved_bytes) as stream:
            key = archive_key(package, self.attempt)
            archived = archive_package(
                package,
                stream,
                self.destination.storage,
                object_key=key,
                attempt=self.attempt,
                lease=self.lease,
            )
        self.archived.append((package, archived))
        self.moved_bytes += archived.size

    def record(self) -> None:
        """What arrived, how fast, and how it was proved."""
        DataTransfer._base_manager.filter(pk=self.operation.pk).update(
            method=self.transport.name,
            received=self.received,
            bytes_transferred=self.moved_bytes,
            seconds=self.seconds,
            checksum_verified=self.transport.proves or self.ends_in_archive,
        )
        if self.ends_in_archive:
            for package, archived in self.archived:
                record_archived(package, self.destination_location, archived)
            DataTransfer._base_manager.filter(pk=self.operation.pk).update(
                unpack_status=Status.COMPLETED
            )
            return
        record_bundle_copy(
            self.bundle,
            self.destination_location,
            key=self.received["bundle"],
            size=self.bundle_copy.size,
            digest=self.bundle_copy.digest,
            how=VerifiedHow.RECEIVED,
        )

    def clean_up(self) -> None:
        """What was received whole stays for the next attempt; archived objects of this attempt were never recorded and go."""
        for _, archived in self.archived:
            discard_archived(self.destination.storage, archived)
