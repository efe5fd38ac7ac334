"""Reading the plan: programs, sub-programs, obs units, sources."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api_views import StrictDetailView, StrictListView
from planning.api import filters, rows, serializers, source_serializers
from planning.models import (
    ConstantElevationAzimuthRange,
    ObservingProgram,
    ObsUnit,
    SubObservingProgram,
)

READ = {"GET": "read:observations"}
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


class ProgramListView(StrictListView[ObservingProgram]):
    """All programs with their sub-programs."""

    needs = READ
    queryset = rows.programs()
    serializer_class = serializers.ProgramSerializer
    filterset_class = filters.ProgramFilter
    orders = ("id", "short_name", "-short_name")
    expands = ("instruments",)


class ProgramView(StrictDetailView[ObservingProgram]):
    """One program."""

    needs = READ
    queryset = rows.programs()
    serializer_class = serializers.ProgramSerializer
    expands = ProgramListView.expands


class SubProgramListView(StrictListView[SubObservingProgram]):
    """All sub-programs."""

    needs = READ
    queryset = rows.sub_programs()
    serializer_class = serializers.SubProgramSerializer
    filterset_class = filters.SubProgramFilter
    orders = ("id", "short_name", "-short_name")
    expands = ("program",)


class SubProgramView(StrictDetailView[SubObservingProgram]):
    """One sub-program."""

    needs = READ
    queryset = rows.sub_programs()
    serializer_class = serializers.SubProgramSerializer
    expands = SubProgramListView.expands


class ObsUnitListView(StrictListView[ObsUnit]):
    """Planned observations."""

    needs = READ
    queryset = rows.obs_units()
    serializer_class = serializers.ObsUnitSerializer
    filterset_class = filters.ObsUnitFilter
    orders = ("id", "name", "-name", "priority", "-priority", "updated_at", "-updated_at")
    expands = OF_OBS_UNIT


class ObsUnitView(StrictDetailView[ObsUnit]):
    """One planned observation."""

    needs = READ
    queryset = rows.obs_units()
    serializer_class = serializers.ObsUnitSerializer
    expands = OF_OBS_UNIT


class SourceListView(StrictListView[Any]):
    """What can be pointed at, each as what it is."""

    needs = READ
    queryset = rows.sources()
    serializer_class = source_serializers.SourceSerializer
    filterset_class = filters.SourceFilter
    orders = ("id", "name", "-name")
    expands = ("azimuth_ranges",)


class SourceView(StrictDetailView[Any]):
    """One source."""

    needs = READ
    queryset = rows.sources()
    serializer_class = source_serializers.SourceSerializer
    expands = SourceListView.expands


class AzimuthRangeListView(StrictListView[ConstantElevationAzimuthRange]):
    """Lines of the azimuth tables of fields."""

    needs = READ
    queryset = rows.azimuth_ranges()
    serializer_class = source_serializers.AzimuthRangeSerializer
    filterset_class = filters.AzimuthRangeFilter
    orders = ("id", "lst_start_h")


class AzimuthRangeView(StrictDetailView[ConstantElevationAzimuthRange]):
    """One line."""

    needs = READ
    queryset = rows.azimuth_ranges()
    serializer_class = source_serializers.AzimuthRangeSerializer
