"""The lease: the right to work on an operation, renewed while the work goes on, lost when the database has not heard
for too long.

Around every operation in a worker (transfer/engine/worker/runner.py). Only the database's clock says when a lease ends.
Two threads keep it: one renews, the other ends the process when renewing has not succeeded for two thirds of the lease,
because a query into a dead network may block for longer than that. A worker that lost its lease ends at once: its
successor may have begun. Operations see a :class:`LeaseHandle`: they report progress, and are told to stop.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from django.conf import settings
from django.db import connection

from ccatdc.common.errors import CcatError, LeaseLostError
from ccatdc.common.states import Status
from transfer.engine.database import DATABASE_AWAY
from transfer.engine.worker import this_process
from transfer.models import Operation
from transfer.models.operations import CANCELLED


class LeaseHandle(Protocol):
    """The holder's side of a lease (transfer/engine/worker/lease.py)."""

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """Report progress; raises when the work has to stop. Cheap: called between chunks and files."""


@dataclass(frozen=True, slots=True)
class Part:
    """The lease as one part of the work sees it: what the part has done is added to what was done ``before`` (bytes).
    Work that reports no bytes for long looks stalled.
    """

    lease: LeaseHandle
    before: int

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """As the lease's own, which is told of the whole."""
        done = self.before if done_bytes is None else self.before + done_bytes
        self.lease.check(done, total_bytes)


logger = logging.getLogger(__name__)

#: Renew at this part of the lease, but at least this often (s): renewing also reports progress and learns of a
#: cancellation.
RENEW_PART: Final = 1 / 6
RENEW_AT_LEAST_SECONDS: Final = 10.0
#: Without success for this part of the lease the process ends itself.
FENCE_PART: Final = 2 / 3
#: Exit status of a worker that ended itself because it could not keep its lease.
EXIT_FENCED: Final = 76

_RENEW = """
    UPDATE operation SET lease_until = now() + make_interval(secs => %s),
        progress_bytes = %s,
        total_bytes = CASE WHEN COALESCE(%s, total_bytes) < %s THEN %s ELSE COALESCE(%s, total_bytes) END,
        progress_at = CASE WHEN %s THEN now() ELSE progress_at END
    WHERE id = %s AND owner = %s AND status = %s
    RETURNING cancel_requested_at IS NOT NULL
"""


class Drain(CcatError):
    """The worker shall stop; the operation goes back and costs no attempt."""

    default_code = "operation.drained"
    default_retryable = True


class CancelRequested(CcatError):
    """Somebody cancelled the operation while it ran."""

    default_code = CANCELLED


def end_process(reason: str) -> NoReturn:
    """End this worker at once, without letting it finish anything.

    The supervisor replaces it.
    """
    logger.critical("Worker ends itself: %s", reason)
    os._exit(EXIT_FENCED)


class Lease:
    """The lease of one claim.

    Start it after the claim; operations call :meth:`check` between files and chunks.
    """

    def __init__(self, operation: Operation, owner: str, *, granted: float) -> None:
        """``granted`` is :func:`clock` taken before the claim was sent.

        The lease cannot have begun earlier.
        """
        self.operation_pk = operation.pk
        self.owner = owner
        self.attempt: str = operation.attempt_name
        self.seconds = float(settings.LEASE_SECONDS)
        self._granted = granted
        self._done_bytes: int = 0
        self._total_bytes: int | None = None
        self._reported: tuple[int, int | None] = (0, None)
        self._cancelled = False
        self._over = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to renew, also again after :meth:`stop`."""
        self._over = threading.Event()
        for work in (self._renew_for_ever, self._fence):
            threading.Thread(target=work, args=(self._over,), name=f"lease{work.__name__}", daemon=True).start()

    def stop(self) -> None:
        """Renew no more.

        Must come before the closing commit: a renewal would take the finished row for a lost lease.
        """
        with self._lock:
            self._over.set()

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """Report progress in bytes.

        Raises when the work has to stop. Costs no query: call it after every chunk.

        Raises :class:`Drain`, :class:`CancelRequested`, or :class:`LeaseLostError`.
        """
        if done_bytes is not None:
            self._done_bytes = done_bytes
        if total_bytes is not None:
            self._total_bytes = total_bytes
        if self.remaining() <= 0:
            raise LeaseLostError("The lease ran out while the work went on.")
        if self._cancelled:
            raise CancelRequested("Cancelled while it ran.")
        if this_process.draining:
            raise Drain("The worker was asked to stop.")

    def remaining(self) -> float:
        """Seconds until the lease certainly ends, if it is not renewed."""
        return self._granted + self.seconds - clock()

    def progress(self) -> tuple[int, int | None]:
        """Bytes done and bytes in all, as last reported."""
        return self._done_bytes, self._total_bytes

    def _renew_for_ever(self, over: threading.Event) -> None:
        interval = min(self.seconds * RENEW_PART, RENEW_AT_LEAST_SECONDS)
        try:
            while not over.wait(interval):
                try:
                    self._renew(over)
                except DATABASE_AWAY as error:
                    logger.warning("Operation %s: could not renew: %s", self.operation_pk, error)
                    connection.close()
        finally:
            connection.close()

    def _renew(self, over: threading.Event) -> None:
        asked, progress = clock(), self.progress()
        moved = progress != self._reported
        with connection.cursor() as cursor:
            done, total = progress
            measured = [done, total, done, done, total]  # more than was planned is the whole by now
            cursor.execute(_RENEW, [self.seconds, *measured, moved, self.operation_pk, self.owner, Status.IN_PROGRESS])
            row = cursor.fetchone()
        with self._lock:
            if over.is_set():
                return
            if row is None:
                end_process(f"operation {self.operation_pk} belongs to somebody else now.")
            self._granted, self._reported, self._cancelled = asked, progress, row[0]

    def _fence(self, over: threading.Event) -> None:
        limit = self.seconds * FENCE_PART
        while not over.wait(max(0.05, self._granted + limit - clock())):
            if clock() - self._granted >= limit:
                with self._lock:
                    if not over.is_set():
                        end_process(f"operation {self.operation_pk}: lease not renewed for {limit:.0f} s.")


def clock() -> float:
    """Seconds that also pass while the machine sleeps, unlike those of ``time.monotonic``."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
