"""Waits grow and spread; breakers open, try again, and close."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import SystemLog
from ccatdc.common.errors import CcatError, DataIntegrityError, NoSpaceError, StorageError, TransportError
from tests.factories.accounts import UserFactory
from tests.factories.transfer import (
    DataTransferFactory,
    DeletionFactory,
    LocationCheckFactory,
    RawDataPackageCreationFactory,
)
from tests.transfer.parallel import PATIENCE, at_once, until_somebody_waits
from transfer.engine import circuit_breaker, dispatch
from transfer.models import CircuitBreaker, Operation


def test_the_wait_doubles_up_to_its_maximum(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RETRY_BASE_SECONDS, settings.RETRY_MAX_SECONDS = 60.0, 3600.0
    monkeypatch.setattr("random.uniform", lambda _low, _high: 1.0)
    waits = [circuit_breaker.backoff_seconds(failures) for failures in (1, 2, 3, 6, 7, 1000)]
    assert waits == [60, 120, 240, 1920, 3600, 3600]


def test_waits_are_spread_by_half(settings: Any) -> None:
    settings.RETRY_BASE_SECONDS = 60.0
    waits = [circuit_breaker.backoff_seconds(1) for _ in range(200)]
    assert 30 <= min(waits) < 45
    assert 75 < max(waits) <= 90


@pytest.fixture
def operation(db: None) -> Operation:
    """Whose place fails."""
    return DeletionFactory.create()


def fail(operation: Operation, times: int, error: CcatError | None = None) -> None:
    """The disk does not answer."""
    with transaction.atomic():
        for _ in range(times):
            circuit_breaker.record_failure(operation, error or StorageError("The disk did not answer."))


def may_start(operation: Operation) -> bool:
    """Whether dispatch would schedule it now."""
    due = Operation.objects.non_polymorphic().due().filter(pk=operation.pk)
    return due.exists() and bool(circuit_breaker.allowed([operation]))


def make_trial_due() -> None:
    """The wait is over."""
    CircuitBreaker.objects.update(next_trial_at=timezone.now() - timedelta(seconds=1))


def test_a_breaker_opens_after_three_odd_failures_in_a_row(operation: Operation) -> None:
    fail(operation, 2)
    assert may_start(operation)
    fail(operation, 1)
    assert not may_start(operation)
    breaker = CircuitBreaker.objects.open().get()
    wait = (breaker.next_trial_at or timezone.now()) - timezone.now()
    assert timedelta(seconds=10) < wait < timedelta(seconds=16)
    assert "did not answer" in SystemLog.objects.get().message


@pytest.mark.parametrize("code", ["storage.s3_credentials", "storage.s3_bucket_missing", "location.marker_missing"])
def test_what_says_it_all_opens_it_at_once(operation: Operation, code: str) -> None:
    fail(operation, 1, StorageError("No.", code=code))
    assert not may_start(operation)


def test_a_success_in_between_starts_the_count_anew(operation: Operation) -> None:
    fail(operation, 2)
    circuit_breaker.record_success(operation)
    fail(operation, 2)
    assert not CircuitBreaker.objects.open().exists()


def test_a_check_of_the_location_is_never_held_back(operation: Operation) -> None:
    fail(operation, 3)
    assert may_start(LocationCheckFactory.create(location=operation.location))


def test_whoever_writes_to_the_place_is_held_back_too(operation: Operation) -> None:
    writer = RawDataPackageCreationFactory.create(destination_location=operation.location)
    assert may_start(writer)
    fail(operation, 3)
    assert not may_start(writer)


def test_a_full_place_is_read_and_cleaned_all_the_same(operation: Operation) -> None:
    writer = RawDataPackageCreationFactory.create(destination_location=operation.location)
    leaves = DataTransferFactory.create(location=operation.location, origin_location=operation.location)
    fail(writer, 1, place_of(operation, NoSpaceError("The buffer is full.")))
    assert not may_start(writer)
    assert may_start(operation)
    assert may_start(leaves)


def place_of(operation: Operation, error: CcatError) -> CcatError:
    """As a storage says it."""
    error.place = operation.location.uuid
    return error


@pytest.mark.django_db
def test_a_link_holds_back_transfers_over_it_and_nothing_else() -> None:
    transfer = DataTransferFactory.create()
    back = DataTransferFactory.create(
        location=transfer.destination_location,
        origin_location=transfer.destination_location,
        destination_location=transfer.origin_location,
    )
    cleaning = DeletionFactory.create(location=transfer.location)
    fail(transfer, 3, TransportError("The link is cut."))
    assert not may_start(transfer)
    assert may_start(back)
    assert may_start(cleaning)


def test_what_failed_for_another_place_waits_for_that(operation: Operation) -> None:
    """An archive transfer that could not read from a buffer that is away, say."""
    elsewhere = RawDataPackageCreationFactory.create()
    breaker = circuit_breaker.record_failure(
        elsewhere, place_of(operation, StorageError("Gone.", code="location.marker_missing"))
    )
    assert breaker is not None
    assert breaker.location == operation.location
    Operation.objects.filter(pk=elsewhere.pk).update(waits_for=breaker)
    assert not may_start(elsewhere)


def test_what_is_nobodys_place_opens_nothing(operation: Operation) -> None:
    fail(operation, 6, DataIntegrityError("Other bytes."))
    assert not CircuitBreaker.objects.exists()


def test_each_failed_trial_doubles_the_wait_up_to_two_minutes(operation: Operation) -> None:
    waits = []
    fail(operation, 2)
    for _ in range(6):
        fail(operation, 1)
        waits.append(CircuitBreaker.objects.get().open_seconds)
        make_trial_due()
    assert waits == [15, 30, 60, 120, 120, 120]


def test_failures_of_what_ran_when_it_opened_say_nothing_new(operation: Operation) -> None:
    fail(operation, 8)
    assert CircuitBreaker.objects.get().open_seconds == 15


def test_a_successful_trial_lets_everything_go_on_at_once(operation: Operation) -> None:
    waiting = DeletionFactory.create(location=operation.location, subject="batch:later")
    fail(operation, 3)
    hour = timezone.now() + timedelta(hours=1)
    Operation.objects.filter(pk=waiting.pk).update(run_after=hour, waits_for=CircuitBreaker.objects.get())
    make_trial_due()
    circuit_breaker.record_success(operation)
    waiting.refresh_from_db()
    assert may_start(waiting)
    breaker = CircuitBreaker.objects.get()
    assert (breaker.failures, breaker.error_code) == (0, "")


def test_a_check_that_finds_nothing_wrong_brings_the_trial_forward(operation: Operation) -> None:
    fail(operation, 3)
    circuit_breaker.place_answers(operation.location)
    assert CircuitBreaker.objects.open().exists()
    assert may_start(operation)


def test_a_check_closes_a_breaker_that_holds_nothing_back(operation: Operation) -> None:
    fail(operation, 3)
    dispatch.cancel(operation, user=None)
    circuit_breaker.place_answers(operation.location)
    assert not CircuitBreaker.objects.open().exists()


def test_an_operator_may_close_it(operation: Operation) -> None:
    fail(operation, 3)
    user = UserFactory.create()
    circuit_breaker.reset(CircuitBreaker.objects.get(), user=user)
    assert not CircuitBreaker.objects.open().exists()
    assert SystemLog.objects.filter(user=user, message__startswith="Reset").exists()


@pytest.mark.django_db(transaction=True)
def test_two_dispatchers_at_once_let_one_trial_through() -> None:
    batches = [DeletionFactory.create(subject=f"batch:{n}") for n in range(8)]
    for _ in range(5):
        Operation.objects.update(status="pending", scheduled_at=None)
        CircuitBreaker.objects.all().delete()
        fail(batches[0], 3)
        make_trial_due()
        assert sum(at_once(dispatch.dispatch_due, dispatch.dispatch_due)) == 1


@pytest.mark.django_db(transaction=True)
def test_who_asks_while_another_dispatcher_decides_waits_for_it() -> None:
    batches = [DeletionFactory.create(subject=f"batch:{n}") for n in range(2)]
    fail(batches[0], 3)
    make_trial_due()

    decided, may_end = threading.Event(), threading.Event()

    def decide() -> int:
        try:
            with transaction.atomic():
                chosen = circuit_breaker.allowed(Operation.objects.all())
                decided.set()
                assert may_end.wait(PATIENCE)
                return len(chosen)
        finally:
            connection.close()

    def dispatched() -> int:
        try:
            return dispatch.dispatch_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(decide)
        try:
            assert decided.wait(PATIENCE)
            second = pool.submit(dispatched)
            assert until_somebody_waits()
        finally:
            may_end.set()
        assert (first.result(PATIENCE), second.result(PATIENCE)) == (1, 1)
