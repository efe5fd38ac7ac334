"""The processes of the data center as children: started, watched, restarted, ended.

A child gets SIGTERM from the kernel when this process dies, however it dies, so nothing is left. It leads a session of
its own: Ctrl-C reaches this process only, which ends the others in order.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ccatdc.common.errors import ExternalError
from ccatdc.dev import processes
from ccatdc.dev.demo.options import REPOSITORY

_PATIENCE_SECONDS = 15.0
_KILLED_SECONDS = 5.0
#: A child that ends this often in so many seconds has a reason that a restart does not remove.
_DEATHS, _WITHIN_SECONDS = 3, 60.0
_RESTART_PAUSE_SECONDS = 0.5
_POLL_SECONDS = 0.05


class Child:
    """One process that must run as long as we do. Started from the main thread, whose end would be taken for ours."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._environment = environment
        self._arguments = arguments
        self._log = log
        self._deaths: deque[float] = deque(maxlen=_DEATHS)
        self._start()

    def _start(self) -> None:
        self._begin = processes.size_of(self._log)
        self._process = processes.start_bound(
            [sys.executable, *self._arguments],
            log=self._log,
            last_signal=signal.SIGTERM,
            environment={**os.environ, "PYTHONPATH": str(REPOSITORY), **self._environment},
        )

    def watch(self, say: Callable[[str], None]) -> None:
        """Restart it when it ended; when it keeps ending, ExternalError with the end of its log."""
        status = self._process.poll()
        if status is None:
            return
        self._end_group()  # its own children, if it could not
        self._deaths.append(time.monotonic())
        if len(self._deaths) == _DEATHS and self._deaths[-1] - self._deaths[0] < _WITHIN_SECONDS:
            raise ExternalError(
                f"Process {self.name!r} ended {_DEATHS} times, the last with status {status}. "
                f"{self._log} ends:\n{processes.tail(self._log, start=self._begin)}",
                code="demo.child_died",
                remedy="\nMend the reason and start again: what was begun goes on.",
            )
        say(f"Process {self.name!r} ended with status {status}; started again, see {self._log}")
        time.sleep(_RESTART_PAUSE_SECONDS)
        self._start()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait until it and all of its own children are gone; from ``deadline`` on by force."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        self._end_group()
        self._process.wait()

    def _end_group(self) -> None:
        """The child is the leader of its process group: what is left of that is left of it."""
        end = time.monotonic() + _KILLED_SECONDS
        with suppress(ProcessLookupError):
            while time.monotonic() < end:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.poll()
                time.sleep(_POLL_SECONDS)


class Children:
    """All of them, in the order in which they are started; they end together."""

    def __init__(self, log: Path, say: Callable[[str], None]) -> None:
        self._log = log
        self._say = say
        self._all: list[Child] = []

    def start(self, name: str, *arguments: str, **environment: str) -> None:
        """Start ``python arguments`` with these variables besides ours; its output goes to ``<log>/<name>.log``."""
        self._all.append(Child(name, arguments, self._log / f"{name.replace(' ', '-')}.log", environment))

    def watch(self) -> None:
        """Look after all of them once; see :meth:`Child.watch`."""
        for child in self._all:
            child.watch(self._say)

    def stop(self) -> None:
        """End all: first asked, at once; who does not is ended by force."""
        for child in self._all:
            child.terminate()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for child in self._all:
            child.wait(deadline)
        self._all.clear()
