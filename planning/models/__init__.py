"""What is to be observed, and what was: programs, sources, obs units, their configurations and slots, executions."""

from planning.models.cadences import CalibrationCadence
from planning.models.chai import ChaiInparParameter, ChaiTiling
from planning.models.configurations import (
    ChaiObservationConfiguration,
    ObservationConfiguration,
    PrimeCamObservationConfiguration,
)
from planning.models.executions import EXECUTION_COLOURS, ExecutedObsUnit, ExecutionQuality, ExecutionStatus
from planning.models.obs_units import OBS_UNIT_COLOURS, OBS_UNIT_MOVES, ObsMode, ObsUnit, ObsUnitState
from planning.models.programs import ObservingProgram, ProgramMembership, SubObservingProgram
from planning.models.slots import PreScheduledSlot, SlotStatus
from planning.models.sources import (
    ConstantElevationAzimuthRange,
    ConstantElevationSource,
    FixedSource,
    SolarSystemObject,
    Source,
)
from planning.models.weather import WeatherSample

__all__ = [
    "EXECUTION_COLOURS",
    "OBS_UNIT_COLOURS",
    "OBS_UNIT_MOVES",
    "CalibrationCadence",
    "ChaiInparParameter",
    "ChaiObservationConfiguration",
    "ChaiTiling",
    "ConstantElevationAzimuthRange",
    "ConstantElevationSource",
    "ExecutedObsUnit",
    "ExecutionQuality",
    "ExecutionStatus",
    "FixedSource",
    "ObsMode",
    "ObsUnit",
    "ObsUnitState",
    "ObservationConfiguration",
    "ObservingProgram",
    "PreScheduledSlot",
    "PrimeCamObservationConfiguration",
    "ProgramMembership",
    "SlotStatus",
    "SolarSystemObject",
    "Source",
    "SubObservingProgram",
    "WeatherSample",
]
