"""One cluster from outside: start it, notice any death in it, drain it, kill it, start it anew.

Used by the supervisor of ``run_location``. Any death of any process ends the whole cluster: its
worker gives up what it does at the next check, then the process group is killed. What the dead ones
held goes back at once, and a new cluster takes their place.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections.abc import Iterable
from enum import Enum
from multiprocessing.process import BaseProcess
from typing import Final

from accounts.models import LogLevel, record
from transfer import broker, watchdog
from transfer.database import unless_away
from transfer.sentinel import bury_orphans, start_cluster
from transfer.worker_state import WorkerState

logger = logging.getLogger(__name__)

#: Seconds that a running operation gets to notice that it shall stop.
DRAIN_SECONDS: Final = 60.0
#: Seconds that a cluster may take to start, and to be gone after it was killed.
START_SECONDS: Final = 30.0
DEATH_SECONDS: Final = 10.0
#: A cluster that ran for so long is started anew at once; one that did not waits, ever longer.
STEADY_SECONDS: Final = 60.0
LONGEST_PAUSE_SECONDS: Final = 60.0
#: Seconds between two looks while something is starting or draining.
LOOK_SECONDS: Final = 0.02


class Phase(Enum):
    """Where a cluster is in its life."""

    DOWN = "down"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    ENDED = "ended"


class Cluster:
    """One set of processes for a location, and what has to happen to it next."""

    def __init__(self, full_name: str, queues: list[str]) -> None:
        self.full_name = full_name
        self.queues = queues
        self.phase = Phase.DOWN
        self.stopping = False
        self._state = WorkerState()
        self._sentinel: BaseProcess | None = None
        self._watched: dict[int, str] = {}
        self._since = 0.0
        self._deadline = 0.0
        self._failures = 0

    @property
    def descriptors(self) -> Iterable[int]:
        """Readable when a process ends."""
        return self._watched

    @property
    def seconds_left(self) -> float | None:
        """Seconds until :meth:`look` has something to do besides deaths; None: never."""
        match self.phase:
            case Phase.DOWN:
                return max(0.0, self._deadline - time.monotonic())
            case Phase.STARTING | Phase.DRAINING:
                return LOOK_SECONDS
        return None

    def look(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        match self.phase:
            case Phase.DOWN:
                if self.stopping:
                    self.phase = Phase.ENDED
                elif now >= self._deadline:
                    self._start()
            case Phase.STARTING:
                self._look_whether_started(now)
            case Phase.RUNNING:
                dead = self._dead()
                if dead:
                    self._report(dead)
                    self._drain(0.0 if "worker" in dead else DRAIN_SECONDS)
                elif self.stopping:
                    self._drain(DRAIN_SECONDS)
            case Phase.DRAINING:
                if not self._state.busy or now >= self._deadline or "worker" in self._dead():
                    self._kill()

    def stop(self, *, at_once: bool = False) -> None:
        """End it: drain, then kill. ``at_once`` gives a running operation no more time."""
        self.stopping = True
        if at_once:
            self._deadline = 0.0

    def kill(self) -> None:
        """Kill whatever runs; for the end of the supervisor itself."""
        self.stopping = True
        if self._sentinel is not None:
            self._kill()

    def _start(self) -> None:
        self._sentinel = start_cluster(self.full_name, self._state)
        self._since = time.monotonic()
        self.phase = Phase.STARTING
        self._watch("sentinel", self._sentinel.pid)

    def _look_whether_started(self, now: float) -> None:
        if self._state.started:
            roles = zip(("worker", "monitor", "pusher"), self._state.pids, strict=True)
            watched = [self._watch(role, pid) for role, pid in roles]
            if all(watched):
                self.phase = Phase.RUNNING
                logger.info("%s: running.", self.full_name)
            else:
                self._kill()
        elif self._dead() or now >= self._since + START_SECONDS or self.stopping:
            if not self.stopping:
                logger.error("%s: could not be started.", self.full_name)
            self._kill()

    def _watch(self, role: str, pid: int | None) -> bool:
        try:
            self._watched[os.pidfd_open(pid or 0)] = role
        except OSError as error:
            logger.warning("%s: its %s is gone already: %s", self.full_name, role, error)
            return False
        return True

    def _dead(self) -> list[str]:
        if not self._watched:
            return []
        poll = select.poll()
        for descriptor in self._watched:
            poll.register(descriptor, select.POLLIN)
        return [self._watched[descriptor] for descriptor, _ in poll.poll(0)]

    def _report(self, dead: list[str]) -> None:
        message = f"{self.full_name}: its {' and '.join(sorted(dead))} ended; started anew."
        logger.error("%s", message)
        with unless_away("note it"):
            record("worker", message, level=LogLevel.WARNING, location=self.full_name)

    def _drain(self, seconds: float) -> None:
        self._state.drain()
        self._deadline = time.monotonic() + seconds
        self.phase = Phase.DRAINING

    def _kill(self) -> None:
        """Kill the process group, wait for its end, and give back what it held."""
        assert self._sentinel is not None  # noqa: S101 - it has been started
        assert self._sentinel.pid is not None  # noqa: S101
        try:
            # Before the sentinel is waited for: until then its number belongs to nobody else.
            os.killpg(self._sentinel.pid, signal.SIGKILL)
        except ProcessLookupError:
            logger.debug("%s: nothing left to kill.", self.full_name)
        gone = self._wait_for_death()
        self._sentinel.join(DEATH_SECONDS)
        bury_orphans()
        for descriptor in self._watched:
            os.close(descriptor)
        self._watched = {}
        self._sentinel = None
        if gone:
            with unless_away("give back what they held"):
                watchdog.release(self._state.identity)
                broker.release(self.queues)
        self._state.close()
        self._state = WorkerState()
        self._rest()

    def _wait_for_death(self) -> bool:
        """Whether every process is gone within ``DEATH_SECONDS``; one in the kernel's hands is not."""
        deadline = time.monotonic() + DEATH_SECONDS
        while len(self._dead()) < len(self._watched):
            if time.monotonic() > deadline:
                logger.error("%s: its processes cannot be killed.", self.full_name)
                return False
            time.sleep(0.005)
        return True

    def _rest(self) -> None:
        now = time.monotonic()
        steady = now - self._since >= STEADY_SECONDS
        self._failures = 0 if steady else self._failures + 1
        pause = 0.0 if self._failures <= 1 else min(2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._deadline = now + pause
        self.phase = Phase.ENDED if self.stopping else Phase.DOWN
