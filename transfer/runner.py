"""Running one operation.

Claim, work under a lease, end. The only function that django-q2 ever calls is here.

Between a message in a location's queue and the stage's operation (transfer/operations). The message
is a doorbell that may be late, doubled or lost: the claim is one conditional UPDATE of the row,
which only one worker can win, and it removes the message in the same transaction. From there
django-q2's redelivery is irrelevant, however long the work takes.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.dispatch import receiver
from django_q.exceptions import TimeoutException
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker, pre_execute

from ccatdc.common.errors import InvalidTransition, LeaseLostError
from ccatdc.common.states import Status, transition
from datamgmt.models import DataLocation
from transfer import dispatch, endings, oplog, worker_state
from transfer.database import DATABASE_AWAY
from transfer.failures import as_ccat_error
from transfer.lease import CancelRequested, Drain, Lease, clock
from transfer.logfiles import captured, log_path_of
from transfer.models import CircuitBreaker, Operation
from transfer.pipeline import stage_of

logger = logging.getLogger(__name__)

_message_id: int | None = None


@receiver(pre_execute, dispatch_uid="transfer.runner")
def remember_message(task: dict[str, Any], **_: Any) -> None:
    """Keep the id of the message that is being handled: the claim removes it."""
    global _message_id  # noqa: PLW0603 - a worker handles one message at a time
    _message_id = task.get("ack_id")


@receiver(post_execute_in_worker, dispatch_uid="transfer.runner")
def let_go_of_message(**_: Any) -> None:
    """Tell the pusher that it may take the next message."""
    worker_state.current().note_done()


def run_operation(pk: int) -> None:
    """Claim operation ``pk`` and run it.

    Return without a word when it is not ours to run. Raises nothing of the operation's.
    """
    state = worker_state.current()
    state.set_busy(True)
    if state.draining:
        state.set_busy(False)
        wait_to_be_stopped()
    try:
        claimed = claim(pk)
        if claimed is not None:
            _run(*claimed)
    finally:
        state.set_busy(False)


def wait_to_be_stopped() -> None:
    """Hold the message without touching it until the supervisor ends this process.

    It is offered again afterwards.
    """
    while True:
        time.sleep(60)


def claim(pk: int) -> tuple[Operation, Lease] | None:
    """Make operation ``pk`` ours, with a fresh lease.

    None when it is not scheduled or may not run now.

    One that may not run now (its location was switched off, its breaker opened) goes back to
    PENDING.
    """
    with transaction.atomic():
        _remove_message()
        operation: Operation | None = Operation.objects.filter(pk=pk).first()
        if operation is None or operation.status != Status.SCHEDULED:
            return None
        owner, granted = worker_state.current().new_owner(), clock()
        claims = operation.claims + 1
        try:
            transition(
                operation,
                Status.IN_PROGRESS,
                where=_may_run() & Q(claims=operation.claims),
                owner=owner,
                claims=claims,
                lease_until=Now() + timedelta(seconds=settings.LEASE_SECONDS),
                started_at=Now(),
                finished_at=None,
                progress_bytes=0,
                progress_at=None,
                log_path=str(log_path_of(pk, claims)),
            )
        except InvalidTransition:
            dispatch.take_back(operation)
            return None
        oplog.note(operation, f"Started, claim {claims}.")
    return operation, Lease(operation, owner, granted=granted)


def _may_run() -> Q:
    """What must hold at the moment of the claim. Sub-queries look at other tables only.

    A condition that joins would become ``id IN (SELECT …)``, whose answer a second worker may take
    from before the first one's claim; then both would win.
    """
    in_use = DataLocation.objects.non_polymorphic().active().filter(pk=OuterRef("location_id"))
    blocked = CircuitBreaker.objects.blocking().filter(
        location_id=OuterRef("location_id"), operation_type=OuterRef("operation_type")
    )
    return Q(Exists(in_use), ~Exists(blocked), run_after__lte=Now(), paused_at__isnull=True)


def _remove_message() -> None:
    if _message_id is not None:
        OrmQ.objects.filter(pk=_message_id).delete()


def _run(operation: Operation, lease: Lease) -> None:
    """Do the work and close the run, whatever happens."""
    with captured(Path(operation.log_path)):
        logger.info(
            "%s at %s: claim %s, attempt %s of %s.",
            operation,
            operation.location,
            operation.claims,
            operation.attempts + 1,
            operation.max_attempts,
        )
        lease.start()
        handler: Any | None = None
        try:
            handler = stage_of(operation.operation_type).load_operation()(operation, lease)
            handler.prepare()
            handler.work()
            handler.verify()
            lease.stop()
            endings.complete(operation, handler, lease)
        except (Exception, TimeoutException) as raised:  # noqa: BLE001 - everything ends in the row
            _end_badly(operation, handler, lease, raised)
        else:
            _tell_finished(handler)
            logger.info("%s: completed.", operation)
        finally:
            lease.stop()


def _end_badly(
    operation: Operation, handler: Any | None, lease: Lease, raised: BaseException
) -> None:
    error = as_ccat_error(raised)
    if not connection.in_atomic_block:
        # One that broke is of no use for cleaning up; Django notices only when it is asked.
        connection.close_if_unusable_or_obsolete()
    wanted = isinstance(error, (Drain, CancelRequested))
    logger.warning("%s: %s (%s)", operation, error, error.code, exc_info=None if wanted else raised)
    # When the database went away, the end may be written though nobody heard of it: what a row may
    # name by now is not removed. If none does, the next claim removes it.
    is_certain = not isinstance(error, LeaseLostError) and not isinstance(raised, DATABASE_AWAY)
    if handler is not None and is_certain:
        lease.stop()
        lease.start()
        try:
            handler.clean_up()
        except Exception:
            logger.exception("Cleaning up after the failure failed as well.")
    lease.stop()
    endings.fail(operation, handler, lease, error)


def _tell_finished(handler: Any) -> None:
    """After the commit nothing can be undone: a mistake there is reported, no more."""
    try:
        handler.finished()
    except Exception:
        logger.exception("The work is done and recorded; what follows it failed.")
