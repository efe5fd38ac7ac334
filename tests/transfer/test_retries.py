"""Waits grow and spread; breakers open, try again, and close."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import SystemLog
from ccatdc.common.errors import ConfigurationError, NoSpaceError, StorageError
from tests.factories.accounts import UserFactory
from tests.factories.transfer import DeletionFactory, LocationCheckFactory
from transfer import retries
from transfer.models import CircuitBreaker, Operation


def test_the_wait_doubles_up_to_its_maximum(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RETRY_BASE_SECONDS, settings.RETRY_MAX_SECONDS = 60.0, 3600.0
    monkeypatch.setattr("random.uniform", lambda _low, _high: 1.0)
    waits = [retries.backoff_seconds(failures) for failures in (1, 2, 3, 6, 7, 1000)]
    assert waits == [60, 120, 240, 1920, 3600, 3600]


def test_waits_are_spread_by_half(settings: Any) -> None:
    settings.RETRY_BASE_SECONDS = 60.0
    waits = [retries.backoff_seconds(1) for _ in range(200)]
    assert 30 <= min(waits) < 45
    assert 75 < max(waits) <= 90


@pytest.fixture
def operation(db: None) -> Operation:
    """Whose place fails."""
    return DeletionFactory.create()


def fail(operation: Operation, times: int) -> None:
    """The disk does not answer."""
    for _ in range(times):
        retries.record_failure(operation, StorageError("The disk did not answer."))


def test_a_breaker_opens_after_five_failures_in_a_row(operation: Operation) -> None:
    fail(operation, 4)
    assert retries.trials_allowed(operation.location_id, operation.operation_type) is None
    fail(operation, 1)
    assert retries.trials_allowed(operation.location_id, operation.operation_type) == 0
    breaker = CircuitBreaker.objects.open().get()
    wait = (breaker.next_trial_at or timezone.now()) - timezone.now()
    assert timedelta(minutes=4) < wait < timedelta(minutes=6)
    assert "did not answer" in SystemLog.objects.get().message


def test_a_success_in_between_starts_the_count_anew(operation: Operation) -> None:
    fail(operation, 4)
    retries.record_success(operation)
    fail(operation, 4)
    assert not CircuitBreaker.objects.open().exists()


def test_other_places_and_other_work_are_not_held_back(operation: Operation) -> None:
    fail(operation, 5)
    check = LocationCheckFactory.create(location=operation.location)
    assert retries.trials_allowed(check.location_id, check.operation_type) is None


@pytest.mark.parametrize(
    "error", [NoSpaceError("The buffer is full."), ConfigurationError("Not our bucket.")]
)
def test_what_is_not_the_fault_of_the_place_does_not_count(
    operation: Operation, error: Any
) -> None:
    for _ in range(6):
        retries.record_failure(operation, error)
    assert not CircuitBreaker.objects.exists()


def test_each_failed_trial_doubles_the_wait_up_to_an_hour(operation: Operation) -> None:
    waits = []
    fail(operation, 4)
    for _ in range(6):
        fail(operation, 1)
        waits.append(CircuitBreaker.objects.get().open_seconds)
    assert waits == [300, 600, 1200, 2400, 3600, 3600]


def test_a_successful_trial_closes_it(operation: Operation) -> None:
    fail(operation, 5)
    CircuitBreaker.objects.update(next_trial_at=timezone.now() - timedelta(seconds=1))
    assert retries.trials_allowed(operation.location_id, operation.operation_type) == 1
    retries.record_success(operation)
    assert retries.trials_allowed(operation.location_id, operation.operation_type) is None
    breaker = CircuitBreaker.objects.get()
    assert (breaker.failures, breaker.error_code) == (0, "")


def test_an_operator_may_close_it(operation: Operation) -> None:
    fail(operation, 5)
    user = UserFactory.create()
    retries.reset(CircuitBreaker.objects.get(), user=user)
    assert not CircuitBreaker.objects.open().exists()
    assert SystemLog.objects.filter(user=user, message__startswith="Reset").exists()
