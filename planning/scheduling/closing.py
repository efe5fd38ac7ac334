"""What an operator does about observations whose instrument never said that they ended: they are closed, so that their
files are packaged (10). Between filing (0) and packaging; used by the portal.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.db.models.functions import Now

from ccatdc.common.bulk_actions import BulkAction, Outcome
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import RequestError
from ccatdc.common.states import transition_all
from planning.models import ExecutedObsUnit, ExecutionStatus


def close_executions(rows: models.QuerySet[Any], *, user: AbstractBaseUser | None, reason: str) -> Outcome:
    """End executions that run, as aborted: when they ended nobody knows, so ``end_time`` stays empty. What is filed for
    them later goes into further packages. Permission is the caller's business.

    Raises RequestError without a ``reason``: it is all that is ever known of their end.
    """
    if not reason:
        raise RequestError(
            "Nobody said why these observations are closed.",
            code="execution.no_reason",
            remedy="Write what is known of how they ended.",
        )
    with transaction.atomic():
        outcome = BulkAction("Closed", "filing", _obstacle, _close).on(rows, user=user, reason=reason)
        if outcome.changed:
            notify_managers()
    return outcome


def _obstacle(execution: ExecutedObsUnit) -> str:
    return "" if execution.status == ExecutionStatus.RUNNING else "it is over already"


def _close(rows: models.QuerySet[Any]) -> None:
    transition_all(rows, ExecutionStatus.ABORTED, finished_at=Now())
