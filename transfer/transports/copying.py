"""Copying: both ends are reached from this host (mounted disks, object stores). Reads once, verifies what it writes in that pass."""

from __future__ import annotations

from typing import ClassVar

from ccatdc.common.errors import LocationIdentityError, NotSupportedError
from datamgmt.checksums import BUFFER_BYTES, new_digest
from transfer.engine.worker.lease import LeaseHandle
from transfer.routing.sources import damaged, open_at
from transfer.transports.base import Cargo, Place, Transport


class Copying(Transport):
    """``cp``, with proof."""

    name: ClassVar[str] = "cp"
    proves: ClassVar[bool] = True

    def can_move(self, origin: Place, destination: Place) -> bool:
        """Both markers are found from here: each place is mounted, and is itself."""
        for place in (origin, destination):
            try:
                place.storage.check_identity()
            except (LocationIdentityError, NotSupportedError):
                return False
        return True

    def move(self, cargo: Cargo, origin: Place, destination: Place, attempt: str, lease: LeaseHandle) -> None:
        """Stream the file; bytes with another digest never get the name."""
        what = f"{cargo.origin_key} at {origin}"
        digest = new_digest()
        buffer = memoryview(bytearray(BUFFER_BYTES))
        done = 0
        with (
            open_at(origin.storage, cargo.origin_key, what) as stream,
            destination.storage.writer(cargo.destination_key, attempt, cargo.size) as out,
        ):
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(buffer[:count])
                out.write(buffer[:count])
                done += count
                lease.check(done)
            if done != cargo.size or str(digest) != cargo.digest:
                found, recorded = f"{done} bytes, {digest}", f"{cargo.size} bytes, {cargo.digest}"
                raise damaged(what, found, recorded)
