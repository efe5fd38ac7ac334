"""Operations that do what a test says, in place of the stages' own; and a lease that never ends."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from ccatdc.common.errors import CcatError
from transfer import pipeline
from transfer.models import Operation

logger = logging.getLogger("transfer.operations.fake")


class NullLease:
    """A lease that is never lost; remembers the progress that was reported."""

    def __init__(self, attempt: str = "1-1") -> None:
        self.attempt = attempt
        self.reports: list[tuple[int | None, int | None]] = []

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        """Remember."""
        self.reports.append((done_bytes, total_bytes))


class FakeOperation:
    """Runs ``script`` as its work, and remembers the order in which it was called."""

    calls: ClassVar[list[str]] = []
    script: ClassVar[Callable[[FakeOperation], None] | None] = None
    failing: ClassVar[dict[str, BaseException]] = {}

    def __init__(self, operation: Operation, lease: Any) -> None:
        self.operation = operation
        self.lease = lease
        self.problems: list[dict[str, str]] = []
        self.read_from: set[int] = set()
        self._note("init")

    def prepare(self) -> None:
        """Called first."""
        self._note("prepare")

    def work(self) -> None:
        """The script."""
        self._note("work")
        logger.info("working on %s", self.operation.subject)
        script = type(self).script
        if script is not None:
            script(self)

    def verify(self) -> None:
        """Called after the work."""
        self._note("verify")

    def record(self) -> None:
        """In the closing transaction."""
        self._note("record")

    def record_failure(self, error: CcatError) -> None:
        """In the transaction that notes a failure."""
        self._note(f"record_failure {error.code}")

    def finished(self) -> None:
        """After the commit."""
        self._note("finished")

    def clean_up(self) -> None:
        """After a failure."""
        self._note("clean_up")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        error = self.failing.get(call.partition(" ")[0])
        if error is not None:
            raise error


def use(operation_class: str, manager_class: str | None = None) -> tuple[pipeline.Stage, ...]:
    """The table of stages with one class, by dotted name, for the operations of all of them."""
    return tuple(
        dataclasses.replace(stage, operation=operation_class, manager=manager_class or stage.manager)
        for stage in pipeline.PIPELINE
    )


@contextmanager
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeOperation]]:
    """Every stage runs :class:`FakeOperation` until the end of the block."""
    FakeOperation.calls = []
    FakeOperation.script = None
    FakeOperation.failing = {}
    monkeypatch.setattr(pipeline, "PIPELINE", use("tests.transfer.fakes.FakeOperation"))
    yield FakeOperation
    FakeOperation.script = None
    FakeOperation.failing = {}


class FakeManager:
    """Finds nothing, and waits for something."""

    name = "fake"

    def __init__(self) -> None:
        self.waiting: list[dict[str, str]] = [{"why": "Nothing to do in a test."}]

    def run_once(self) -> int:
        """Nothing."""
        return 0
