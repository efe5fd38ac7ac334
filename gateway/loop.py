"""``run_gateway``: sends the outbox to the main site, refreshes the reference data, prunes what is old.

One thread looks: which observations have something to send, whether the link may be tried, what is due. A few threads
send, each one observation at a time over a kept-alive connection. Several processes may run: an observation is sent by
one thread of one of them.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.models.functions import Now

from ccatdc.common.db.notify import GATEWAY, Listener
from ccatdc.common.errors import CcatError
from gateway import link
from gateway.main_site import PrimarySite
from gateway.models import BEAT_SECONDS, Link, OutboxItem
from gateway.outbox.backlog import prune
from gateway.outbox.replay import replay
from gateway.reference.refresh import refresh
from transfer.engine.database import DATABASE_AWAY

logger = logging.getLogger(__name__)

#: Seconds until an observation is tried again whose sending ended in an error of ours.
AFTER_ERROR_SECONDS: Final = 5.0
#: Seconds until it is looked at again when another process sends it.
ELSEWHERE_SECONDS: Final = 0.5
RECONNECT_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 600.0
#: At most so often while somebody wants it at once.
REFRESH_AT_MOST_EVERY: Final = 5.0


class GatewayLoop:
    """One process. Ends when everything that is on its way has been answered."""

    def __init__(self, primary: PrimarySite, *, threads: int) -> None:
        self.primary = primary
        self.stopping = False
        self._threads = threads
        self._sending: dict[UUID, Future[int | None]] = {}
        self._paused: dict[UUID, float] = {}
        self._listener = Listener(GATEWAY)
        self._next_beat = self._next_refresh = self._next_prune = 0.0
        self._wakeup, self._wakeup_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        executor = ThreadPoolExecutor(self._threads, thread_name_prefix="replay")
        try:
            while not self.stopping:
                self._pass_and_wait(executor)
        finally:
            executor.shutdown(wait=True)
            signal.set_wakeup_fd(-1)
            os.close(self._wakeup)
            os.close(self._wakeup_writer)

    def run_pass(self) -> None:
        """Refresh, then send everything that can be sent now; for ``--once``."""
        self._refresh_if_due(now=True)
        with ThreadPoolExecutor(self._threads) as executor:
            while self._start_sending(executor):
                for future in list(self._sending.values()):
                    future.exception()
        prune()

    def _pass_and_wait(self, executor: ThreadPoolExecutor) -> None:
        try:
            self._listener.listen()
            self._beat()
            self._refresh_if_due()
            self._start_sending(executor)
            self._prune_if_due()
            self._listener.wait(self._seconds_to_wait(), also=self._wakeup)
            self._quiet()
        except DATABASE_AWAY as error:
            logger.warning("The database does not answer, waiting: %s", str(error).strip())
            connection.close()
            time.sleep(RECONNECT_SECONDS)

    def _beat(self) -> None:
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + BEAT_SECONDS
            me = f"{socket.gethostname()}, process {os.getpid()}"
            Link.write(process=me, process_seen_at=Now())

    def _refresh_if_due(self, *, now: bool = False) -> None:
        """When it is time, when somebody wants it, and to try a link that is down."""
        row = Link.row()
        clock = time.monotonic()
        due = now or clock >= self._next_refresh
        if row.down_since is not None or row.last_contact_at is None:
            due = link.seconds_to_next_try() == 0
        elif row.refresh_wanted:
            due = due or clock >= self._next_refresh - self._period + REFRESH_AT_MOST_EVERY
        if not due:
            return
        self._next_refresh = clock + self._period
        try:
            refresh(self.primary)
        except CcatError as error:
            logger.warning("%s", error)
        except DATABASE_AWAY:
            raise
        except DatabaseError:
            logger.exception("The reference data could not be refreshed.")

    @property
    def _period(self) -> float:
        return float(settings.GATEWAY_REFRESH_SECONDS)

    def _start_sending(self, executor: ThreadPoolExecutor) -> int:
        """Give idle threads the observations that wait longest; how many are being sent."""
        self._collect()
        free = self._threads - len(self._sending)
        if free > 0 and not self.stopping and link.may_send():
            for sequence in self._ready():
                if sequence not in self._sending:
                    future = executor.submit(self._send, sequence)
                    self._sending[sequence] = future
                    future.add_done_callback(self._wake)
                    free -= 1
                if free <= 0:
                    break
        return len(self._sending)

    def _ready(self) -> list[UUID]:
        """Observations whose next call may be sent now, those that wait longest first."""
        clock = time.monotonic()
        return [sequence for sequence in OutboxItem.objects.ready() if self._paused.get(sequence, 0.0) <= clock]

    def _send(self, sequence: UUID) -> int | None:
        try:
            return replay(sequence, self.primary, self._may_go_on)
        except DATABASE_AWAY:
            connections.close_all()
            raise

    def _may_go_on(self) -> bool:
        return not self.stopping and link.may_send()

    def _collect(self) -> None:
        for sequence, future in list(self._sending.items()):
            if not future.done():
                continue
            del self._sending[sequence]
            self._paused.pop(sequence, None)
            error = future.exception()
            if error is not None:
                self._paused[sequence] = time.monotonic() + AFTER_ERROR_SECONDS
                logger.error("Calls of %s could not be sent.", sequence, exc_info=error)
            elif future.result() is None:  # another process is at it
                self._paused[sequence] = time.monotonic() + ELSEWHERE_SECONDS

    def _prune_if_due(self) -> None:
        if time.monotonic() >= self._next_prune:
            self._next_prune = time.monotonic() + PRUNE_SECONDS
            prune()

    def _seconds_to_wait(self) -> float:
        """Until the next thing of which no notification tells."""
        clock = time.monotonic()
        waits = [self._next_beat - clock, self._next_refresh - clock, self._next_prune - clock]
        if not link.may_send():
            waits.append(link.seconds_to_next_try())
        waits += [moment - clock for moment in self._paused.values()]
        retry = OutboxItem.objects.seconds_to_next_retry()
        if retry is not None:
            waits.append(retry)
        return max(0.05, min(waits))

    def _wake(self, _future: Any) -> None:
        os.write(self._wakeup_writer, b"\0")

    def _quiet(self) -> None:
        try:
            os.read(self._wakeup, 4096)
        except BlockingIOError:
            return

    def _stop(self, _number: int, _frame: Any) -> None:
        self.stopping = True
