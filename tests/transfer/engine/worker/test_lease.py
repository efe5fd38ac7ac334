"""A lease is renewed, reports progress, and ends its process when it cannot be kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from ccatdc.common.errors import LeaseLostError
from tests.factories.transfer import DeletionFactory
from transfer.engine.worker import lease as lease_module
from transfer.engine.worker import this_process
from transfer.engine.worker.lease import CancelRequested, Drain, Lease, clock
from transfer.models import Operation

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Where the process would end, only the thread does (fixture `ended`).
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reasons for which the process would have ended itself."""
    reasons: list[str] = []

    def end(reason: str) -> None:
        reasons.append(reason)
        raise SystemExit

    monkeypatch.setattr(lease_module, "end_process", end)
    return reasons


@pytest.fixture
def operation(settings: Any) -> Operation:
    """In progress; leases of 0.6 s are renewed every 0.1 s."""
    settings.LEASE_SECONDS = 0.6
    return DeletionFactory.create(in_progress=True, lease_until=timezone.now())


@pytest.fixture
def lease(operation: Operation) -> Iterator[Lease]:
    """Started, and stopped at the end."""
    lease = Lease(operation, "worker-1", granted=clock())
    lease.start()
    yield lease
    lease.stop()


def eventually(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_it_is_renewed_while_the_work_goes_on(operation: Operation, lease: Lease, ended: list[str]) -> None:
    time.sleep(1.5)
    operation.refresh_from_db()
    assert operation.lease_until is not None
    assert operation.lease_until > timezone.now()
    lease.check()
    assert ended == []


def test_progress_reaches_the_row(operation: Operation, lease: Lease) -> None:
    lease.check(500, 2000)
    assert eventually(lambda: Operation.objects.get().progress_bytes == 500)
    operation.refresh_from_db()
    assert operation.total_bytes == 2000
    first = operation.progress_at
    assert first is not None
    lease.check(500)
    time.sleep(0.3)
    operation.refresh_from_db()
    assert operation.progress_at == first
    lease.check(501)
    assert eventually(lambda: Operation.objects.get().progress_at != first)


def test_a_cancellation_is_noticed(operation: Operation, lease: Lease) -> None:
    lease.check()
    Operation.objects.filter(pk=operation.pk).update(cancel_requested_at=timezone.now())

    def cancelled() -> bool:
        try:
            lease.check()
        except CancelRequested:
            return True
        return False

    assert eventually(cancelled)


def test_a_draining_worker_is_told(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    lease.check()
    monkeypatch.setattr(this_process, "draining", True)
    with pytest.raises(Drain):
        lease.check()


def test_a_row_that_belongs_to_another_worker_ends_the_process(
    operation: Operation, lease: Lease, ended: list[str]
) -> None:
    Operation.objects.filter(pk=operation.pk).update(owner="worker-2")
    assert eventually(lambda: bool(ended))
    assert "somebody else" in ended[0]


def test_a_database_that_does_not_answer_ends_the_process_before_the_lease_does(
    operation: Operation, lease: Lease, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic()

    def fail(*_: object) -> None:
        raise OperationalError("no route to host")

    monkeypatch.setattr(lease, "_renew", fail)
    assert eventually(lambda: bool(ended))
    assert time.monotonic() - begun < 0.6
    assert "not renewed" in ended[0]


def test_without_a_lease_left_the_work_stops(operation: Operation) -> None:
    late = Lease(operation, "worker-1", granted=clock() - 0.7)
    with pytest.raises(LeaseLostError):
        late.check()


def test_stopped_it_neither_renews_nor_ends_the_process(operation: Operation, lease: Lease, ended: list[str]) -> None:
    lease.stop()
    Operation.objects.filter(pk=operation.pk).update(owner="worker-2")
    time.sleep(0.8)
    assert ended == []


def test_the_attempt_is_part_of_every_name(operation: Operation, lease: Lease) -> None:
    assert lease.attempt == f"{operation.pk}-1"


def test_more_than_was_planned_is_the_whole(operation: Operation, lease: Lease) -> None:
    Operation.objects.filter(pk=operation.pk).update(total_bytes=6)
    lease.check(10)

    def shown() -> tuple[int, int | None]:
        operation.refresh_from_db()
        return operation.progress_bytes, operation.total_bytes

    assert eventually(lambda: shown() == (10, 10))
