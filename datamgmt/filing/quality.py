"""The judgement of an observation that is over, changed: by its instrument or an observer, with a line of the audit log.

The first judgement comes with the finish call (datamgmt/filing/executions.py) and stays in ``filed``: that call may be
repeated after it was amended.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.models import ApiToken, User, record
from ccatdc.common.errors import ConflictError, NotFoundError
from datamgmt.filing.access import require_all_of
from planning.models import ExecutedObsUnit, ExecutionStatus
from planning.scheduling.progress import note_end


def amend_quality(
    execution_id: UUID, changes: dict[str, str], *, user: User, token: ApiToken | None = None, reason: str = ""
) -> ExecutedObsUnit:
    """Set ``quality`` and ``quality_comment``, or one of them. The same again changes nothing.

    Raises NotFoundError, NotAllowedError (``token`` is bound to another instrument), ConflictError while it is observed:
    then the finish call says it.
    """
    with transaction.atomic():
        execution = ExecutedObsUnit.objects.all_for_update([execution_id]).with_plan().first()
        if execution is None:
            raise NotFoundError(f"There is no execution {execution_id}.", code="filing.unknown_execution")
        require_all_of(token, execution)
        if execution.status == ExecutionStatus.RUNNING:
            raise ConflictError(
                f"Execution {execution_id} is not over.",
                code="filing.not_finished",
                remedy="Say its quality when you finish it.",
            )
        before = {name: getattr(execution, name) for name in changes}
        if before == changes:
            return execution
        for name, value in changes.items():
            setattr(execution, name, value)
        execution.save(update_fields=[*changes, "updated_at"])
        record(
            "filing",
            f"Quality of {execution}: {_words(before)} became {_words(changes)}.{f' {reason}' if reason else ''}",
            about=execution,
            user=user,
        )
        note_end(execution)
    return execution


def _words(values: dict[str, str]) -> str:
    return ", ".join(repr(value) for value in values.values())
