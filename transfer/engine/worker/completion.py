"""How a run of an operation ends: COMPLETED, back to PENDING, or FAILED. One transaction, and only by its owner.

The last part of transfer/engine/worker/runner.py. Whatever an operation raised becomes one of our errors, whose code
says whether a retry helps and whether it uses up an attempt. Every change here names the owner, so that a worker whose
lease was given to another one changes nothing.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django_q.exceptions import TimeoutException

from accounts.models import LogLevel, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.error_table import kind_of
from ccatdc.common.errors import CcatError, ExternalError, InvalidTransition, LeaseLostError, NoSpaceError, StorageError
from ccatdc.common.states import Status, transition
from transfer.engine import circuit_breaker, operation_log
from transfer.engine.database import DATABASE_AWAY
from transfer.engine.worker import this_process
from transfer.engine.worker.lease import CancelRequested, Drain, Lease
from transfer.models import CircuitBreaker, Operation
from transfer.pipeline import OperationType

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def as_ccat_error(raised: BaseException) -> CcatError:
    """The error to write into the row.

    ``OSError`` is the storage's, anything unknown is our own mistake.
    """
    if isinstance(raised, CcatError):
        return raised
    if isinstance(raised, OSError):
        if raised.errno in _FULL:
            return NoSpaceError(f"No space left: {raised}.")
        return StorageError(f"{type(raised).__name__}: {raised}.", code="storage.os_error")
    if isinstance(raised, DATABASE_AWAY):
        # It concerns everybody, not this operation: it uses up no attempt.
        return ExternalError(f"The database did not answer: {raised}", code="database.unavailable")
    if isinstance(raised, TimeoutException):
        return ExternalError(f"The time limit ended it: {raised}", code="operation.timeout")
    return CcatError(
        f"{type(raised).__name__}: {raised}",
        remedy="This is a mistake in the program: the log of the operation has the traceback.",
        retryable=True,
    )


logger = logging.getLogger(__name__)

#: With less of the lease left (s) the closing transaction is not tried once more.
_LAST_TRY_SECONDS: Final = 2.0


def complete(operation: Operation, handler: Any, lease: Lease) -> None:
    """Close a run that succeeded.

    The row, what ``handler.record()`` writes and the breaker, all or nothing.

    Raises :class:`LeaseLostError` when somebody else owns the operation, and whatever ``record()`` raises.
    """

    def close() -> None:
        _require_ours(operation, lease)
        # First what was made, then the status that promises it: constraints compare the two.
        handler.record()
        transition(
            operation,
            Status.COMPLETED,
            where=Q(owner=lease.owner),
            problems=handler.problems,
            error_code="",
            error_message="",
            lease_until=None,
            lost_leases=0,
            finished_at=Now(),
            **_whole(operation, lease),
        )
        circuit_breaker.record_success(operation, handler.read_from)
        operation_log.note(operation, "Completed.")
        # After a check nothing is to be planned: what it changes is told by the breaker.
        if operation.operation_type != OperationType.MONITORING:
            notify_managers()

    try:
        # What a check found is found again; hours of copying are worth all the time that a stop leaves.
        _while_leased(lease, close, until_stopped=operation.operation_type == OperationType.MONITORING)
    except InvalidTransition as error:
        if not _rows(operation, lease).filter(status=Status.COMPLETED).exists():
            raise LeaseLostError(str(error)) from error
        # The connection broke after the commit: it is done.


def fail(operation: Operation, handler: Any | None, lease: Lease, error: CcatError) -> None:
    """Close a run that did not succeed.

    Another attempt later, or FAILED. A lost lease writes nothing.
    """
    if isinstance(error, LeaseLostError):
        logger.warning("%s: another worker owns it now; nothing is written.", operation)
        return
    try:
        _while_leased(lease, lambda: _close_failed(operation, handler, lease, error), until_stopped=True)
    except InvalidTransition:
        logger.warning("%s: another worker owns it now; its failure is not written.", operation)


def _close_failed(operation: Operation, handler: Any | None, lease: Lease, error: CcatError) -> None:
    cancelled = _rows(operation, lease).filter(cancel_requested_at__isnull=False).exists()
    if cancelled and not isinstance(error, CancelRequested):
        error = CancelRequested("Cancelled while it ran.")
    breaker = None if isinstance(error, Drain) else circuit_breaker.record_failure(operation, error)
    to, fields, message = _verdict(operation, error, breaker)
    transition(operation, to, where=Q(owner=lease.owner), lease_until=None, lost_leases=0, **_progress(lease), **fields)
    operation_log.note(operation, message)
    if not isinstance(error, Drain):
        _tell(handler, error)
    if to == Status.FAILED:
        record(
            "runner",
            f"{operation} at {operation.location}: {message}",
            about=operation,
            level=LogLevel.INFO if isinstance(error, CancelRequested) else LogLevel.ERROR,
            code=error.code,
        )
    notify_managers()


def _verdict(
    operation: Operation, error: CcatError, breaker: CircuitBreaker | None
) -> tuple[Status, dict[str, Any], str]:
    """Where the operation goes, with which fields, and a line for people."""
    if isinstance(error, Drain):
        return (Status.PENDING, {"owner": "", "run_after": Now()}, "Given back: the worker was stopped.")
    fields: dict[str, Any] = {"error_code": error.code, "error_message": str(error)}
    over = {"finished_at": Now()}
    if not error.retryable:
        return Status.FAILED, fields | over, str(error)
    failures = operation.failures + 1
    fields |= {"failures": failures, "failed_at": Now(), "waits_for": breaker}
    if error.consumes_attempt or _place_is_well(operation, breaker):
        attempts = fields["attempts"] = operation.attempts + 1
        if attempts >= operation.max_attempts:
            return Status.FAILED, fields | over, f"{error} Failed {attempts} times: given up."
    wait = circuit_breaker.backoff_seconds(failures)
    fields |= {"owner": "", "run_after": Now() + timedelta(seconds=wait)}
    if breaker is not None and breaker.opened_at is not None:
        return Status.PENDING, fields, f"{error} It goes on when that is over."
    return Status.PENDING, fields, f"{error} Next attempt in {wait:.0f} s."


def _place_is_well(operation: Operation, breaker: CircuitBreaker | None) -> bool:
    """Whether other work succeeded at the place since this operation last failed there: then the fault may be the
    operation's own, and uses up attempts. What says everything at once (a wrong key, a disk that is not mounted) is the
    place's.
    """
    if breaker is None or breaker.last_success_at is None or operation.failed_at is None:
        return False
    kind = kind_of(breaker.error_code)
    is_certain = kind is not None and kind.opens_after == 1
    return not is_certain and breaker.last_success_at > operation.failed_at


def _tell(handler: Any | None, error: CcatError) -> None:
    """Let the operation write what it learned.

    A mistake there must not keep the status from being written.
    """
    if handler is None:
        return
    try:
        with transaction.atomic():
            handler.record_failure(error)
    except DATABASE_AWAY:
        raise
    except Exception:
        logger.exception("What the operation learned from its failure could not be written.")


def _while_leased(lease: Lease, change: Callable[[], None], *, until_stopped: bool) -> None:
    """Run ``change`` in a transaction; again when the database was away, while the lease lasts, or until this process is
    asked to stop: the end of the lease says the same then.

    Hours of work would be lost otherwise when PostgreSQL is restarted just at their end.
    """
    while True:
        try:
            with transaction.atomic():
                change()
        except DATABASE_AWAY as error:
            if lease.remaining() < _LAST_TRY_SECONDS or (until_stopped and this_process.draining):
                raise
            logger.warning("The database went away while the end was written, again: %s", error)
            connection.close()
            time.sleep(1)
        else:
            return


def _require_ours(operation: Operation, lease: Lease) -> None:
    """Lock the row until the end of the transaction; InvalidTransition when it is not ours."""
    held = _rows(operation, lease).filter(status=Status.IN_PROGRESS)
    if not held.select_for_update(of=("self",)).exists():
        raise InvalidTransition(f"{operation} is not ours to complete any more.")


def _rows(operation: Operation, lease: Lease) -> Any:
    return Operation.objects.non_polymorphic().filter(pk=operation.pk, owner=lease.owner)


def _whole(operation: Operation, lease: Lease) -> dict[str, Any]:
    """Progress ends at 100 %: what was done is all there was; what reports no bytes has done what was planned."""
    done, total = lease.progress()
    whole = done or total or operation.total_bytes
    return {"progress_bytes": whole or 0, "total_bytes": whole}


def _progress(lease: Lease) -> dict[str, Any]:
    done, total = lease.progress()
    fields = {"progress_bytes": done}
    if total is not None:
        fields["total_bytes"] = total
    return fields
