"""Reading how obs units are observed: modes, cadences of calibrations, configurations, inpar parameters, tiles, slots."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api.views import RowsViewSet
from planning.api import configuration_serializers as serializers
from planning.api import filters, rows
from planning.models import CalibrationCadence, ChaiInparParameter, ChaiTiling, ObsMode, PreScheduledSlot


class ObsModeViewSet(RowsViewSet[ObsMode]):
    """Observing modes."""

    queryset = rows.obs_modes()
    serializer_class = serializers.ObsModeSerializer
    filterset_class = filters.ObsModeFilter
    orders = ("id", "name", "-name")
    expands = ("instrument", "instrument.telescope")


class CadenceViewSet(RowsViewSet[CalibrationCadence]):
    """How often modules are calibrated; what is due stands in the list of available obs units."""

    queryset = rows.cadences()
    serializer_class = serializers.CadenceSerializer
    filterset_class = filters.CadenceFilter
    expands = ("instrument_module", "instrument_module.instrument", "obs_mode")


class ConfigurationViewSet(RowsViewSet[Any]):
    """How obs units are observed, each as what it is."""

    queryset = rows.configurations()
    serializer_class = serializers.ObservationConfigurationSerializer
    filterset_class = filters.ConfigurationFilter
    expands = ("tiling", "tiling.source")


class InparParameterViewSet(RowsViewSet[ChaiInparParameter]):
    """Parameters of CHAI's inpar files."""

    queryset = rows.inpar_parameters()
    serializer_class = serializers.InparParameterInFullSerializer
    filterset_class = filters.InparParameterFilter


class ChaiTilingViewSet(RowsViewSet[ChaiTiling]):
    """Tiles of large CHAI maps."""

    queryset = rows.tiles()
    serializer_class = serializers.ChaiTilingSerializer
    filterset_class = filters.ChaiTilingFilter
    orders = ("id", "tile_number", "priority")
    expands = ("source",)


class SlotViewSet(RowsViewSet[PreScheduledSlot]):
    """Times that are given away."""

    queryset = rows.slots()
    serializer_class = serializers.SlotSerializer
    filterset_class = filters.SlotFilter
    orders = ("id", "start_time", "-start_time", "end_time", "-end_time")
    expands = ("telescope",)
