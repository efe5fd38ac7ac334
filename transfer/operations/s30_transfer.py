"""Stage 30: move a bundle from the BUFFER that has it to where its route leads, each package verified while it is
received.

In: DataTransferPackage here. Out: its packages (or its tar) at the destination under keys of this transfer, the
bundle's copy there PRESENT. A DIRECT or CUSTOM route that ends in an archive archives each package at once and leaves
nothing to unpack. A package whose copy here turns out to be bad is set aside, the others go on. Safe to repeat because:
what an earlier attempt received has its own name, was verified before it got it, and is not sent again; what it had
received in part is gone on with where the destination can do that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple, TypeVar

from ccatdc.common.errors import CcatError, DataIntegrityError
from ccatdc.common.states import Status
from datamgmt.copies.recording import end_replaced_copy, note_good, record_bundle_copy
from datamgmt.models import BundleFormat, DataLocation, LocationType, PhysicalCopy, RawDataPackage
from datamgmt.packaging.naming import archive_key, buffer_key, bundle_key
from datamgmt.states import NEEDS_ATTENTION, VerifiedHow
from datamgmt.storage import storage_for
from transfer.engine.worker.lease import LeaseHandle, Part
from transfer.models import DataTransfer
from transfer.operations.archiving import Archived, archive_package, discard_archived, discard_replaced, record_archived
from transfer.operations.base import Watched, require_in_use
from transfer.operations.damaged_packages import BundleOperation
from transfer.operations.streams import Streams
from transfer.routing.sources import OriginError, open_origin
from transfer.transports import CRASHED, Attempt, Cargo, Place, choose_transport

Result = TypeVar("Result")


class TransferBundle(BundleOperation[DataTransfer]):
    ends_in_archive = False
    packages: Sequence[RawDataPackage] = ()

    def prepare(self) -> None:
        """The bundle is here, both ends are themselves, and there is a way between them."""
        self.bundle = self.operation.data_transfer_package
        self.received: dict[str, str] = {}
        self.archived: list[tuple[RawDataPackage, Archived]] = []
        self.replaced: list[PhysicalCopy] = []
        self.read: list[RawDataPackage] = []
        self.moved_bytes = 0
        self.origin_location = DataLocation.objects.get(pk=self.operation.origin_location_id)
        self.destination_location = DataLocation.objects.get(pk=self.operation.destination_location_id)
        require_in_use(self.destination_location)
        storage_for(self.origin_location).check_identity()
        route = self.operation.route
        self.origin, self.destination = (Place(self.origin_location), Place(self.destination_location))
        how = (route.method, route.parameters) if route is not None else ()
        self.transport = choose_transport(self.origin, self.destination, *how)
        if self.operation.streams is not None:
            self.transport = self.transport.with_streams(self.operation.streams)  # fewer, since one crashed
        self.ends_in_archive = self.destination_location.location_type == LocationType.LONG_TERM_ARCHIVE
        if not self._as_one_file or self.ends_in_archive:
            packages = self.bundle.raw_data_packages.select_related(
                "executed_obs_unit", "data_stream", "processing_run", "instrument_module__instrument"
            )
            self.packages = list(packages.order_by("name"))
        copies = PhysicalCopy.objects.at(self.origin_location).usable().with_subjects()
        self.bundle_copy = copies.filter(data_transfer_package=self.bundle).first()
        self.copies = {copy.raw_data_package_id: copy for copy in copies.filter(raw_data_package__in=self.packages)}

    @property
    def _as_one_file(self) -> bool:
        return self.bundle.bundle_format == BundleFormat.TAR

    def work(self) -> None:
        """Package by package, several at once where the transport can, so that a cut link costs what was under way at most,
        and a bad package itself.
        """
        started = time.monotonic()
        if self.ends_in_archive:
            self._archive_packages()
        else:
            # First, since it is small where it is a manifest: without it the rest would be in vain.
            self._receive_bundle()
            self._receive_packages()
        self.seconds = time.monotonic() - started

    def _archive_packages(self) -> None:
        for package in self.packages:
            self._unless_bad(package, partial(self._archive, package))
        self._require_a_good_one()

    def _receive_packages(self) -> None:
        """In streams. A bad package is set aside by this thread, which alone touches the database."""
        streams = Streams[RawDataPackage, tuple[str, bool]](self.lease, self.transport.files_at_once, self.moved_bytes)
        earlier = self.operation.earlier_attempt_names()

        def receive(package: RawDataPackage, lease: LeaseHandle) -> tuple[str, bool]:
            size = package.size or 0
            key_of = partial(buffer_key, package)
            before = self._received_before(key_of, size, earlier)
            if before is not None:
                return before, False
            file = _File(self._copy_of(package).key, size, package.digest)
            key = self._move(key_of, file, earlier, lease)
            return key, True

        with closing(streams.run(self.packages, receive)) as ended:
            for package, result in ended:
                found = self._unless_bad(package, result)
                if found is not None:
                    self.received[str(package.pk)], was_read = found
                    if was_read:
                        self.read.append(package)
                        self.moved_bytes += package.size or 0
        self._require_a_good_one()

    def _unless_bad(self, package: RawDataPackage, act: Callable[[], Result]) -> Result | None:
        """What ``act`` gives; None when it found that the package is bad, which is set aside."""
        try:
            return act()
        except OriginError as error:
            if not self.judge(self.copies[package.pk], error):
                raise
            self.set_package_aside(package, error)
        except _Gone as error:
            self.set_package_aside(package, error)
        return None

    def _require_a_good_one(self) -> None:
        if self.packages and len(self.packages_aside) == len(self.packages):
            raise DataIntegrityError(
                f"None of the {len(self.packages)} packages of {self.bundle} can be sent.",
                code="transfer.no_good_package",
                remedy="Send its packages again: each finds its way from where it is good.",
            )

    def _copy_of(self, package: RawDataPackage) -> PhysicalCopy:
        copy: PhysicalCopy | None = self.copies.get(package.pk)
        if copy is None:
            raise _Gone(
                f"{package} is not (or not good) in {self.origin_location.full_name}.",
                remedy="The others go on without it; resend it.",
            )
        return copy

    def _receive_bundle(self) -> None:
        copy = self.bundle_copy
        if copy is None:
            raise DataIntegrityError(
                f"{self.bundle} is not (or not good) in {self.origin_location.full_name} any more.",
                code="transfer.bundle_gone",
                remedy="Send its packages again: they go into a new bundle.",
            )
        key_of = partial(bundle_key, self.bundle.name, suffix="tar" if self._as_one_file else "json")
        earlier = self.operation.earlier_attempt_names()
        key = self._received_before(key_of, copy.size, earlier)
        if key is None:
            try:
                key = self._move(key_of, _File(copy.key, copy.size, copy.digest), earlier, self.lease)
            except OriginError as error:
                self.judge(copy, error)
                raise
            self.moved_bytes += copy.size
        self.received["bundle"] = key

    def _received_before(self, key_of: Callable[[str], str], size: int, earlier: Sequence[str]) -> str | None:
        """Where an earlier attempt put a file whole; None when it has to be moved."""
        for attempt in earlier:
            key = key_of(attempt)
            if self.transport.received(key, self.destination) == size:
                self.log.info("%s was received by attempt %s", key, attempt)
                for each in earlier:
                    self.transport.discard_attempt(key_of(each), each, self.destination)
                return key
        return None

    def _move(self, key_of: Callable[[str], str], what: _File, earlier: Sequence[str], lease: LeaseHandle) -> str:
        """Move one file; the key under which it is there."""
        key = key_of(self.attempt)
        cargo = Cargo(what.key, key, what.size, what.digest)
        attempt = Attempt(self.attempt, tuple((key_of(name), name) for name in earlier))
        self.transport.move(cargo, self.origin, self.destination, attempt, lease)
        lease.check(what.size)  # a program may have ended between two looks at it
        return key

    def _archive(self, package: RawDataPackage) -> None:
        archive = self.destination.storage
        for earlier in self.operation.earlier_attempt_names():
            discard_archived(archive, archive_key(package, earlier), earlier)
        there = PhysicalCopy.objects.of_package(package.pk).at(self.destination_location)
        copy = there.existing().with_subjects().first()
        if copy is not None and copy.integrity not in NEEDS_ATTENTION:
            return
        key = archive_key(package, self.attempt)
        lease = Part(self.lease, self.moved_bytes)
        with Watched(open_origin(self._copy_of(package)), lease) as stream:
            archived = archive_package(package, stream, archive, object_key=key, attempt=self.attempt, lease=lease)
        self.read.append(package)
        self.archived.append((package, archived))
        if copy is not None:
            self.replaced.append(copy)
        self.moved_bytes += archived.size

    def record(self) -> None:
        """What arrived, how fast, and how it was proved."""
        super().record()
        proved = self.transport.proves or self.ends_in_archive
        fields = {
            "method": self.transport.name,
            "streams": self.transport.streams,
            "received": self.received,
            "bytes_transferred": self.moved_bytes,
            "seconds": self.seconds,
            "checksum_verified": proved,
        }
        if self.ends_in_archive:
            fields["unpack_status"] = Status.COMPLETED  # there will be no stage 40 to say so
        DataTransfer._base_manager.filter(pk=self.operation.pk).update(**fields)
        if proved:
            note_good(self.copies[package.pk] for package in self.read)
        if self.ends_in_archive:
            for copy in self.replaced:
                end_replaced_copy(copy, f"{copy.raw_data_package} was archived anew.")
            for package, archived in self.archived:
                record_archived(package, self.destination_location, archived)
            return
        assert self.bundle_copy is not None  # noqa: S101  it was sent
        record_bundle_copy(
            self.bundle,
            self.destination_location,
            key=self.received["bundle"],
            size=self.bundle_copy.size,
            digest=self.bundle_copy.digest,
            how=VerifiedHow.RECEIVED,
        )

    def record_failure(self, error: CcatError) -> None:
        """A crash halves the streams of the next attempt."""
        super().record_failure(error)
        if error.code == CRASHED:
            fewer = max(1, self.transport.streams // 2)
            DataTransfer._base_manager.filter(pk=self.operation.pk).update(streams=fewer)

    def finished(self) -> None:
        """Bad objects go only when the good ones are recorded: they might have been the last that have some of the
        bytes.
        """
        for copy in self.replaced:
            discard_replaced(self.destination.storage, copy)

    def clean_up(self) -> None:
        """What was received whole stays for the next attempt; objects of this attempt were never recorded and go."""
        if self.ends_in_archive:
            for package in self.packages:
                key = archive_key(package, self.attempt)
                discard_archived(self.destination.storage, key, self.attempt)


class _File(NamedTuple):
    """One file at the origin, as it was recorded."""

    key: str
    size: int
    digest: str


class _Gone(DataIntegrityError):
    """There is no copy to send of one package."""

    default_code = "transfer.package_gone"
