"""Step 0: an instrument reports that an observation begins, what it wrote, and that it is over.

Every report carries a UUID made by the client. The same report again changes nothing; another one under the same UUID
is refused and told what differs. What finishes leads to packaging (10).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts.models import ApiToken, User
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError, NotFoundError, RequestError
from ccatdc.common.states import transition
from datamgmt.filing.access import require_all_of, require_execution, require_obs_unit
from datamgmt.filing.configurations import Used, find_used, used_by
from datamgmt.filing.files import Registered, register_files
from datamgmt.filing.repeats import differences_between
from datamgmt.filing.reports import CONDITIONS, FileReport, FinishReport, StartReport, clock_problem
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from planning.scheduling.progress import note_end
from planning.weather.summaries import weather_of

__all__ = [
    "FileReport",
    "FinishReport",
    "Registered",
    "StartReport",
    "finish_execution",
    "register_files",
    "start_execution",
]


class ReportConflictError(ConflictError):
    """Another report was filed under this UUID; ``differences`` says field by field what."""

    default_code = "filing.differs"

    def __init__(self, message: str, differences: Mapping[str, Any]) -> None:
        super().__init__(
            f"{message}: {', '.join(differences)} differ.",
            remedy="Nothing was changed. A new observation needs a new UUID.",
        )
        self.extra = {"differences": dict(differences)}


def start_execution(report: StartReport, *, token: ApiToken | None = None) -> tuple[ExecutedObsUnit, bool]:
    """An observation begins. The execution, and whether this call made it.

    Raises RequestError (unknown obs unit or operator, impossible time, module configurations that do not fit the obs
    unit), NotAllowedError (``token`` is bound to another instrument), ReportConflictError (another report under this
    UUID).
    """
    _require_clock("start_time", report.start_time)
    obs_unit = (
        ObsUnit.objects.select_related("observing_program", "obs_mode__instrument")
        .filter(pk=report.obs_unit_id)
        .first()
    )
    if obs_unit is None:
        raise RequestError(f"There is no obs unit {report.obs_unit_id}.", code="filing.unknown_obs_unit")
    require_obs_unit(token, obs_unit)
    used = find_used(report, obs_unit, token)
    filed = _start_as_filed(report, used)
    stored = _stored(report.id)
    if stored is None:
        try:
            with transaction.atomic():
                return _create(report, obs_unit, used, filed, token), True
        except IntegrityError:
            stored = _stored(report.id)  # the same call came twice at once
            if stored is None:
                raise
    require_execution(token, stored)
    _require_same(stored, stored.filed.get("start", _start_of(stored)), filed)
    return stored, False


def finish_execution(
    execution_id: UUID, report: FinishReport, *, token: ApiToken | None = None
) -> tuple[ExecutedObsUnit, bool]:
    """An observation is over, however it ended. The execution, and whether this call ended it.

    ``finished_at`` is the database's clock: the settle delay counts from it. Raises NotFoundError, RequestError
    (impossible time), NotAllowedError (``token`` is bound to another instrument, or the execution has files of another
    one), ReportConflictError.
    """
    _require_clock("end_time", report.end_time)
    with transaction.atomic():
        execution = ExecutedObsUnit.objects.all_for_update([execution_id]).with_plan().first()
        if execution is None:
            raise NotFoundError(f"There is no execution {execution_id}.", code="filing.unknown_execution")
        require_all_of(token, execution)
        filed = _finish_as_filed(report)
        if execution.status != ExecutionStatus.RUNNING:
            _require_same(execution, execution.filed.get("finish", _finish_of(execution)), filed)
            return execution, False
        if report.end_time < execution.start_time:
            raise RequestError(
                f"The observation cannot end at {report.end_time.isoformat()}: "
                f"it began at {execution.start_time.isoformat()}.",
                code="filing.ends_before_start",
            )
        columns: dict[str, Any] = {
            "end_time": report.end_time,
            "finished_at": Now(),
            "quality": report.quality,
            "quality_comment": report.quality_comment,
            "filed": {**execution.filed, "finish": filed},
            **report.conditions,
        }
        execution.end_time = report.end_time
        columns["weather"] = weather_of(execution)
        transition(execution, report.status, **columns)
        note_end(execution)
        notify_managers()
    return execution, True


def _stored(pk: UUID) -> ExecutedObsUnit | None:
    return ExecutedObsUnit.objects.with_plan().with_module_configurations().filter(pk=pk).first()


def _create(
    report: StartReport, obs_unit: ObsUnit, used: Used, filed: dict[str, Any], token: ApiToken | None
) -> ExecutedObsUnit:
    operator = None
    if report.operator:
        operator = User.objects.filter(username=report.operator).first()
        if operator is None:
            raise RequestError(f"There is no user {report.operator!r}.", code="filing.unknown_operator")
    execution = ExecutedObsUnit.objects.create(
        id=report.id,
        obs_unit=obs_unit,
        start_time=report.start_time,
        parameters=report.parameters,
        operator=operator,
        reported_by_token=token,
        filed={"start": filed},
        **used.columns(),
    )
    execution.instrument_module_configurations.add(*used.module_configurations)
    return execution


def _start_as_filed(report: StartReport, used: Used) -> dict[str, Any]:
    return {
        "obs_unit": report.obs_unit_id,
        "start_time": _utc(report.start_time),
        "parameters": report.parameters,
        "operator": report.operator,
        **used.as_filed(),
    }


def _start_of(execution: ExecutedObsUnit) -> dict[str, Any]:
    """What an execution that was not filed would have been filed as."""
    return {
        "obs_unit": execution.obs_unit_id,
        "start_time": _utc(execution.start_time),
        "parameters": execution.parameters,
        "operator": execution.operator.username if execution.operator is not None else "",
        **used_by(execution),
    }


def _finish_as_filed(report: FinishReport) -> dict[str, Any]:
    return {
        "status": report.status,
        "end_time": _utc(report.end_time),
        "quality": report.quality,
        "quality_comment": report.quality_comment,
        **{name: report.conditions.get(name) for name in CONDITIONS},
    }


def _finish_of(execution: ExecutedObsUnit) -> dict[str, Any]:
    """What an execution that somebody closed in the portal would have been filed as."""
    return {
        "status": execution.status,
        "end_time": execution.end_time and _utc(execution.end_time),
        "quality": execution.quality,
        "quality_comment": execution.quality_comment,
        **{name: getattr(execution, name) for name in CONDITIONS},
    }


def _require_same(execution: ExecutedObsUnit, stored: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    differences = differences_between(stored, sent)
    if differences:
        raise ReportConflictError(f"Execution {execution.pk} was filed otherwise", differences)


def _require_clock(field: str, moment: datetime) -> None:
    reason = clock_problem(moment)
    if reason:
        raise RequestError(f"{field}: {reason}", code="filing.clock", remedy="Check the instrument's clock.")


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
