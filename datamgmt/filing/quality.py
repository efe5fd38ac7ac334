"""The judgement of an observation that is over, or of a file, changed: by its instrument or an observer, with a line of
the audit log. Who made something of data that becomes bad is told.

The first judgement comes with the finish call (datamgmt/filing/executions.py) and stays in ``filed``: that call may be
repeated after it was amended.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import ApiToken, User, record
from ccatdc.common.bulk_actions import BulkAction, Outcome
from ccatdc.common.errors import ConflictError, NotFoundError
from datamgmt.filing.access import require_all_of, require_module
from datamgmt.lineage.graph import made_of_files, made_of_observation
from datamgmt.lineage.telling import tell_owners
from datamgmt.models import RawDataFile
from planning.models import ExecutedObsUnit, ExecutionQuality, ExecutionStatus
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
        was_bad = execution.quality == ExecutionQuality.BAD
        if _amend(execution, changes, user, reason, "updated_at"):
            note_end(execution)
        if execution.quality == ExecutionQuality.BAD and not was_bad:
            tell_owners(made_of_observation(execution.pk), f"The observation {execution}", execution.quality_comment)
    return execution


def amend_file_quality(
    file_id: UUID, changes: dict[str, str], *, user: User, token: ApiToken | None = None, reason: str = ""
) -> RawDataFile:
    """The same for one file, at any time after it was filed.

    Raises NotFoundError, NotAllowedError (``token`` is bound to another instrument than the file's module).
    """
    with transaction.atomic():
        rows = RawDataFile.objects.select_for_update(of=("self",)).select_related("instrument_module__instrument")
        file: RawDataFile | None = rows.filter(pk=file_id).first()
        if file is None:
            raise NotFoundError(f"There is no file {file_id}.", code="filing.unknown_file")
        require_module(token, file.instrument_module)
        was_bad = file.quality == ExecutionQuality.BAD
        _amend(file, changes, user, reason)
        if file.quality == ExecutionQuality.BAD and not was_bad:
            tell_owners(made_of_files([file]), f"The file {file}", file.quality_comment)
    return file


def judge_files(
    rows: QuerySet[Any], quality: ExecutionQuality, *, user: AbstractBaseUser | None, reason: str
) -> Outcome:
    """Set the quality of many files; the reason is their comment too. Permission is the caller's business."""

    def obstacle(file: RawDataFile) -> str:
        return f"{quality.label.lower()} already" if (file.quality, file.quality_comment) == (quality, reason) else ""

    def write(files: QuerySet[Any]) -> int:
        newly_bad = list(files.exclude(quality=quality)) if quality == ExecutionQuality.BAD else []
        count = files.update(quality=quality, quality_comment=reason)
        if newly_bad:
            what = f"The file {newly_bad[0]}{f' and {len(newly_bad) - 1} more' if len(newly_bad) > 1 else ''}"
            tell_owners(made_of_files(newly_bad), what, reason)
        return count

    return BulkAction(f"Quality {quality.label.lower()}", "filing", obstacle, write).on(rows, user=user, reason=reason)


def _amend(row: ExecutedObsUnit | RawDataFile, changes: dict[str, str], user: User, reason: str, *more: str) -> bool:
    """Store and record what differs; whether anything does."""
    before = {name: getattr(row, name) for name in changes}
    if before == changes:
        return False
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(update_fields=[*changes, *more])
    record(
        "filing",
        f"Quality of {row}: {_words(before)} became {_words(changes)}.{f' {reason}' if reason else ''}",
        about=row,
        user=user,
    )
    return True


def _words(values: dict[str, str]) -> str:
    return ", ".join(repr(value) for value in values.values())
