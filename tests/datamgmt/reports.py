"""Reports of instruments with fixed readable values; what a test is about it names."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from datamgmt.filing.executions import FileReport, FinishReport, StartReport
from planning.models import ExecutedObsUnit, ExecutionStatus
from tests.factories.accounts import ApiTokenFactory
from tests.factories.datamgmt import SourceLocationFactory
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import END, START, ObsUnitFactory


def start_report(**fields: Any) -> StartReport:
    given: dict[str, Any] = {
        "id": uuid4(),
        "start_time": START,
        "parameters": {"scan": "daisy", "radius": 1.5},
        **fields,
    }
    given.setdefault("obs_unit_id", ObsUnitFactory.create().pk)
    return StartReport(**given)


def finish_report(**fields: Any) -> FinishReport:
    given: dict[str, Any] = {
        "status": ExecutionStatus.COMPLETED,
        "end_time": END,
        "conditions": {"pwv_mm_mean": 0.4},
        "quality": "good",
        "quality_comment": "",
        **fields,
    }
    return FinishReport(**given)


def file_report(execution: ExecutedObsUnit, **fields: Any) -> FileReport:
    module = InstrumentModuleFactory.create()
    path = fields.pop("relative_path", f"17500/rfsoc01_drone1/{uuid4().hex}.g3")
    given: dict[str, Any] = {
        "id": uuid4(),
        "executed_obs_unit": execution.pk,
        "source_location": SourceLocationFactory.create().full_name,
        "relative_path": path,
        "name": path.rpartition("/")[2],
        "size": 1000,
        **fields,
    }
    if "instrument_module" not in given:
        given.setdefault("instrument", module.instrument.short_name)
        given.setdefault("module", module.short_name)
    return FileReport(**given)


def foreign_token() -> Any:
    """A token that is bound to CHAI."""
    return ApiTokenFactory.create(instrument=InstrumentFactory.create(short_name="chai"))
