"""The origin of a move as a file of this host, for programs that are given a path."""

from __future__ import annotations

from pathlib import Path

from ccatdc.common.errors import TransportError
from datamgmt.checksums import BUFFER_BYTES
from transfer.engine.worker.lease import LeaseHandle
from transfer.routing.sources import damaged, open_at, origin_errors
from transfer.transports.base import Cargo, Place


def require_there(cargo: Cargo, origin: Place) -> Path:
    """The file to send, with the size that was recorded: a program would tell neither from a bad link."""
    what = f"{cargo.origin_key} at {origin}"
    with origin_errors(origin.storage, what):
        found = origin.storage.stat(cargo.origin_key)
    if found.size != cargo.size:
        raise damaged(what, f"{found.size} bytes", f"{cargo.size} bytes")
    path = origin.storage.local_path(cargo.origin_key)
    if path is None:
        raise TransportError(f"{what} is no local file.")
    return path


def require_readable(cargo: Cargo, origin: Place, lease: LeaseHandle) -> None:
    """:class:`OriginError` when it was the disk here that failed: one more read tells."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    done = 0
    with open_at(origin.storage, cargo.origin_key, f"{cargo.origin_key} at {origin}") as stream:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            done += count
            lease.check(done)
