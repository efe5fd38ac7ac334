"""What all operations share. The runner calls ``prepare``, ``work``, ``verify``, then ``record`` in the closing
transaction.

*Safe to repeat*: whatever an operation writes has its attempt in its name, is verified and fsynced before it gets that
name, and counts only once ``record`` has put it into the database. A worker that lost its lease cannot record.
"""

from __future__ import annotations

import io
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, BinaryIO, Generic, TypeVar

from ccatdc.common.errors import CcatError, StorageError
from datamgmt.models import DataLocation, PhysicalCopy
from transfer.engine.worker.lease import LeaseHandle
from transfer.models import Operation
from transfer.routing.sources import OriginError, is_back, note_bad

Op = TypeVar("Op", bound=Operation)


class StageOperation(ABC, Generic[Op]):
    """One piece of work by one worker. ``problems`` is what was set aside though the work went on; ``bad_copies`` are
    those that were read and turned out to be bad; ``read_from`` are the keys of the locations whose bytes it read.
    """

    def __init__(self, operation: Op, lease: LeaseHandle) -> None:
        self.operation = operation
        self.lease = lease
        self.problems: list[dict[str, str]] = []
        self.bad_copies: list[tuple[PhysicalCopy, OriginError]] = []
        self.read_from: set[int] = set()
        self.log = logging.getLogger(type(self).__module__)

    @property
    def attempt(self) -> str:
        """Part of every name that is written: unique to this claim."""
        return self.operation.attempt_name

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure now is the one after which the operation is given up."""
        return self.operation.attempts + 1 >= self.operation.max_attempts

    def judge(self, copy: PhysicalCopy, error: OriginError) -> bool:
        """Whether an error is the last word about the copy that was read. It is noted then, and costs the operation no
        attempt: the next one reads another copy, or this one, if a deletion that did not end had taken it out.
        """
        if (error.may_pass and not self.is_last_attempt) or is_back(copy, error):
            return False
        error.consumes_attempt = False
        self.bad_copies.append((copy, error))
        return True

    def prepare(self) -> None:
        """Read the rows again; what was true when the work was planned may have changed."""

    @abstractmethod
    def work(self) -> None:
        """Touch the bytes, under names of this attempt."""

    def verify(self) -> None:
        """Compare what was made with what was promised."""

    def record(self) -> None:
        """Write what was done, in the transaction that completes the operation."""
        self.note_bad_copies()

    def record_failure(self, error: CcatError) -> None:  # noqa: ARG002
        """Write what was learned from a failure, in the transaction that notes it."""
        self.note_bad_copies()

    def note_bad_copies(self) -> None:
        """What was found wrong about copies is kept, whether the work was done or not."""
        for copy, error in self.bad_copies:
            note_bad(copy, error)

    def finished(self) -> None:
        """After the commit: what may be lost without harm."""

    def clean_up(self) -> None:
        """After a failure: remove what this attempt wrote, and nothing else."""

    def problem(self, error: CcatError, subject: str) -> None:
        """Note something that was set aside."""
        self.log.warning("%s: %s", subject, error)
        self.problems.append({"code": error.code, "subject": subject, "message": str(error)})


def require_in_use(destination: DataLocation) -> None:
    """Nothing is written into a place that was switched off after the work was planned; it waits, and uses no attempts
    up.
    """
    if not (destination.active and destination.site.active):
        raise StorageError(
            f"{destination.full_name} is switched off.",
            code="location.inactive",
            remedy="It goes on when the location is on again, or is turned to another one of the site.",
        )


class Watched(io.RawIOBase):
    """A stream that reports progress to the lease as it is read, so that a long read can be stopped. Owns the stream."""

    def __init__(self, stream: BinaryIO, lease: LeaseHandle, done_bytes: int = 0) -> None:
        super().__init__()
        self._stream = stream
        self._readinto: Callable[[memoryview], int | None] = stream.readinto  # type: ignore[attr-defined]
        self._lease = lease
        self.done_bytes = done_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read into ``buffer``; the number of bytes, 0 at the end."""
        with memoryview(buffer) as whole, whole.cast("B") as view:
            count = self._readinto(view) or 0
        self.done_bytes += count
        self._lease.check(self.done_bytes)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()
