"""Reading the hierarchy that produces data. Telescopes, instruments and observatories are named by their short names."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api.views import RowsViewSet
from observatory.api import filters, rows, serializers
from observatory.models import DataStream, Instrument, InstrumentModule, Line, Observatory, Telescope


class ObservatoryViewSet(RowsViewSet[Observatory]):
    """All facilities."""

    queryset = rows.observatories()
    serializer_class = serializers.ObservatorySerializer
    filterset_class = filters.ObservatoryFilter
    expands = ("telescopes",)
    lookup_field = "short_name"
    lookup_value_converter = "slug"


class TelescopeViewSet(RowsViewSet[Telescope]):
    """All telescopes."""

    queryset = rows.telescopes()
    serializer_class = serializers.TelescopeSerializer
    filterset_class = filters.TelescopeFilter
    expands = ("observatory",)
    lookup_field = "short_name"
    lookup_value_converter = "slug"


class InstrumentViewSet(RowsViewSet[Instrument]):
    """All instruments with their modules."""

    queryset = rows.instruments()
    serializer_class = serializers.InstrumentSerializer
    filterset_class = filters.InstrumentFilter
    expands = ("telescope", "telescope.observatory")
    lookup_field = "short_name"
    lookup_value_converter = "slug"


class InstrumentModuleViewSet(RowsViewSet[InstrumentModule]):
    """All modules."""

    queryset = rows.modules()
    serializer_class = serializers.InstrumentModuleSerializer
    filterset_class = filters.InstrumentModuleFilter
    expands = ("instrument", "instrument.telescope")


class DataStreamViewSet(RowsViewSet[DataStream]):
    """Data streams: what modules write without regard to observations."""

    queryset = rows.data_streams()
    serializer_class = serializers.DataStreamSerializer
    filterset_class = filters.DataStreamFilter
    expands = ("instrument_module", "instrument_module.instrument")


class LineViewSet(RowsViewSet[Line]):
    """Spectral lines."""

    queryset = rows.lines()
    serializer_class = serializers.LineSerializer
    filterset_class = filters.LineFilter
    orders = ("id", "name", "-name", "rest_frequency_ghz", "-rest_frequency_ghz")
    expands = ("instrument_modules", "instrument_modules.instrument")


class ModuleConfigurationViewSet(RowsViewSet[Any]):
    """Module configurations, each as what it is."""

    queryset = rows.module_configurations()
    serializer_class = serializers.ModuleConfigurationSerializer
    filterset_class = filters.ModuleConfigurationFilter
    orders = ("id", "name", "-name")
    expands = ("instrument_module", "instrument_module.instrument", "line")
