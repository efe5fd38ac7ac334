"""Status propagation: what changes in other rows, in the same transaction, when an operation changes its status.

The data model has some states twice on purpose. RawDataPackage.status repeats the status of its creation, and a package
whose way to the archive failed is FAILED until somebody retries. Both are kept here and nowhere else. The copies that a
cancelled deletion had taken are given back.
"""

from __future__ import annotations

from django.db import models

from ccatdc.common.states import Status, transition_all
from datamgmt.states import PackageState
from transfer.models import Deletion, Operation
from transfer.models.operations import CANCELLED
from transfer.retention.deletions import release


def propagate_status(operation: Operation, to: str) -> None:
    """Mirror the status, and let what the operation is about fail or come back with it."""
    operation = operation.get_real_instance()
    _mirror(operation, to)
    if to == Status.FAILED:
        # What is archived stays so: only a replica was not made.
        lost = operation.packages().exclude(state=PackageState.ARCHIVED)
        transition_all(lost, PackageState.FAILED, field="state")
        if isinstance(operation, Deletion) and operation.error_code == CANCELLED:
            release(operation)
    elif to == Status.PENDING:
        failed = operation.packages().filter(state=PackageState.FAILED)
        transition_all(failed, operation.state_on_the_way, field="state")


def _mirror(operation: Operation, to: str) -> None:
    if operation.mirror is None:
        return
    relation, field = operation.mirror
    related: models.Model = getattr(operation, relation)
    type(related)._base_manager.filter(pk=related.pk).update(**{field: to})
    setattr(related, field, to)
