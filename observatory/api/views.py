"""Reading the hierarchy that produces data."""

from __future__ import annotations

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from ccatdc.common.api import ByIdPagination
from ccatdc.common.lists import StrictListView
from observatory.api.serializers import (
    ANY_SET_UP,
    InstrumentSerializer,
    LineSerializer,
    ModuleConfigurationSerializer,
    ObservatorySerializer,
    TelescopeSerializer,
)
from observatory.models import (
    Instrument,
    InstrumentModuleConfiguration,
    Line,
    ModuleConfigurationType,
    Observatory,
    Telescope,
)

_INSTRUMENTS = Instrument.objects.select_related("telescope").prefetch_related("modules")


class InstrumentListView(StrictListView[Instrument]):
    """All instruments with their modules."""

    needs = {"GET": "read:observations"}
    queryset = _INSTRUMENTS
    serializer_class = InstrumentSerializer
    pagination_class = ByIdPagination


class InstrumentView(RetrieveAPIView[Instrument]):
    """One instrument, by its short name."""

    needs = {"GET": "read:observations"}
    queryset = _INSTRUMENTS
    serializer_class = InstrumentSerializer
    lookup_field = "short_name"


class ObservatoryListView(StrictListView[Observatory]):
    """All facilities."""

    needs = {"GET": "read:observations"}
    queryset = Observatory.objects.prefetch_related("telescopes")
    serializer_class = ObservatorySerializer
    pagination_class = ByIdPagination


class TelescopeListView(StrictListView[Telescope]):
    """All telescopes."""

    needs = {"GET": "read:observations"}
    queryset = Telescope.objects.select_related("observatory")
    serializer_class = TelescopeSerializer
    pagination_class = ByIdPagination


class LineFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Lines by name, module and frequency (GHz)."""

    name = django_filters.CharFilter("name", lookup_expr="icontains")
    module = django_filters.CharFilter("instrument_modules__short_name")
    min_ghz = django_filters.NumberFilter("rest_frequency_ghz", lookup_expr="gte")
    max_ghz = django_filters.NumberFilter("rest_frequency_ghz", lookup_expr="lte")

    class Meta:
        model = Line
        fields: list[str] = []


class LineListView(StrictListView[Line]):
    """Spectral lines."""

    needs = {"GET": "read:observations"}
    queryset = Line.objects.prefetch_related("instrument_modules")
    serializer_class = LineSerializer
    filterset_class = LineFilter
    pagination_class = ByIdPagination


_SET_UPS = InstrumentModuleConfiguration.objects.select_related("instrument_module__instrument")


class ModuleConfigurationFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Set-ups by instrument, module, kind, and whether they are in use."""

    instrument = django_filters.CharFilter("instrument_module__instrument__short_name")
    module = django_filters.CharFilter("instrument_module__short_name")
    type = django_filters.ChoiceFilter(choices=ModuleConfigurationType.choices)
    active = django_filters.BooleanFilter("active")

    class Meta:
        model = InstrumentModuleConfiguration
        fields: list[str] = []


class ModuleConfigurationListView(StrictListView[InstrumentModuleConfiguration]):
    """Set-ups of instrument modules."""

    needs = {"GET": "read:observations"}
    queryset = _SET_UPS
    serializer_class = ModuleConfigurationSerializer
    filterset_class = ModuleConfigurationFilter
    pagination_class = ByIdPagination

    @extend_schema(responses=ANY_SET_UP)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """A page of set-ups."""
        return super().get(request, *args, **kwargs)


class ModuleConfigurationView(RetrieveAPIView[InstrumentModuleConfiguration]):
    """One set-up."""

    needs = {"GET": "read:observations"}
    queryset = _SET_UPS
    serializer_class = ModuleConfigurationSerializer

    @extend_schema(responses=ANY_SET_UP)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """The set-up as what it is."""
        return super().get(request, *args, **kwargs)
