"""Circuit breakers: work that needs a place is held back after failures of that place, and goes on when it works again.

Between the runner, which reports how an operation ended, and dispatch, which asks what may start. The table of error
codes (ccatdc/common/error_codes.yaml) says which place a failure counts against, and after how many failures in a row a
breaker opens. An open breaker holds back all that needs the place. After a wait it lets one operation through at a
time; when that succeeds, everything that waited goes on at once. Failures of a place use up no attempts.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import LogLevel, User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import CcatError
from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from transfer.models import CircuitBreaker, Operation
from transfer.models.health import BreakerScope, needed_by
from transfer.pipeline import OperationType

_CLOSED: Final = {
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
    wait = min(settings.RETRY_BASE_SECONDS * 2.0 ** min(failures - 1, 30), settings.RETRY_MAX_SECONDS)
    return float(wait * random.uniform(0.5, 1.5))  # noqa: S311 - spread, not secrecy


def allowed(operations: Iterable[Operation]) -> list[Operation]:
    """Those that may start now: of all that an open breaker holds back, one at a time.

    In a transaction; open breakers are locked until its end, so that two dispatchers do not let two trials through.
    """
    breakers = list(CircuitBreaker.objects.open().order_by("pk").select_for_update())
    if not breakers:
        return list(operations)
    blocked = set(CircuitBreaker.objects.blocking().values_list("pk", flat=True))
    tried = {breaker.pk for breaker in breakers if _is_on_trial(breaker)}
    chosen = []
    for operation in operations:
        held = {breaker.pk for breaker in breakers if breaker.holds(operation)}
        if held & (blocked | tried):
            continue
        tried |= held
        chosen.append(operation)
    return chosen


def record_success(operation: Operation, read_from: Collection[int] = ()) -> None:
    """The places that it needed work: close their breakers. ``read_from`` are the keys of locations from which it read.

    In the transaction that completes the operation. A check of a location proves less (:func:`place_answers`).
    """
    if operation.operation_type == OperationType.MONITORING:
        return
    read = Q(scope=BreakerScope.LOCATION, location__in=read_from)
    for breaker in CircuitBreaker.objects.filter(needed_by(operation) | read).order_by("pk").select_for_update():
        _close(breaker, "works again")


def record_failure(operation: Operation, error: CcatError) -> CircuitBreaker | None:
    """Count a failure against the place at fault, and open its breaker when there were enough; that breaker.

    In the failure's transaction. None when nobody's place is to blame.
    """
    kind = error.kind
    if kind is None or not kind.breaker:
        return None
    breaker = _breaker_of(operation, error, kind.breaker)
    breaker.failures += 1
    breaker.error_code, breaker.error_message = error.code, str(error)
    if breaker.opened_at is not None:
        # Others that had begun before it opened fail too; only a trial says something new.
        if not CircuitBreaker.objects.blocking().filter(pk=breaker.pk).exists():
            _hold(breaker, 2 * breaker.open_seconds)
    elif breaker.failures >= kind.opens_after:
        breaker.opened_at = Now()
        _hold(breaker, settings.BREAKER_FIRST_SECONDS)
        record(
            "breaker",
            f"Opened after {breaker.failures} failures: {breaker}. {breaker.error_message}",
            about=breaker,
            level=LogLevel.WARNING,
            code=breaker.error_code,
        )
    breaker.save()
    return breaker


def place_answers(location: DataLocation) -> None:
    """A check of the location found nothing wrong: what waits for it is tried now. A breaker that holds nothing back
    closes.

    In a transaction.
    """
    here = Q(location=location) | Q(destination=location)
    found = list(CircuitBreaker.objects.open().filter(here).order_by("pk").select_for_update())
    for breaker in found:
        if Operation.objects.non_polymorphic().open().filter(breaker.involved()).exists():
            CircuitBreaker.objects.filter(pk=breaker.pk).update(next_trial_at=Now())
        else:
            _close(breaker, "answers again")
    if found:
        notify_managers()


def reset(breaker: CircuitBreaker, *, user: User | None) -> None:
    """Close a breaker on request: the reason has been removed. Permission is the caller's business."""
    with transaction.atomic():
        _close(CircuitBreaker.objects.select_for_update().get(pk=breaker.pk), "")
        record("breaker", f"Reset: {breaker}.", about=breaker, user=user)
        notify_managers()


def _breaker_of(operation: Operation, error: CcatError, scope: str) -> CircuitBreaker:
    """The breaker of a place, locked; made with its first failure."""
    if scope == BreakerScope.LINK:
        key = {"location_id": operation.location_id, "destination_id": operation.writes_to_id}
    else:
        named = DataLocation.objects.non_polymorphic().filter(uuid=error.place).first()
        key = {"location_id": named.pk if named is not None else operation.location_id}
    new = CircuitBreaker(scope=scope, **key)
    CircuitBreaker.objects.bulk_create([new], ignore_conflicts=True)
    return CircuitBreaker.objects.select_for_update().get(
        scope=scope, location=new.location_id, destination=new.destination_id
    )


def _is_on_trial(breaker: CircuitBreaker) -> bool:
    running = Operation.objects.non_polymorphic().filter(
        breaker.involved(), status__in=(Status.SCHEDULED, Status.IN_PROGRESS)
    )
    return bool(running.exists())


def _hold(breaker: CircuitBreaker, seconds: float) -> None:
    breaker.open_seconds = min(seconds, settings.BREAKER_LONGEST_SECONDS)
    breaker.next_trial_at = Now() + timedelta(seconds=breaker.open_seconds)


def _close(breaker: CircuitBreaker, why: str) -> None:
    """Closed; what waited for it goes on at once."""
    CircuitBreaker.objects.filter(pk=breaker.pk).update(**_CLOSED, last_success_at=Now())
    if breaker.opened_at is None:
        return
    waiting = Operation.objects.non_polymorphic().filter(waits_for=breaker, status=Status.PENDING)
    waiting.update(run_after=Now(), waits_for=None)
    if why:
        record("breaker", f"Closed: {breaker} {why}.", about=breaker)
