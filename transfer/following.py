"""What follows, in the same transaction, when an operation changes its status.

The data model has some states twice on purpose: RawDataPackage.status repeats the status of its creation, and a package whose
way to the archive failed is FAILED until somebody retries. Both are kept here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from ccatdc.common.states import Status, transition_all
from datamgmt.models import RawDataPackage
from datamgmt.states import PackageState

if TYPE_CHECKING:
    from transfer.models.operations import Operation


def follow_operation(operation: Operation, to: str) -> None:
    """Mirror the status, and let the packages of the operation fail or come back with it."""
    _mirror(operation, to)
    if to == Status.FAILED:
        _move(operation.packages(), PackageState.FAILED)
    elif to == Status.PENDING and operation.packages().filter(state=PackageState.FAILED).exists():
        _move(operation.packages().filter(state=PackageState.FAILED), operation.state_on_the_way)


def _mirror(operation: Operation, to: str) -> None:
    if operation.mirror is None:
        return
    relation, field = operation.mirror
    related: models.Model = getattr(operation, relation)
    type(related)._base_manager.filter(pk=related.pk).update(**{field: to})
    setattr(related, field, to)


def _move(packages: models.QuerySet[RawDataPackage], state: str) -> None:
    transition_all(packages, state, field="state")
