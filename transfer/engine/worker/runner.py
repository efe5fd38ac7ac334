"""Runs one operation: claim, work under a lease, completion. It has the only function that django-q2 ever calls.

Between a message in a location's queue and the stage's operation (transfer/operations). A message may be late, doubled
or lost: the claim is one conditional UPDATE of the row, which only one worker can win, and it removes the message in
the same transaction. From there django-q2's redelivery is irrelevant, however long the work takes.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django_q.exceptions import TimeoutException
from django_q.models import OrmQ

from ccatdc.common.errors import InvalidTransition, LeaseLostError
from ccatdc.common.logs import about_operation
from ccatdc.common.states import Status, transition
from datamgmt.models import DataLocation
from transfer.engine import dispatch, operation_log
from transfer.engine.database import DATABASE_AWAY
from transfer.engine.worker import completion, this_process
from transfer.engine.worker.completion import as_ccat_error
from transfer.engine.worker.lease import CancelRequested, Drain, Lease, clock
from transfer.engine.worker.logs import captured, log_name_of
from transfer.models import Operation
from transfer.models.operations import not_held_back
from transfer.pipeline import stage_of

logger = logging.getLogger(__name__)


def run_operation(pk: int, message: int | None = None) -> None:
    """Claim operation ``pk``, which removes the ``message`` that named it, and run it.

    Return without a word when it is not ours to run. Raises nothing of the operation's.
    """
    claimed = claim(pk, message)
    if claimed is not None:
        _run(*claimed)


def claim(pk: int, message: int | None = None) -> tuple[Operation, Lease] | None:
    """Make operation ``pk`` ours, with a fresh lease.

    None when it is not scheduled or may not run now.

    One that may not run now (its location was switched off, its breaker opened) goes back to PENDING.
    """
    with transaction.atomic():
        if message is not None:
            OrmQ.objects.filter(pk=message).delete()
        operation: Operation | None = Operation.objects.filter(pk=pk).first()
        if operation is None or operation.status != Status.SCHEDULED:
            return None
        owner, granted = this_process.new_owner(), clock()
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
                paused_at=None,
                finished_at=None,
                progress_bytes=0,
                progress_at=None,
                log_path=log_name_of(pk, claims),
            )
        except InvalidTransition:
            dispatch.take_back(operation)
            return None
        operation_log.note(operation, f"Started, claim {claims}.")
    return operation, Lease(operation, owner, granted=granted)


def _may_run() -> Q:
    """What must hold at the moment of the claim. Sub-queries look at other tables only (see ``not_held_back``)."""
    in_use = DataLocation.objects.non_polymorphic().active().filter(pk=OuterRef("location_id"))
    return Q(Exists(in_use), not_held_back(), run_after__lte=Now())


def _run(operation: Operation, lease: Lease) -> None:
    """Do the work and close the run, whatever happens."""
    with about_operation(**_ids_of(operation)), captured(operation.log_path):
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
            completion.complete(operation, handler, lease)
        except (Exception, TimeoutException) as raised:  # noqa: BLE001 - everything ends in the row
            _end_badly(operation, handler, lease, raised)
        else:
            _tell_finished(handler)
            logger.info("%s: completed.", operation)
        finally:
            lease.stop()


def _ids_of(operation: Operation) -> dict[str, str | int]:
    """What every line of the log says while it runs."""
    about = {
        "package": getattr(operation, "raw_data_package_id", None),
        "bundle": getattr(operation, "data_transfer_package_id", None),
    }
    ids: dict[str, str | int] = {
        "operation": operation.pk,
        "claim": operation.claims,
        "location": operation.location.full_name,
    }
    return ids | {name: str(key) for name, key in about.items() if key is not None}


def _end_badly(operation: Operation, handler: Any | None, lease: Lease, raised: BaseException) -> None:
    error = as_ccat_error(raised)
    if not connection.in_atomic_block:
        # One that broke is of no use for cleaning up; Django notices only when it is asked.
        connection.close_if_unusable_or_obsolete()
    wanted = isinstance(error, (Drain, CancelRequested))
    logger.warning("%s: %s (%s)", operation, error, error.code, exc_info=None if wanted else raised)
    # When the database went away, the end may be written though nobody heard of it: what a row may name by now is not
    # removed. If none does, the next claim removes it.
    is_certain = not isinstance(error, LeaseLostError) and not isinstance(raised, DATABASE_AWAY)
    if handler is not None and is_certain:
        lease.stop()
        lease.start()
        try:
            handler.clean_up()
        except Exception:
            logger.exception("Cleaning up after the failure failed as well.")
    lease.stop()
    completion.fail(operation, handler, lease, error)


def _tell_finished(handler: Any) -> None:
    """After the commit nothing can be undone: a mistake there is reported, no more."""
    try:
        handler.finished()
    except Exception:
        logger.exception("The work is done and recorded; what follows it failed.")
