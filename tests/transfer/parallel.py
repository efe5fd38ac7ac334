"""Several managers at the same moment: real threads, each with a connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connection

from transfer.managers.base import StageManager

Result = TypeVar("Result")
#: Seconds after which a test that waits for another thread gives up.
PATIENCE = 20


def at_once(*calls: Callable[[], Result]) -> list[Result]:
    """Call each in a thread of its own, beginning together; the results in the same order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        try:
            barrier.wait(PATIENCE)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(2 * PATIENCE) for future in [pool.submit(run, c) for c in calls]]


def race(manager_class: type[StageManager[Any]], count: int = 2) -> list[StageManager[Any]]:
    """So many managers of a stage make one pass each; all have found the work before any plans it."""
    barrier = threading.Barrier(count)

    class Racing(manager_class):  # type: ignore[misc,valid-type]
        def find_work(self) -> Iterable[Any]:
            work = list(super().find_work())
            barrier.wait(PATIENCE)
            return work

    managers: list[StageManager[Any]] = [Racing() for _ in range(count)]
    at_once(*(manager.run_once for manager in managers))
    return managers


def until_somebody_waits(seconds: float = 3) -> bool:
    """Until another session waits for a lock; whether one did in this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.01)
    return False
