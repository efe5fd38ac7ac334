"""The passes of the managers that benchmarks/lists.py measures: each stage's look for work, and all
steps of the loop together. What they plan is rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from transfer.engine import dispatch, watchdog
from transfer.pipeline import PIPELINE


def all_passes() -> dict[str, Callable[[], object]]:
    """By label."""
    managers = [stage.load_manager()() for stage in PIPELINE]
    found: dict[str, Callable[[], object]] = {}
    for manager in managers:
        found[f"manager {manager.name}, first look"] = _look(type(manager))
        found[f"manager {manager.name}, next look"] = _undone(_next_look(manager))
    found["dispatch"] = _undone(dispatch.dispatch_due)
    found["watchdog"] = _undone(watchdog.watch)
    found["all managers, a pass"] = _undone(lambda: [each.run_once() for each in managers])
    return found


def _look(kind: Any) -> Callable[[], object]:
    """As the process of the managers does it when it starts."""
    return _undone(lambda: list(kind().find_work()))


def _next_look(manager: Any) -> Callable[[], object]:
    """As it does it again and again."""
    return lambda: list(manager.find_work())


def _undone(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        with transaction.atomic():
            work()
            transaction.set_rollback(True)

    return run
