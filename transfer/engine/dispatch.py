"""From PENDING to SCHEDULED with a message, and back; retry and cancel.

Between the managers, which write operations, and the runner, which claims them. The row decides; the message only wakes
a worker up. Row and message change in one transaction. Queues are kept short, so that priorities and breakers still
count.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError, InvalidTransition
from ccatdc.common.states import Status, transition
from transfer.engine import circuit_breaker, operation_log
from transfer.engine.queue import ListeningBroker, messages_of, queue_name
from transfer.models import Operation
from transfer.models.operations import CANCELLED, OperationQuerySet

#: Scheduled operations of one kind at one location; what is beyond stays pending.
QUEUE_DEPTH: Final = 8
#: Seconds after which a scheduled operation without a message is taken back.
LOST_MESSAGE_SECONDS: Final = 60.0


def submit(operation: Operation) -> bool:
    """Schedule ``operation`` and notify its worker, or say False.

    Not due, its place held back by a breaker, or its queue full.

    What is refused stays PENDING; :func:`dispatch_due` comes back to it.
    """
    with transaction.atomic():
        due = _rows().due().filter(pk=operation.pk).select_for_update(skip_locked=True, of=("self",))
        if not due or _room(operation.location_id, operation.operation_type) < 1:
            return False
        if not circuit_breaker.allowed([operation]):
            return False
        _schedule(operation)
    return True


def dispatch_due(limit: int = 200) -> int:
    """Schedule what is due, the most urgent first, as far as there is room in the queues.

    Returns how many.
    """
    places = _rows().due().order_by().values_list("location_id", "operation_type").distinct()
    done = 0
    for location_id, operation_type in list(places):
        room = min(_room(location_id, operation_type), limit - done)
        if room > 0:
            done += _dispatch_at(location_id, operation_type, room)
    return done


def schedule_lost_again() -> int:
    """Take back what is scheduled, but whose message is lost; returns how many."""
    stale = list(_rows().scheduled_long_ago(LOST_MESSAGE_SECONDS).select_related("location__site"))
    if not stale:
        return 0
    waiting = messages_of({queue_name(each.location, each.operation_type) for each in stale})
    lost = Operation.objects.filter(pk__in=[each.pk for each in stale if each.pk not in waiting])
    return sum(take_back(operation) for operation in lost)


def take_back(operation: Operation) -> bool:
    """SCHEDULED to PENDING, unless somebody has claimed it in the meantime."""
    try:
        transition(operation, Status.PENDING, where=Q(status=Status.SCHEDULED))
    except InvalidTransition:
        return False
    return True


def retry(operation: Operation, *, user: User | None, reason: str = "") -> None:
    """Try again now, with a clean count: what is FAILED, paused or waiting for its next attempt.

    Raises :class:`InvalidTransition` for anything else. Permission is the caller's business.
    """
    clean: dict[str, Any] = {
        "attempts": 0,
        "failures": 0,
        "waits_for": None,
        "lost_leases": 0,
        "run_after": Now(),
        "error_code": "",
        "error_message": "",
        "paused_at": None,
        "cancel_requested_at": None,
        "retry_requested_at": None,
        "finished_at": None,
    }
    try:
        with transaction.atomic():
            if not _rows().filter(pk=operation.pk, status=Status.PENDING).update(**clean):
                transition(operation, Status.PENDING, where=Q(status=Status.FAILED), **clean)
            operation.refresh_from_db()
            operation_log.note(operation, f"Retried by {user or 'the system'}. {reason}".strip())
            record("dispatch", f"Retry: {operation}.", about=operation, user=user, reason=reason)
            notify_managers()
    except IntegrityError as error:
        raise ConflictError(
            f"{operation} cannot be retried: another operation does the same work already.",
            code="operation.superseded",
            remedy="Follow the newer one; this one is history.",
        ) from error


def cancel(operation: Operation, *, user: User | None, reason: str = "") -> None:
    """End an operation that is not over: FAILED with the code ``operation.cancelled``.

    One that is IN_PROGRESS is asked to stop; its worker does so within seconds. Raises
    :class:`InvalidTransition` when it is over already. Permission is the caller's business.
    """
    message = f"Cancelled by {user or 'the system'}. {reason}".strip()
    with transaction.atomic():
        try:
            transition(
                operation,
                Status.FAILED,
                where=Q(status__in=[Status.PENDING, Status.SCHEDULED]),
                error_code=CANCELLED,
                error_message=message,
                finished_at=Now(),
            )
            operation_log.note(operation, message)
        except InvalidTransition as error:
            running = _rows().filter(pk=operation.pk, status=Status.IN_PROGRESS)
            if not running.update(cancel_requested_at=Now()):
                raise InvalidTransition(f"{operation} cannot be cancelled: it is over.") from error
            operation.refresh_from_db(fields=["status", "cancel_requested_at"])
        record("dispatch", f"Cancel: {operation}.", about=operation, user=user, reason=reason)
        notify_managers()


def _rows() -> OperationQuerySet:
    """Operations as rows of the base table: one query, and locks on that table only."""
    rows: OperationQuerySet = Operation.objects.non_polymorphic()
    return rows


def _dispatch_at(location_id: int, operation_type: str, room: int) -> int:
    with transaction.atomic():
        here = _rows().due().filter(location_id=location_id, operation_type=operation_type)
        locked = here.select_for_update(skip_locked=True, of=("self",))[:room]
        chosen = [row.pk for row in locked]
        operations = {each.pk: each for each in Operation.objects.filter(pk__in=chosen)}
        may_start = circuit_breaker.allowed(operations[pk] for pk in chosen)
        for operation in may_start:
            _schedule(operation)
    return len(may_start)


def _room(location_id: int, operation_type: str) -> int:
    """How many more operations of this kind this place may be given now."""
    scheduled = _rows().filter(location_id=location_id, operation_type=operation_type, status=Status.SCHEDULED)
    return QUEUE_DEPTH - int(scheduled.count())


def _schedule(operation: Operation) -> None:
    transition(operation, Status.SCHEDULED, scheduled_at=Now())
    queue = queue_name(operation.location, operation.operation_type)
    ListeningBroker(queue).enqueue(str(operation.pk))
