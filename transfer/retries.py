"""When to try again: the wait after a failure, and the circuit breaker that spares a broken place.

Between the runner, which reports how an operation ended, and dispatch, which asks whether a place
may be given more. A breaker belongs to one kind of work at one location: after ``OPENS_AFTER``
retryable failures in a row it holds everything back, then lets one operation through at a time
until one succeeds. Failures that do not count as attempts (a full disk) do not open it.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from accounts.models import LogLevel, User, record
from ccatdc.common.errors import CcatError
from ccatdc.common.wake import wake_managers
from transfer.models import CircuitBreaker, Operation

#: Retryable failures in a row after which a breaker opens.
OPENS_AFTER: Final = 5
#: Seconds until the first trial of an open breaker, and the most after doubling.
FIRST_TRIAL_SECONDS: Final = 300.0
LONGEST_TRIAL_SECONDS: Final = 3600.0
_CLOSED = {
    "failures": 0,
    "opened_at": None,
    "next_trial_at": None,
    "open_seconds": 0.0,
    "error_code": "",
    "error_message": "",
}


def backoff_seconds(failures: int) -> float:
    """Seconds to wait after the ``failures``-th failure.

    Doubled each time, capped, and spread so that retries do not meet.
    """
    wait = min(
        settings.RETRY_BASE_SECONDS * 2.0 ** min(failures - 1, 30), settings.RETRY_MAX_SECONDS
    )
    return float(wait * random.uniform(0.5, 1.5))  # noqa: S311 - spread, not secrecy


def trials_allowed(location_id: int, operation_type: str) -> int | None:
    """How many operations an open breaker lets through at a time (0 or 1); None: it is closed."""
    breakers = CircuitBreaker.objects.of(location_id, operation_type)
    if not breakers.open().exists():
        return None
    return 0 if breakers.blocking().exists() else 1


def record_success(operation: Operation) -> None:
    """The place works: close its breaker. In the transaction that completes the operation."""
    breakers = CircuitBreaker.objects.of(operation.location_id, operation.operation_type)
    for breaker in breakers.exclude(failures=0).select_for_update():
        was_open = breaker.opened_at is not None
        _close(breaker)
        if was_open:
            record("breaker", f"Closed: {breaker} works again.", about=breaker)


def record_failure(operation: Operation, error: CcatError) -> None:
    """Count a failure against the place, and open its breaker when there were enough.

    In the failure's transaction.
    """
    if not (error.retryable and error.counts):
        return
    CircuitBreaker.objects.bulk_create(
        [
            CircuitBreaker(
                location_id=operation.location_id, operation_type=operation.operation_type
            )
        ],
        ignore_conflicts=True,
    )
    breaker = (
        CircuitBreaker.objects.of(operation.location_id, operation.operation_type)
        .select_for_update()
        .get()
    )
    breaker.failures += 1
    breaker.error_code, breaker.error_message = error.code, str(error)
    if breaker.failures >= OPENS_AFTER:
        _open(breaker)
    breaker.save()


def reset(breaker: CircuitBreaker, *, user: User | None) -> None:
    """Close a breaker by hand: the reason has been removed. Permission is the caller's business."""
    with transaction.atomic():
        _close(CircuitBreaker.objects.select_for_update().get(pk=breaker.pk))
        record("breaker", f"Reset: {breaker}.", about=breaker, user=user)
        wake_managers()


def _open(breaker: CircuitBreaker) -> None:
    if breaker.opened_at is None:
        breaker.open_seconds = FIRST_TRIAL_SECONDS
        record(
            "breaker",
            f"Opened after {breaker.failures} failures: {breaker}. {breaker.error_message}",
            about=breaker,
            level=LogLevel.WARNING,
            code=breaker.error_code,
        )
        breaker.opened_at = Now()
    else:
        breaker.open_seconds = min(2 * breaker.open_seconds, LONGEST_TRIAL_SECONDS)
    breaker.next_trial_at = Now() + timedelta(seconds=breaker.open_seconds)


def _close(breaker: CircuitBreaker) -> None:
    CircuitBreaker.objects.filter(pk=breaker.pk).update(**_CLOSED)
