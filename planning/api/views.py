"""Reading the plan: programs, sub-programs, obs units, sources."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api.views import RowsViewSet
from planning.api import filters, rows, serializers, source_serializers
from planning.models import ConstantElevationAzimuthRange, ObservingProgram, ObsUnit, SubObservingProgram

#: What rows about an obs unit can carry along of it.
OF_OBS_UNIT = (
    "program",
    "sub_program",
    "source",
    "source.azimuth_ranges",
    "obs_mode",
    "obs_mode.instrument",
    "telescope",
    "instrument_module_configurations",
    "instrument_module_configurations.instrument_module",
    "instrument_module_configurations.instrument_module.instrument",
    "instrument_module_configurations.line",
    "observation_configuration",
    "observation_configuration.tiling",
    "slots",
)


class ProgramViewSet(RowsViewSet[ObservingProgram]):
    """All programs with their sub-programs."""

    queryset = rows.programs()
    serializer_class = serializers.ProgramSerializer
    filterset_class = filters.ProgramFilter
    orders = ("id", "short_name", "-short_name")
    expands = ("instruments",)


class SubProgramViewSet(RowsViewSet[SubObservingProgram]):
    """All sub-programs."""

    queryset = rows.sub_programs()
    serializer_class = serializers.SubProgramSerializer
    filterset_class = filters.SubProgramFilter
    orders = ("id", "short_name", "-short_name")
    expands = ("program",)


class ObsUnitViewSet(RowsViewSet[ObsUnit]):
    """Planned observations."""

    queryset = rows.obs_units()
    serializer_class = serializers.ObsUnitSerializer
    filterset_class = filters.ObsUnitFilter
    orders = ("id", "name", "-name", "priority", "-priority", "updated_at", "-updated_at")
    expands = OF_OBS_UNIT


class SourceViewSet(RowsViewSet[Any]):
    """What can be pointed at, each as what it is."""

    queryset = rows.sources()
    serializer_class = source_serializers.SourceSerializer
    filterset_class = filters.SourceFilter
    orders = ("id", "name", "-name")
    expands = ("azimuth_ranges",)


class AzimuthRangeViewSet(RowsViewSet[ConstantElevationAzimuthRange]):
    """Lines of the azimuth tables of fields."""

    queryset = rows.azimuth_ranges()
    serializer_class = source_serializers.AzimuthRangeSerializer
    filterset_class = filters.AzimuthRangeFilter
    orders = ("id", "lst_start_h")
