"""Takes back the operations of dead workers: expired leases, and operations whose message was lost, go back to PENDING.

Runs in the managers' loop, and after every death that a supervisor sees. A killed worker costs time, never data: its
operation starts anew under the next claim, whose number is part of every name that it writes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import LogLevel, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import InvalidTransition
from ccatdc.common.states import Status, transition
from transfer.engine import dispatch, operation_log
from transfer.models import Operation
from transfer.models.operations import CANCELLED, MAX_LOST_LEASES, OperationQuerySet
from transfer.pipeline import OperationType

logger = logging.getLogger(__name__)

LOST: Final = "operation.lease_lost"
PAUSED: Final = "operation.paused"
#: Seconds until an operation that lost its worker starts again: doubled each time, up to the most.
FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
#: The same for one that is paused.
FIRST_PAUSE_SECONDS: Final = 900.0
LONGEST_PAUSE_SECONDS: Final = 6 * 3600.0


def watch() -> int:
    """One round: expired leases and lost messages; how many operations moved. Two queries when idle."""
    return recover() + dispatch.schedule_lost_again()


def recover() -> int:
    """Give back every operation whose lease has expired; returns how many.

    Attempts stay as they are: nobody knows that the operation is to blame. One that lost its lease ``MAX_LOST_LEASES``
    times in a row without any progress is paused and reported: it goes on after a longer wait.
    """
    return sum(_give_back(pk) for pk in list(_rows().lease_expired().values_list("pk", flat=True)))


def release(identity: str) -> int:
    """Give back at once what a worker owned whose process is known to be dead; returns how many.

    ``identity`` is the beginning of its owner tokens (transfer/engine/worker/this_process.py).
    """
    held = _rows().filter(status=Status.IN_PROGRESS, owner__startswith=identity)
    if not held.update(lease_until=Now()):
        return 0
    return recover()


def release_checks(locations: Iterable[int]) -> int:
    """Give back the checks of these locations (keys) when their workers start: an earlier process that was killed with
    its host would keep each until its lease ends, and the place would seem not to answer. One that another process
    is at begins anew, which harms nothing. Returns how many.
    """
    held = _rows().filter(
        status=Status.IN_PROGRESS, operation_type=OperationType.MONITORING, location__in=list(locations)
    )
    if not held.update(lease_until=Now()):
        return 0
    return recover()


def _give_back(pk: int) -> int:
    with transaction.atomic():
        locked = _rows().lease_expired().filter(pk=pk).select_for_update(skip_locked=True)
        if not locked:
            return 0
        operation = Operation.objects.get(pk=pk)
        moved = operation.progress_at is not None
        lost_leases = 0 if moved else operation.lost_leases + 1
        try:
            if operation.cancel_requested_at is not None:
                _end_cancelled(operation)
            elif lost_leases >= MAX_LOST_LEASES:
                _pause(operation, lost_leases)
            else:
                _wait(operation, lost_leases)
        except InvalidTransition:
            return 0
        notify_managers()
    logger.warning("%s: its worker is gone; now %s.", operation, operation.status)
    return 1


def _wait(operation: Operation, lost_leases: int) -> None:
    seconds = min(FIRST_WAIT_SECONDS * 2.0**lost_leases, LONGEST_WAIT_SECONDS)
    message = f"The worker {operation.owner} died or was cut off while it ran."
    transition(
        operation,
        Status.PENDING,
        where=Q(owner=operation.owner),
        lost_leases=lost_leases,
        owner="",
        lease_until=None,
        run_after=Now() + timedelta(seconds=seconds),
        error_code=LOST,
        error_message=message,
    )
    operation_log.note(operation, message)


def _pause(operation: Operation, lost_leases: int) -> None:
    seconds = min(FIRST_PAUSE_SECONDS * 2.0 ** (lost_leases - MAX_LOST_LEASES), LONGEST_PAUSE_SECONDS)
    message = (
        f"Paused for {seconds / 60:.0f} minutes: {lost_leases} workers in a row were lost without any progress. "
        "It may be what kills them (memory?): look at the workers' logs. Resume starts it now."
    )
    transition(
        operation,
        Status.PENDING,
        where=Q(owner=operation.owner),
        lost_leases=lost_leases,
        owner="",
        lease_until=None,
        paused_at=Now(),
        run_after=Now() + timedelta(seconds=seconds),
        error_code=PAUSED,
        error_message=message,
    )
    operation_log.note(operation, message)
    record(
        "watchdog",
        f"{operation} at {operation.location}: {message}",
        about=operation,
        level=LogLevel.WARNING,
        code=PAUSED,
    )


def _end_cancelled(operation: Operation) -> None:
    message = "Cancelled; its worker was lost before it could say so."
    transition(
        operation,
        Status.FAILED,
        where=Q(owner=operation.owner),
        lease_until=None,
        error_code=CANCELLED,
        error_message=message,
        finished_at=Now(),
    )
    operation_log.note(operation, message)


def _rows() -> OperationQuerySet:
    rows: OperationQuerySet = Operation.objects.non_polymorphic()
    return rows
