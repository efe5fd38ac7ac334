"""Reading how obs units are observed: modes, configurations, inpar parameters, tiles, slots."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api_views import StrictDetailView, StrictListView
from planning.api import configuration_serializers as serializers
from planning.api import filters, rows
from planning.models import ChaiInparParameter, ChaiTiling, ObsMode, PreScheduledSlot

READ = {"GET": "read:observations"}


class ObsModeListView(StrictListView[ObsMode]):
    """Observing modes."""

    needs = READ
    queryset = rows.obs_modes()
    serializer_class = serializers.ObsModeSerializer
    filterset_class = filters.ObsModeFilter
    orders = ("id", "name", "-name")
    expands = ("instrument", "instrument.telescope")


class ObsModeView(StrictDetailView[ObsMode]):
    """One mode."""

    needs = READ
    queryset = rows.obs_modes()
    serializer_class = serializers.ObsModeSerializer
    expands = ObsModeListView.expands


class ConfigurationListView(StrictListView[Any]):
    """How obs units are observed, each as what it is."""

    needs = READ
    queryset = rows.configurations()
    serializer_class = serializers.ObservationConfigurationSerializer
    filterset_class = filters.ConfigurationFilter
    expands = ("tiling", "tiling.source")


class ConfigurationView(StrictDetailView[Any]):
    """One configuration."""

    needs = READ
    queryset = rows.configurations()
    serializer_class = serializers.ObservationConfigurationSerializer
    expands = ConfigurationListView.expands


class InparParameterListView(StrictListView[ChaiInparParameter]):
    """Parameters of CHAI's inpar files."""

    needs = READ
    queryset = rows.inpar_parameters()
    serializer_class = serializers.InparParameterInFullSerializer
    filterset_class = filters.InparParameterFilter


class InparParameterView(StrictDetailView[ChaiInparParameter]):
    """One parameter."""

    needs = READ
    queryset = rows.inpar_parameters()
    serializer_class = serializers.InparParameterInFullSerializer


class ChaiTilingListView(StrictListView[ChaiTiling]):
    """Tiles of large CHAI maps."""

    needs = READ
    queryset = rows.tiles()
    serializer_class = serializers.ChaiTilingSerializer
    filterset_class = filters.ChaiTilingFilter
    orders = ("id", "tile_number", "priority")
    expands = ("source",)


class ChaiTilingView(StrictDetailView[ChaiTiling]):
    """One tile."""

    needs = READ
    queryset = rows.tiles()
    serializer_class = serializers.ChaiTilingSerializer
    expands = ChaiTilingListView.expands


class SlotListView(StrictListView[PreScheduledSlot]):
    """Times that are given away."""

    needs = READ
    queryset = rows.slots()
    serializer_class = serializers.SlotSerializer
    filterset_class = filters.SlotFilter
    orders = ("id", "start_time", "-start_time", "end_time", "-end_time")
    expands = ("telescope",)


class SlotView(StrictDetailView[PreScheduledSlot]):
    """One slot."""

    needs = READ
    queryset = rows.slots()
    serializer_class = serializers.SlotSerializer
    expands = SlotListView.expands
