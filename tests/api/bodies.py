"""Bodies of calls, with fixed readable values; what a test is about it names."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID, uuid4

from datamgmt.models import DataLocation
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit, ObsUnit
from tests.factories.datamgmt import SourceLocationFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory, ObsUnitFactory

_numbers = count(1)

START = "/api/executed_obs_units/start"
FILES = "/api/raw_data_files/"
BULK = "/api/raw_data_files/bulk"


def finish_path(execution: ExecutedObsUnit | UUID | str) -> str:
    pk = execution.pk if isinstance(execution, ExecutedObsUnit) else execution
    return f"/api/executed_obs_units/{pk}/finish"


def start_body(unit: ObsUnit | None = None, **fields: Any) -> dict[str, Any]:
    """An observation begins."""
    return {
        "id": str(uuid4()),
        "obs_unit": (unit or ObsUnitFactory.create()).pk,
        "start_time": "2026-05-01T22:00:00Z",
        **fields,
    }


def finish_body(**fields: Any) -> dict[str, Any]:
    """It was completed."""
    return {"status": "completed", "end_time": "2026-05-01T22:30:00Z", **fields}


def file_body(
    execution: ExecutedObsUnit | None = None,
    *,
    module: InstrumentModule | None = None,
    location: DataLocation | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A file of Prime-Cam in its documented tree."""
    module = module or InstrumentModuleFactory.create()
    location = location or SourceLocationFactory.create()
    return {
        "id": str(uuid4()),
        "executed_obs_unit": str((execution or ExecutedObsUnitFactory.create()).pk),
        "instrument": module.instrument.short_name,
        "module": module.short_name,
        "source_location": location.full_name,
        "relative_path": f"17500/rfsoc01_drone1/r01d1_1750012345_{next(_numbers):03}.g3",
        "size": 1000,
        **fields,
    }
