"""Reading the plan: programs, obs units, sources."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from ccatdc.common.api import ByIdPagination
from ccatdc.common.lists import StrictListView
from planning.api.serializers import (
    ANY_SOURCE,
    ObsUnitSerializer,
    ProgramSerializer,
    SourceSerializer,
)
from planning.models import FixedSource, ObservingProgram, ObsUnit, Source
from planning.models.obs_units import ObsUnitState
from planning.models.sources import SourceType

_PROGRAMS = ObservingProgram.objects.select_related("lead").prefetch_related(
    "instruments", "sub_programs"
)
_OBS_UNITS = ObsUnit.objects.select_related(
    "observing_program", "sub_observing_program", "source", "obs_mode", "telescope"
).prefetch_related("instrument_module_configurations")


class ObsUnitFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Obs units by program, name and state."""

    program = django_filters.CharFilter("observing_program__short_name")
    name = django_filters.CharFilter("name")
    source = django_filters.CharFilter("source__name")
    state = django_filters.ChoiceFilter(choices=ObsUnitState.choices)

    class Meta:
        model = ObsUnit
        fields: list[str] = []


class SourceFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Sources by name and kind."""

    name = django_filters.CharFilter("name", lookup_expr="icontains")
    type = django_filters.ChoiceFilter(choices=SourceType.choices)
    cone = django_filters.CharFilter(
        method="in_cone", label="Fixed sources around a place: ra,dec,radius in degrees, ICRS."
    )

    def in_cone(self, rows: Any, _name: str, value: str) -> Any:
        """Those within the angle."""
        return rows.filter(pk__in=FixedSource.objects.within(*_cone(value)).order_by().values("pk"))

    class Meta:
        model = Source
        fields: list[str] = []


def _cone(text: str) -> tuple[float, float, float]:
    """``ra,dec,radius`` in degrees."""
    try:
        ra, dec, radius = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ValidationError({"cone": "Write three numbers: ra,dec,radius in degrees."}) from error
    if not (0 <= ra < 360 and -90 <= dec <= 90 and 0 < radius <= 180):
        raise ValidationError(
            {"cone": "RA is from 0 to 360, Dec from -90 to 90, the radius up to 180 degrees."}
        )
    return ra, dec, radius


class ProgramListView(StrictListView[ObservingProgram]):
    """All programs with their sub-programs."""

    needs = {"GET": "read:observations"}
    queryset = _PROGRAMS
    serializer_class = ProgramSerializer
    pagination_class = ByIdPagination


class ProgramView(RetrieveAPIView[ObservingProgram]):
    """One program."""

    needs = {"GET": "read:observations"}
    queryset = _PROGRAMS
    serializer_class = ProgramSerializer


class ObsUnitListView(StrictListView[ObsUnit]):
    """Planned observations."""

    needs = {"GET": "read:observations"}
    queryset = _OBS_UNITS
    serializer_class = ObsUnitSerializer
    filterset_class = ObsUnitFilter
    pagination_class = ByIdPagination


class ObsUnitView(RetrieveAPIView[ObsUnit]):
    """One planned observation."""

    needs = {"GET": "read:observations"}
    queryset = _OBS_UNITS
    serializer_class = ObsUnitSerializer


class SourceListView(StrictListView[Source]):
    """What can be pointed at."""

    needs = {"GET": "read:observations"}
    queryset = Source.objects.all()
    serializer_class = SourceSerializer
    filterset_class = SourceFilter
    pagination_class = ByIdPagination

    @extend_schema(responses=ANY_SOURCE)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """A page of sources."""
        return super().get(request, *args, **kwargs)


class SourceView(RetrieveAPIView[Source]):
    """One source."""

    needs = {"GET": "read:observations"}
    queryset = Source.objects.all()
    serializer_class = SourceSerializer

    @extend_schema(responses=ANY_SOURCE)
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """The source as what it is."""
        return super().get(request, *args, **kwargs)
