"""What is to be observed, and what was: programs, sources, obs units, executions."""

from planning.models.executions import (
    EXECUTION_COLOURS,
    ExecutedObsUnit,
    ExecutionQuality,
    ExecutionStatus,
)
from planning.models.obs_units import ObsMode, ObsUnit, ObsUnitState
from planning.models.programs import ObservingProgram, SubObservingProgram
from planning.models.sources import (
    ConstantElevationSource,
    FixedSource,
    SolarSystemObject,
    Source,
)

__all__ = [
    "EXECUTION_COLOURS",
    "ConstantElevationSource",
    "ExecutedObsUnit",
    "ExecutionQuality",
    "ExecutionStatus",
    "FixedSource",
    "ObsMode",
    "ObsUnit",
    "ObsUnitState",
    "ObservingProgram",
    "SolarSystemObject",
    "Source",
    "SubObservingProgram",
]
