"""Reading how obs units are observed: modes, configurations, tiles, slots."""

from __future__ import annotations

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from ccatdc.common.api import ByIdPagination
from ccatdc.common.lists import StrictListView
from planning.api.configuration_serializers import (
    ANY_CONFIGURATION,
    ChaiTilingSerializer,
    ObservationConfigurationSerializer,
    ObsModeSerializer,
    SlotSerializer,
)
from planning.models import (
    ChaiTiling,
    ObservationConfiguration,
    ObsMode,
    PreScheduledSlot,
    SlotStatus,
)
from planning.models.configurations import ObservationConfigurationType


class ObsModeListView(StrictListView[ObsMode]):
    """Observing modes."""

    needs = {"GET": "read:observations"}
    queryset = ObsMode.objects.select_related("instrument")
    serializer_class = ObsModeSerializer
    pagination_class = ByIdPagination


class ConfigurationFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Configurations by obs unit, program and kind."""

    obs_unit = django_filters.NumberFilter("obs_unit")
    program = django_filters.CharFilter("obs_unit__observing_program__short_name")
    type = django_filters.ChoiceFilter(choices=ObservationConfigurationType.choices)

    class Meta:
        model = ObservationConfiguration
        fields: list[str] = []


class ConfigurationListView(StrictListView[ObservationConfiguration]):
    """How obs units are observed."""

    needs = {"GET": "read:observations"}
    queryset = ObservationConfiguration.objects.all()
    serializer_class = ObservationConfigurationSerializer
    filterset_class = ConfigurationFilter
    pagination_class = ByIdPagination

    @extend_schema(responses=ANY_CONFIGURATION)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """A page of configurations."""
        return super().get(request, *args, **kwargs)


class ConfigurationView(RetrieveAPIView[ObservationConfiguration]):
    """One configuration."""

    needs = {"GET": "read:observations"}
    queryset = ObservationConfiguration.objects.all()
    serializer_class = ObservationConfigurationSerializer

    @extend_schema(responses=ANY_CONFIGURATION)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """The configuration as what it is."""
        return super().get(request, *args, **kwargs)


class ChaiTilingFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Tiles by the name of their map."""

    name = django_filters.CharFilter("name")

    class Meta:
        model = ChaiTiling
        fields: list[str] = []


class ChaiTilingListView(StrictListView[ChaiTiling]):
    """Tiles of large CHAI maps."""

    needs = {"GET": "read:observations"}
    queryset = ChaiTiling.objects.all()
    serializer_class = ChaiTilingSerializer
    filterset_class = ChaiTilingFilter
    pagination_class = ByIdPagination


class SlotFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Slots by telescope, obs unit, status, and the time that they reach into."""

    telescope = django_filters.CharFilter("telescope__short_name")
    obs_unit = django_filters.NumberFilter("obs_unit")
    status = django_filters.ChoiceFilter(choices=SlotStatus.choices)
    ends_after = django_filters.IsoDateTimeFilter("end_time", lookup_expr="gt")
    starts_before = django_filters.IsoDateTimeFilter("start_time", lookup_expr="lt")

    class Meta:
        model = PreScheduledSlot
        fields: list[str] = []


class SlotListView(StrictListView[PreScheduledSlot]):
    """Times that are given away."""

    needs = {"GET": "read:observations"}
    queryset = PreScheduledSlot.objects.select_related("telescope")
    serializer_class = SlotSerializer
    filterset_class = SlotFilter
    pagination_class = ByIdPagination
