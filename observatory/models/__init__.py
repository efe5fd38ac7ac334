"""What produces data: the hierarchy, its module configurations, and the spectral lines that it can observe."""

from observatory.models.configurations import (
    ChaiModuleConfiguration,
    InstrumentModuleConfiguration,
    ModuleConfigurationType,
    PrimeCamModuleConfiguration,
    Sideband,
    VelocityFrame,
)
from observatory.models.hierarchy import Instrument, InstrumentModule, InstrumentType, Observatory, Telescope
from observatory.models.lines import Line
from observatory.models.streams import DataStream

__all__ = [
    "ChaiModuleConfiguration",
    "DataStream",
    "Instrument",
    "InstrumentModule",
    "InstrumentModuleConfiguration",
    "InstrumentType",
    "Line",
    "ModuleConfigurationType",
    "Observatory",
    "PrimeCamModuleConfiguration",
    "Sideband",
    "Telescope",
    "VelocityFrame",
]
