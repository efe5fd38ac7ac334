"""Copying: both ends are reached from this host (mounted disks, object stores). Reads once, verifies what it writes in that pass."""

from __future__ import annotations

import time
from typing import ClassVar

from ccatdc.common.errors import DataIntegrityError, LocationIdentityError
from datamgmt.checksums import BUFFER_BYTES, new_digest
from datamgmt.storage.base import LocationStorage
from transfer.holding import Held
from transfer.transports.base import Cargo, Moved, Transport


class Copying(Transport):
    """``cp``, with proof."""

    name: ClassVar[str] = "cp"

    def can_move(self, origin: LocationStorage, destination: LocationStorage) -> bool:
        """Both markers are found from here: each place is mounted, and is itself."""
        for storage in (origin, destination):
            try:
                storage.check_identity()
            except LocationIdentityError:
                return False
        return True

    def move(
        self,
        cargo: Cargo,
        origin: LocationStorage,
        destination: LocationStorage,
        attempt: str,
        lease: Held,
    ) -> Moved:
        """Stream the file; bytes with another digest never get the name."""
        started = time.monotonic()
        digest = new_digest()
        buffer = memoryview(bytearray(BUFFER_BYTES))
        size = 0
        with (
            origin.open(cargo.origin_key) as stream,
            destination.writer(cargo.destination_key, attempt, cargo.size) as out,
        ):
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(buffer[:count])
                out.write(buffer[:count])
                size += count
                lease.check()
            if str(digest) != cargo.digest:
                raise DataIntegrityError(
                    f"{cargo.origin_key} at {origin.name} is not what was recorded: {str(digest)}, not {cargo.digest}.",
                    code="transport.origin_damaged",
                    remedy="The copy there is damaged; send the package again from a good one.",
                )
        return Moved(size, time.monotonic() - started, verified=True)
