"""The managers' loop: every stage's scan, dispatch, the watchdog and the totals, again at every notification.

Runs in ``run_managers``. A pass that found work is followed by another one; otherwise the loop waits for a notification
(ccatdc/common/db/notify.py), and looks by itself now and then. Several copies may run.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import connection

from ccatdc.common.db.notify import MANAGERS, Listener
from transfer.engine import dispatch, watchdog
from transfer.engine.database import DATABASE_AWAY, unless_away
from transfer.engine.heartbeats import Pulse
from transfer.operators.switching import end_maintenance
from transfer.runs.standing import StandingPipelines
from transfer.totals.rolling import RollUp

logger = logging.getLogger(__name__)

#: Seconds from the beginning of one pass to that of the next: notifications in between are answered by one.
PASS_SECONDS: Final = 0.1
#: Seconds that a failing step is left alone: doubled each time, up to the most.
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 300.0
#: Seconds between two tries to reach a database that is away.
RECONNECT_SECONDS: Final = 1.0


class Manager(Protocol):
    """What the loop needs of a stage's manager (transfer/managers/base.py)."""

    name: str
    waiting: list[dict[str, str]]

    def run_once(self) -> int:
        """One scan; how much work it found."""


@dataclass
class Step:
    """One part of a pass, and how it fared."""

    name: str
    call: Callable[[], int]
    failures: int = 0
    not_before: float = 0.0

    def run(self) -> int:
        """Do it, if it is not left alone after failures. A failure is logged and stops no other."""
        if time.monotonic() < self.not_before:
            return 0
        try:
            found = self.call()
        except DATABASE_AWAY:
            if connection.connection is None or not connection.is_usable():
                raise
            self._fail()
        except Exception:  # noqa: BLE001 - one failing manager must not stop the others
            self._fail()
        else:
            self.failures = 0
            return found
        return 0

    def _fail(self) -> None:
        pause = min(FIRST_PAUSE_SECONDS * 2.0**self.failures, LONGEST_PAUSE_SECONDS)
        self.failures += 1
        self.not_before = time.monotonic() + pause
        logger.exception("%s failed, next try in %.0f s.", self.name, pause)


class ManagerLoop:
    """All managers of one process. ``service`` is the name of their heartbeat."""

    def __init__(self, managers: Sequence[Manager], *, service: str = "managers") -> None:
        self.managers = managers
        self.service = service
        self.steps = [Step(manager.name, manager.run_once) for manager in managers]
        self.steps += [Step("maintenance", end_maintenance)]
        self.steps += [Step("dispatch", dispatch.dispatch_due), Step("watchdog", watchdog.watch)]
        self.steps += [Step("totals", RollUp().run), Step("standing pipelines", StandingPipelines().run)]
        self.stopping = False
        self._pulse = Pulse("managers")
        self._listener = Listener(MANAGERS)

    def run(self) -> None:
        signalled, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            while not self.stopping:
                self._pass_and_wait(signalled)
        finally:
            signal.set_wakeup_fd(-1)
            self._say_stopped()
            os.close(signalled)
            os.close(writer)

    def run_pass(self) -> int:
        """Every step once, as far as nobody asks to stop; how much work was found."""
        found = 0
        for step in self.steps:
            if self.stopping:
                break
            found += step.run()
            if not self._pulse.seconds_left:
                self.beat()
        return found

    def beat(self) -> None:
        """Write the heartbeat, with all that the managers could not do and why."""
        waiting = [reason for manager in self.managers for reason in manager.waiting]
        self._pulse.beat([self.service], waiting)

    def _pass_and_wait(self, signalled: int) -> None:
        """One pass, and the wait after it."""
        begun = time.monotonic()
        try:
            self._listener.listen()
            found = self.run_pass()
            wait = 0.0 if found else self._seconds_to_wait()
            if wait:
                self._listener.wait(wait, also=signalled)
        except DATABASE_AWAY as error:
            logger.warning("The database does not answer, waiting: %s", str(error).strip())
            connection.close()
            time.sleep(RECONNECT_SECONDS)
        rest = begun + PASS_SECONDS - time.monotonic()
        if rest > 0 and not self.stopping:
            time.sleep(rest)

    def _seconds_to_wait(self) -> float:
        """Until the poll, the next heartbeat, or the end of a failing step's pause."""
        now = time.monotonic()
        pauses = [step.not_before - now for step in self.steps if step.not_before > now]
        poll = float(settings.MANAGER_POLL_SECONDS)
        return max(0.01, min([poll, self._pulse.seconds_left, *pauses]))

    def _stop(self, _number: int, _frame: Any) -> None:
        self.stopping = True

    def _say_stopped(self) -> None:
        with unless_away("say that it has stopped"):
            self._pulse.stop([self.service])
