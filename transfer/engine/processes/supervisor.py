"""The process of ``run_location``: it starts the workers of its locations, watches them, and replaces those that end or
freeze.

It imports everything once and forks, so that many workers start in the time of one and share their memory. It sleeps
until a worker gives a sign of life or ends, a signal comes, or a heartbeat is due.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import select
import signal
import time
from collections.abc import Iterable, Sequence
from enum import Enum
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from typing import Any, Final

from django.db import connections

from accounts.models import LogLevel, record
from datamgmt.models import DataLocation
from transfer.engine import queue, watchdog
from transfer.engine.database import unless_away
from transfer.engine.heartbeats import Pulse
from transfer.engine.processes.worker import ALIVE_SECONDS, lead_group, run_worker
from transfer.engine.queue import check_queue, work_queues
from transfer.engine.worker.this_process import new_identity
from transfer.pipeline import PIPELINE

logger = logging.getLogger(__name__)

#: Seconds without a sign of life after which a worker counts as frozen.
FROZEN_SECONDS: float = 4 * ALIVE_SECONDS
#: Seconds that a running operation gets to notice that it shall stop.
DRAIN_SECONDS: Final = 60.0
#: Seconds that a killed worker may take to be gone; one that waits for a dead disk takes longer.
DEATH_SECONDS: Final = 10.0
#: A worker that ran for so long is replaced at once; one that did not waits, ever longer.
STEADY_SECONDS: Final = 60.0
LONGEST_PAUSE_SECONDS: Final = 60.0
_PR_SET_CHILD_SUBREAPER: Final = 36
_fork: Final = get_context("fork")


class Phase(Enum):
    DOWN = "down"
    RUNNING = "running"
    DRAINING = "draining"
    ENDED = "ended"


class Slot:
    """The place of one worker, and what has to happen to it next. ``only_checks``: it serves the location's checks,
    which shall not wait for work of hours.
    """

    def __init__(self, location: DataLocation, *, only_checks: bool = False) -> None:
        self.full_name = location.full_name
        self.only_checks = only_checks
        self.queues = [check_queue(location)] if only_checks else work_queues(location)
        self.phase = Phase.DOWN
        self.alive: int | None = None
        self.was_heard = False
        self._process: BaseProcess | None = None
        self._identity = ""
        self._started_at = 0.0
        self._heard_at = 0.0
        self._deadline = 0.0
        self._failures = 0

    @property
    def seconds_left(self) -> float:
        """Seconds until :meth:`look` has something to do besides signs of life and deaths."""
        due = self._heard_at + FROZEN_SECONDS if self.phase == Phase.RUNNING else self._deadline
        return max(0.0, due - time.monotonic())

    def look(self, of_others: Iterable[int]) -> None:
        """Do what is due. ``of_others``: the descriptors that a new worker must not keep."""
        now = time.monotonic()
        if self.phase == Phase.DOWN and now >= self._deadline:
            self._start(of_others)
        elif self.alive is not None:
            if not self._hear(now):
                self._end("ended")
            elif now - self._heard_at >= FROZEN_SECONDS:
                self._end(f"gave no sign of life for {FROZEN_SECONDS:.0f} s and was killed")
            elif self.phase == Phase.DRAINING and now >= self._deadline:
                self._end("")

    def forgive(self) -> None:
        """Nobody listened for a while: the silence counts from now."""
        self._heard_at = time.monotonic()

    def stop(self, *, at_once: bool = False) -> None:
        """Ask the worker to stop; ``at_once`` gives its operation no time."""
        if self._process is None or self._process.pid is None:
            self.phase = Phase.ENDED
            return
        if self.phase == Phase.RUNNING:
            self.phase = Phase.DRAINING
            self._deadline = time.monotonic() + DRAIN_SECONDS
            os.kill(self._process.pid, signal.SIGTERM)
        if at_once:
            self._deadline = 0.0

    def kill(self) -> None:
        """Kill what runs; for the end of the supervisor itself."""
        if self._process is not None:
            self.phase = Phase.DRAINING
            self._end("")

    def _start(self, of_others: Iterable[int]) -> None:
        # A connection that two processes use is broken for both.
        connections.close_all()
        self.alive, sign = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._identity = new_identity()
        arguments = (self.full_name, self.queues, self._identity, sign, [*of_others, self.alive])
        self._process = _fork.Process(target=run_worker, args=arguments, name=f"worker {self.full_name}")
        self._process.start()
        os.close(sign)
        lead_group(self._process.pid or 0)
        self._started_at = self._heard_at = time.monotonic()
        self.was_heard = False
        self.phase = Phase.RUNNING

    def _hear(self, now: float) -> bool:
        """Take the signs of life; False when the process has ended."""
        assert self.alive is not None  # noqa: S101 - only called while it runs
        try:
            while os.read(self.alive, 4096):
                self._heard_at, self.was_heard = now, True
        except BlockingIOError:
            return True
        return False

    def _end(self, how: str) -> None:
        """Kill what is left of the process group, wait for its end, and give back what it held."""
        assert self._process is not None and self.alive is not None  # noqa: S101 - it has been started
        assert self._process.pid is not None  # noqa: S101
        try:
            # Before it is waited for: until then its number belongs to nobody else.
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            logger.debug("%s: nothing left to kill.", self.full_name)
        self._process.join(DEATH_SECONDS)
        os.close(self.alive)
        self.alive = None
        is_recycled = self._process.exitcode == 0
        if self._process.exitcode is None:
            logger.error("%s: its worker cannot be killed; its lease has to run out.", self.full_name)
        else:
            with unless_away("give back what it held"):
                watchdog.release(self._identity)
                queue.release(self.queues)
        self._process = None
        if self.phase == Phase.DRAINING:
            self.phase = Phase.ENDED
            return
        self.phase = Phase.DOWN
        if is_recycled:
            logger.info("%s: its worker had done its share of operations; it is replaced.", self.full_name)
            return
        self._pause()
        message = f"{self.full_name}: its worker {how}; it is replaced."
        logger.error("%s", message)
        with unless_away("note it"):
            record("worker", message, level=LogLevel.WARNING, location=self.full_name)

    def _pause(self) -> None:
        now = time.monotonic()
        steady = now - self._started_at >= STEADY_SECONDS
        self._failures = 0 if steady else self._failures + 1
        pause = 0.0 if self._failures <= 1 else min(2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._deadline = now + pause


class Supervisor:
    """All workers of one ``run_location``: ``workers`` for each location, and one for its checks."""

    def __init__(self, locations: Sequence[DataLocation], workers: int) -> None:
        self._locations = [location.pk for location in locations]
        self.slots = [
            slot
            for location in locations
            for slot in (Slot(location, only_checks=True), *(Slot(location) for _ in range(workers)))
        ]
        self._pulse = Pulse("location")
        self._beaten: set[str] = set()
        self._stops = 0
        self._looked_at = time.monotonic()

    def run(self) -> None:
        """Until SIGTERM or SIGINT; a second one gives running operations no more time."""
        _load_everything()
        # Become the parent of descendants whose own is gone: not every init reaps them.
        if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            logger.warning("Programs of killed workers are left to the init process.")
        signalled, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        with unless_away("offer again what an earlier process had taken, and its checks"):
            queue.release({queue for each in self.slots for queue in each.queues})
            watchdog.release_checks(self._locations)
        try:
            while self._look():
                self._sleep(signalled)
        finally:
            signal.set_wakeup_fd(-1)
            for slot in self.slots:
                slot.kill()
        with unless_away("say that it has stopped"):
            self._pulse.stop({slot.full_name for slot in self.slots})

    def _look(self) -> bool:
        """Do what is due; whether anything is left to watch over."""
        now = time.monotonic()
        if now - self._looked_at >= 2 * ALIVE_SECONDS:  # this process was frozen itself
            for slot in self.slots:
                slot.forgive()
        self._looked_at = now
        for slot in self.slots:
            if self._stops:
                slot.stop(at_once=self._stops > 1)
            slot.look([each.alive for each in self.slots if each.alive is not None])
        _reap()
        if not self._stops:
            self._beat()
        return any(slot.phase != Phase.ENDED for slot in self.slots)

    def _beat(self) -> None:
        """When it is due, and at once when another location has come up."""
        workers = [each for each in self.slots if each.phase == Phase.RUNNING and not each.only_checks]
        running = {each.full_name for each in workers if each.was_heard}
        if running and (running - self._beaten or not self._pulse.seconds_left):
            with unless_away("beat"):
                self._pulse.beat(running)
        self._beaten = running

    def _sleep(self, signalled: int) -> None:
        """Until a worker gives a sign or ends, a signal comes, or something is due."""
        poll = select.poll()
        for descriptor in (signalled, *(each.alive for each in self.slots if each.alive is not None)):
            poll.register(descriptor, select.POLLIN)
        waits = [each.seconds_left for each in self.slots if each.phase != Phase.ENDED]
        poll.poll(min([*waits, self._pulse.seconds_left or 1.0, ALIVE_SECONDS]) * 1000)
        try:
            while os.read(signalled, 64):
                pass
        except BlockingIOError:
            return

    def _stop(self, _number: int, _frame: Any) -> None:
        self._stops += 1


def _reap() -> None:
    """Reap adopted processes, so that they do not stay as zombies."""
    own = {process.pid for process in active_children()}
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None or dead.si_pid in own:
            return
        os.waitpid(dead.si_pid, 0)


def _load_everything() -> None:
    """Import what workers need before they are forked: once, and in memory that they share."""
    for stage in PIPELINE:
        stage.load_operation()
    gc.collect()
    gc.freeze()
