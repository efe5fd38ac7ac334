"""Reading the hierarchy that produces data. Telescopes, instruments and observatories are named by their short names."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api_views import StrictDetailView, StrictListView
from observatory.api import filters, rows, serializers
from observatory.models import Instrument, InstrumentModule, Line, Observatory, Telescope

READ = {"GET": "read:observations"}


class ObservatoryListView(StrictListView[Observatory]):
    """All facilities."""

    needs = READ
    queryset = rows.observatories()
    serializer_class = serializers.ObservatorySerializer
    filterset_class = filters.ObservatoryFilter
    expands = ("telescopes",)


class ObservatoryView(StrictDetailView[Observatory]):
    """One facility."""

    needs = READ
    queryset = rows.observatories()
    serializer_class = serializers.ObservatorySerializer
    lookup_field = "short_name"
    expands = ("telescopes",)


class TelescopeListView(StrictListView[Telescope]):
    """All telescopes."""

    needs = READ
    queryset = rows.telescopes()
    serializer_class = serializers.TelescopeSerializer
    filterset_class = filters.TelescopeFilter
    expands = ("observatory",)


class TelescopeView(StrictDetailView[Telescope]):
    """One telescope."""

    needs = READ
    queryset = rows.telescopes()
    serializer_class = serializers.TelescopeSerializer
    lookup_field = "short_name"
    expands = ("observatory",)


class InstrumentListView(StrictListView[Instrument]):
    """All instruments with their modules."""

    needs = READ
    queryset = rows.instruments()
    serializer_class = serializers.InstrumentSerializer
    filterset_class = filters.InstrumentFilter
    expands = ("telescope", "telescope.observatory")


class InstrumentView(StrictDetailView[Instrument]):
    """One instrument."""

    needs = READ
    queryset = rows.instruments()
    serializer_class = serializers.InstrumentSerializer
    lookup_field = "short_name"
    expands = InstrumentListView.expands


class InstrumentModuleListView(StrictListView[InstrumentModule]):
    """All modules."""

    needs = READ
    queryset = rows.modules()
    serializer_class = serializers.InstrumentModuleSerializer
    filterset_class = filters.InstrumentModuleFilter
    expands = ("instrument", "instrument.telescope")


class InstrumentModuleView(StrictDetailView[InstrumentModule]):
    """One module."""

    needs = READ
    queryset = rows.modules()
    serializer_class = serializers.InstrumentModuleSerializer
    expands = InstrumentModuleListView.expands


class LineListView(StrictListView[Line]):
    """Spectral lines."""

    needs = READ
    queryset = rows.lines()
    serializer_class = serializers.LineSerializer
    filterset_class = filters.LineFilter
    orders = ("id", "name", "-name", "rest_frequency_ghz", "-rest_frequency_ghz")
    expands = ("instrument_modules", "instrument_modules.instrument")


class LineView(StrictDetailView[Line]):
    """One line."""

    needs = READ
    queryset = rows.lines()
    serializer_class = serializers.LineSerializer
    expands = LineListView.expands


class ModuleConfigurationListView(StrictListView[Any]):
    """Set-ups of instrument modules, each as what it is."""

    needs = READ
    queryset = rows.set_ups()
    serializer_class = serializers.ModuleConfigurationSerializer
    filterset_class = filters.ModuleConfigurationFilter
    orders = ("id", "name", "-name")
    expands = ("instrument_module", "instrument_module.instrument", "line")


class ModuleConfigurationView(StrictDetailView[Any]):
    """One set-up."""

    needs = READ
    queryset = rows.set_ups()
    serializer_class = serializers.ModuleConfigurationSerializer
    expands = ModuleConfigurationListView.expands
