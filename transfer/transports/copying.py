"""Copying: both ends are reached from this host (mounted disks, object stores). Reads once, verifies what it writes in that pass."""

from __future__ import annotations

from typing import ClassVar

from ccatdc.common.errors import DataIntegrityError, LocationIdentityError, NotSupportedError
from datamgmt.checksums import BUFFER_BYTES, new_digest
from transfer.holding import Held
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

    def move(
        self, cargo: Cargo, origin: Place, destination: Place, attempt: str, lease: Held
    ) -> None:
        """Stream the file; bytes with another digest never get the name."""
        digest = new_digest()
        buffer = memoryview(bytearray(BUFFER_BYTES))
        with (
            origin.storage.open(cargo.origin_key) as stream,
            destination.storage.writer(cargo.destination_key, attempt, cargo.size) as out,
        ):
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(buffer[:count])
                out.write(buffer[:count])
                lease.check()
            if str(digest) != cargo.digest:
                raise DataIntegrityError(
                    f"{cargo.origin_key} at {origin} is not what was recorded: {digest}, not {cargo.digest}.",
                    code="transport.origin_damaged",
                    remedy="The copy there is damaged; send the package again from a good one.",
                )
