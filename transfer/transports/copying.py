"""Copying: both ends are reached from this host (mounted disks, object stores). Reads once, verifies what it writes in that pass."""

from __future__ import annotations

from typing import BinaryIO, ClassVar

from ccatdc.common.errors import LocationIdentityError, NotSupportedError
from datamgmt.checksums import BUFFER_BYTES, new_digest
from transfer.engine.worker.lease import LeaseHandle
from transfer.routing.sources import damaged, open_at
from transfer.transports.base import Attempt, Cargo, Place, Transport


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

    def move(self, cargo: Cargo, origin: Place, destination: Place, attempt: Attempt, lease: LeaseHandle) -> None:
        """Stream the file; bytes with another digest never get the name. What an earlier attempt left is read once more
        at the destination, and not sent again.
        """
        try:
            self._copy(cargo, origin, destination, attempt, lease)
        except _ResumedDiffers:
            # A beginning that a crash of the host spoiled, say: nobody's fault, and gone.
            self._copy(cargo, origin, destination, Attempt(attempt.name), lease)

    @staticmethod
    def _copy(cargo: Cargo, origin: Place, destination: Place, attempt: Attempt, lease: LeaseHandle) -> None:
        what = f"{cargo.origin_key} at {origin}"
        digest = new_digest()
        buffer = memoryview(bytearray(BUFFER_BYTES))
        done = 0
        writing = destination.storage.resumable_writer(cargo.destination_key, attempt.name, cargo.size, attempt.earlier)
        with open_at(origin.storage, cargo.origin_key, what) as stream, writing as out:
            resumed = out.size
            for block in out.read_back():
                digest.update(block)
                done += len(block)
                lease.check(done)
            if resumed:
                _skip(stream, done, buffer)
            while count := stream.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(buffer[:count])
                out.write(buffer[:count])
                done += count
                lease.check(done)
            if done != cargo.size or str(digest) != cargo.digest:
                out.keep = False
                if resumed:
                    raise _ResumedDiffers
                found, recorded = f"{done} bytes, {digest}", f"{cargo.size} bytes, {cargo.digest}"
                raise damaged(what, found, recorded)


def _skip(stream: BinaryIO, count: int, buffer: memoryview) -> None:
    """Go to the byte after the first ``count``; what cannot seek is read."""
    if stream.seekable():
        stream.seek(count)
        return
    while count and (passed := stream.readinto(buffer[:count])):  # type: ignore[attr-defined]
        count -= passed


class _ResumedDiffers(Exception):
    """What an earlier attempt left and what was added are not the file."""
