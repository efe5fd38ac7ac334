"""Handing work over and taking it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ

from accounts.models import SystemLog
from ccatdc.common.errors import ConflictError, InvalidTransition
from ccatdc.common.states import Status
from datamgmt.states import PackageState
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import BufferLocationFactory
from tests.factories.transfer import DeletionFactory, LocationCheckFactory, LongTermArchiveTransferFactory
from transfer.engine import circuit_breaker, dispatch
from transfer.models import CircuitBreaker, Operation

pytestmark = pytest.mark.django_db


def deletions(count: int, **fields: Any) -> list[Operation]:
    """Batches, each its own subject."""
    return [DeletionFactory.create(subject=f"batch:{n}", **fields) for n in range(count)]


def open_breaker(operation: Operation, trial_in_seconds: float) -> CircuitBreaker:
    """As after five failures in a row."""
    return CircuitBreaker.objects.create(
        location=operation.location,
        scope="location",
        failures=5,
        opened_at=timezone.now(),
        next_trial_at=timezone.now() + timedelta(seconds=trial_in_seconds),
        open_seconds=300,
    )


def test_submit_schedules_with_a_message_in_the_queue_of_the_place() -> None:
    operation = DeletionFactory.create()
    assert dispatch.submit(operation)
    assert operation.status == Status.SCHEDULED
    message = OrmQ.objects.get()
    assert message.key == "ccat_output_buffer_deletion"
    assert message.payload == str(operation.pk)


def test_row_and_message_are_written_together_or_not_at_all() -> None:
    operation = DeletionFactory.create()
    with pytest.raises(RuntimeError), transaction.atomic():
        dispatch.submit(operation)
        raise RuntimeError
    operation.refresh_from_db()
    assert operation.status == Status.PENDING
    assert not OrmQ.objects.exists()


def test_submit_twice_writes_one_message() -> None:
    operation = DeletionFactory.create()
    assert dispatch.submit(operation)
    assert not dispatch.submit(operation)
    assert OrmQ.objects.count() == 1


@pytest.mark.parametrize("reason", ["later", "location", "site", "breaker"])
def test_what_is_not_due_is_not_submitted(reason: str) -> None:
    operation = DeletionFactory.create()
    match reason:
        case "later":
            operation.run_after = timezone.now() + timedelta(minutes=1)
        case "location":
            operation.location.active = False
            operation.location.save()
        case "site":
            operation.location.site.active = False
            operation.location.site.save()
        case "breaker":
            open_breaker(operation, 60)
    operation.save()
    assert not dispatch.submit(operation)
    assert dispatch.dispatch_due() == 0
    operation.refresh_from_db()
    assert operation.status == Status.PENDING
    assert not OrmQ.objects.exists()


def test_queues_stay_short_and_the_most_urgent_goes_first() -> None:
    deletions(20)
    urgent = DeletionFactory.create(subject="batch:urgent", priority=1)
    assert dispatch.dispatch_due() == dispatch.QUEUE_DEPTH
    assert dispatch.dispatch_due() == 0
    assert OrmQ.objects.count() == dispatch.QUEUE_DEPTH
    assert OrmQ.objects.order_by("id")[0].payload == str(urgent.pk)
    assert not dispatch.submit(Operation.objects.filter(status=Status.PENDING)[0])


def test_each_place_and_kind_has_its_own_room() -> None:
    deletions(20)
    check = LocationCheckFactory.create()
    elsewhere = DeletionFactory.create(location=BufferLocationFactory.create(name="other"))
    assert dispatch.dispatch_due() == dispatch.QUEUE_DEPTH + 2
    for operation in (check, elsewhere):
        operation.refresh_from_db()
        assert operation.status == Status.SCHEDULED


def test_a_limit_is_kept() -> None:
    deletions(5)
    assert dispatch.dispatch_due(limit=3) == 3


def test_after_its_wait_an_open_breaker_lets_one_through_at_a_time() -> None:
    first, second, *_ = deletions(4)
    open_breaker(first, -1)
    assert dispatch.dispatch_due() == 1
    assert dispatch.dispatch_due() == 0
    assert not dispatch.submit(second)
    first.refresh_from_db()
    circuit_breaker.record_success(first)
    assert dispatch.dispatch_due() == 3


@pytest.mark.django_db(transaction=True)
def test_rows_that_another_process_handles_are_skipped(locked_elsewhere: Any) -> None:
    locked, free = deletions(2)
    with locked_elsewhere(locked):
        assert not dispatch.submit(locked)
        assert dispatch.dispatch_due() == 1
    free.refresh_from_db()
    assert free.status == Status.SCHEDULED


def test_a_lost_message_is_noticed_after_a_minute() -> None:
    lost, waiting = deletions(2)
    dispatch.submit(lost)
    dispatch.submit(waiting)
    OrmQ.objects.order_by("id")[0].delete()
    assert dispatch.schedule_lost_again() == 0
    Operation.objects.update(scheduled_at=timezone.now() - timedelta(seconds=61))
    assert dispatch.schedule_lost_again() == 1
    for operation, status in ((lost, Status.PENDING), (waiting, Status.SCHEDULED)):
        operation.refresh_from_db()
        assert operation.status == status


def test_retry_starts_a_failed_operation_anew() -> None:
    operation = LongTermArchiveTransferFactory.create(failed=True, attempts=5, lost_leases=3)
    package = operation.raw_data_package
    type(package).objects.filter(pk=package.pk).update(state=PackageState.FAILED)
    user = UserFactory.create()
    dispatch.retry(operation, user=user, reason="New cable.")
    operation.refresh_from_db()
    package.refresh_from_db()
    assert operation.status == Status.PENDING
    assert (operation.attempts, operation.lost_leases, operation.error_code) == (0, 0, "")
    assert operation.finished_at is None
    assert package.state == PackageState.TRANSFERRING
    line = SystemLog.objects.get(object_id=str(operation.pk))
    assert (line.user, line.context["reason"]) == (user, "New cable.")
    assert dispatch.submit(operation)


def test_retry_lets_a_paused_operation_go_on() -> None:
    operation = DeletionFactory.create(paused_at=timezone.now(), lost_leases=8)
    dispatch.retry(operation, user=None)
    assert (operation.paused_at, operation.lost_leases) == (None, 0)
    assert dispatch.submit(operation)


def test_retry_ends_the_wait_for_the_next_attempt() -> None:
    operation = DeletionFactory.create(run_after=timezone.now() + timedelta(hours=1), attempts=2)
    dispatch.retry(operation, user=None)
    assert operation.attempts == 0
    assert dispatch.submit(operation)


@pytest.mark.parametrize("trait", ["in_progress", "completed"])
def test_what_runs_or_is_done_is_not_retried(trait: str) -> None:
    operation = DeletionFactory.create(**{trait: True})
    with pytest.raises(InvalidTransition):
        dispatch.retry(operation, user=None)


def test_what_another_operation_does_already_is_not_retried() -> None:
    failed = LocationCheckFactory.create(failed=True)
    LocationCheckFactory.create(location=failed.location)
    with pytest.raises(ConflictError, match="another operation"):
        dispatch.retry(failed, user=None)
    failed.refresh_from_db()
    assert failed.status == Status.FAILED


@pytest.mark.parametrize("scheduled", [False, True])
def test_cancel_ends_what_has_not_begun(scheduled: bool) -> None:
    operation = DeletionFactory.create()
    if scheduled:
        dispatch.submit(operation)
    user = UserFactory.create()
    dispatch.cancel(operation, user=user, reason="Wrong batch.")
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == (Status.FAILED, "operation.cancelled")
    assert operation.error_message == f"Cancelled by {user.username}. Wrong batch."
    assert SystemLog.objects.filter(user=user, object_id=str(operation.pk)).exists()


def test_cancel_asks_a_running_operation_to_stop() -> None:
    operation = DeletionFactory.create(in_progress=True)
    dispatch.cancel(operation, user=None)
    assert operation.status == Status.IN_PROGRESS
    assert operation.cancel_requested_at is not None


@pytest.mark.parametrize("trait", ["failed", "completed"])
def test_what_is_over_is_not_cancelled(trait: str) -> None:
    operation = DeletionFactory.create(**{trait: True})
    with pytest.raises(InvalidTransition, match="it is over"):
        dispatch.cancel(operation, user=None)
    assert not SystemLog.objects.exists()
