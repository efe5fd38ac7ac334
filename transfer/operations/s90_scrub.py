"""Stage 90: look at copies in their store, or read them in full; the evidence is renewed, or the copy is marked.

In: copies of this location. Out: ``seen_at`` or ``verified_at`` of those that are well; a verdict on the others, which
other stages repair from a good copy. A sidecar that is missing or is not its package's is written anew. Safe to repeat
because: it reads; each copy is recorded as soon as it is known.
"""

from __future__ import annotations

import time
from typing import BinaryIO, cast

from ccatdc.common.errors import CcatError, KeyMissingError
from datamgmt.checksums import digest_stream
from datamgmt.copies.recording import note_seen
from datamgmt.models import DataLocation, LocationType, PhysicalCopy
from datamgmt.packaging.naming import sidecar_key
from datamgmt.packaging.sidecar import package_id_of, sidecar_of
from datamgmt.states import READABLE, WantedCheck
from datamgmt.storage import storage_for
from transfer.engine.worker.lease import LeaseHandle, Part
from transfer.models import Verification
from transfer.operations.base import StageOperation, Watched
from transfer.routing.sources import OriginError, damaged, is_back, look_at, note_bad, note_verified, open_origin


class VerifyCopies(StageOperation[Verification]):
    """Verifies some copies of one location."""

    done_bytes = 0

    def prepare(self) -> None:
        """A place that is not itself says nothing about what it has."""
        self.location = DataLocation.objects.get(pk=self.operation.location_id)
        self.storage = storage_for(self.location)
        self.storage.check_identity()

    def work(self) -> None:
        """Each for itself: a bad one does not keep the others from being verified."""
        for pk in self.operation.copies:
            self.lease.check(self.done_bytes)
            copy = PhysicalCopy.objects.with_subjects().filter(pk=pk, status__in=READABLE).first()
            if copy is None:
                continue
            try:
                if self.operation.kind == WantedCheck.READ:
                    self._read(copy)
                else:
                    look_at(copy, self.storage)
                    note_seen([copy.pk])
            except OriginError as error:
                self.problem(error, str(copy))
                note_bad(copy, error)

    def _read(self, copy: PhysicalCopy) -> None:
        try:
            self._digest(copy)
        except OriginError as error:
            self.log.warning("%s is read once more: %s", copy, error)
            is_back(copy, error)
            self._digest(copy)
        self.done_bytes += copy.size
        note_verified(copy, self.storage.stat(copy.key).version)
        if self.location.location_type == LocationType.LONG_TERM_ARCHIVE:
            self._check_sidecar(copy)

    def _digest(self, copy: PhysicalCopy) -> None:
        lease = _Paced(Part(self.lease, self.done_bytes), self.location.scrub_mb_per_s)
        with Watched(open_origin(copy), lease) as stream:
            size, digest = digest_stream(cast("BinaryIO", stream))
        if (size, digest) != (copy.size, copy.digest):
            raise damaged(str(copy), f"{size} bytes, {digest}", f"{copy.size} bytes, {copy.digest}")

    def _check_sidecar(self, copy: PhysicalCopy) -> None:
        package, key = copy.raw_data_package, sidecar_key(copy.key)
        assert package is not None  # noqa: S101  archives hold packages
        try:
            with self.storage.open(key) as stream:
                if package_id_of(stream.read()) == str(package.pk):
                    return
        except KeyMissingError:
            pass
        self.log.warning("The sidecar %s is missing or damaged; it is written anew.", key)
        self.storage.delete(key)
        document = sidecar_of(package, self.storage.name, copy.key)
        with self.storage.writer(key, self.attempt, len(document)) as out:
            out.write(document)

    def record_failure(self, error: CcatError) -> None:
        """What was verified is recorded already."""


class _Paced:
    """A lease that lets bytes pass at a rate at most (megabytes a second)."""

    def __init__(self, lease: LeaseHandle, mb_per_s: float | None) -> None:
        self._lease, self._rate = lease, mb_per_s
        self._begin = time.monotonic()

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """As the lease's own; waits where reading is ahead of the rate."""
        if self._rate and done_bytes:
            ahead = done_bytes / (self._rate * 1e6) - (time.monotonic() - self._begin)
            while ahead > 0:
                self._lease.check(done_bytes, total_bytes)
                time.sleep(min(ahead, 1.0))
                ahead -= 1.0
        self._lease.check(done_bytes, total_bytes)
