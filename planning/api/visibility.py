"""When a source can be observed: one day at a telescope, as numbers or as a picture."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ccatdc.common.api.parsers import StrictSerializer
from ccatdc.common.errors import RequestError
from ccatdc.common.visibility import visible
from observatory.models import Telescope
from planning.models import ObsUnit, Source
from planning.scheduling.patterns import patterns_of
from planning.sky.picture import USUAL_WIDTH, WIDTHS, picture
from planning.sky.visibility import Span, Visibility, night_of, visibility


class Question(StrictSerializer):
    """Which day, at which telescope, for which obs unit."""

    evening = serializers.DateField(required=False)
    telescope = serializers.SlugField(required=False)
    obs_unit = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class PictureSize(StrictSerializer):
    """How wide a picture shall be, pixels: its letters keep their size."""

    width = serializers.IntegerField(required=False, min_value=WIDTHS[0], max_value=WIDTHS[1], default=USUAL_WIDTH)


class SpanSerializer(serializers.Serializer[Any]):
    """From when to when (UTC)."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class VisibilitySerializer(serializers.Serializer[Any]):
    """One day from noon to noon of the telescope's mean solar time: samples every five minutes. Degrees, UTC, no refraction."""

    source_id = serializers.IntegerField()
    source_name = serializers.CharField()
    telescope = serializers.CharField()
    evening = serializers.DateField()
    min_elevation_deg = serializers.FloatField()
    max_elevation_deg = serializers.FloatField()
    min_sun_distance_deg = serializers.FloatField()
    rises = serializers.ListField(child=serializers.DateTimeField())
    sets = serializers.ListField(child=serializers.DateTimeField())
    highest = serializers.DateTimeField(allow_null=True)
    observable = SpanSerializer(many=True)
    sun_warning = SpanSerializer(many=True)
    night = SpanSerializer(many=True)
    times = serializers.ListField(child=serializers.DateTimeField())
    elevation_deg = serializers.ListField(child=serializers.FloatField(allow_null=True))
    azimuth_deg = serializers.ListField(child=serializers.FloatField(allow_null=True))
    sun_distance_deg = serializers.ListField(child=serializers.FloatField(allow_null=True))
    sun_elevation_deg = serializers.ListField(child=serializers.FloatField())


_PARAMETERS = [
    OpenApiParameter("evening", OpenApiTypes.DATE, description="The night that begins on it."),
    OpenApiParameter("telescope", OpenApiTypes.STR, description="Its short name."),
    OpenApiParameter("obs_unit", OpenApiTypes.INT, description="With the limits of this unit."),
]


class VisibilityView(APIView):
    """Elevation against time, rise and set, distance from the Sun."""

    needs = {"GET": "read:observations"}

    @extend_schema(parameters=_PARAMETERS, responses=VisibilitySerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The day as numbers; tonight unless ``evening`` says otherwise."""
        source, telescope, evening, seen = answer(pk, request.query_params.dict(), request.user)
        return Response(
            VisibilitySerializer(
                {
                    "source_id": source.pk,
                    "source_name": source.name,
                    "telescope": telescope.short_name,
                    "evening": evening,
                    **{name: getattr(seen, name) for name in Visibility.__slots__},
                    **{name: _spans(getattr(seen, name)) for name in ("observable", "sun_warning", "night")},
                }
            ).data
        )


class VisibilityPictureView(APIView):
    """The same as a picture."""

    needs = {"GET": "read:observations"}

    @extend_schema(
        parameters=[*_PARAMETERS, OpenApiParameter("width", OpenApiTypes.INT, description="Pixels, 320 to 1600.")],
        responses={(200, "image/svg+xml"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """An SVG."""
        return drawn(pk, request.query_params.dict(), request.user)


def answer(pk: int, query: dict[str, str], user: Any) -> tuple[Source, Telescope, date, Visibility]:
    """What was asked for, computed. Raises RequestError where the telescope is not clear."""
    question = Question(data=query)
    question.is_valid(raise_exception=True)
    asked = question.validated_data
    source = get_object_or_404(Source, pk=pk)
    limits: dict[str, Any] = {}
    telescopes: QuerySet[Telescope] = Telescope.objects.all()
    if "obs_unit" in asked:
        units: QuerySet[ObsUnit] = visible(ObsUnit.objects.all(), user)
        unit = get_object_or_404(units, pk=asked["obs_unit"], source=pk)
        telescopes = telescopes.filter(pk=unit.telescope_id)
        limits = {
            "min_elevation_deg": unit.min_elevation_deg,
            "max_elevation_deg": unit.max_elevation_deg,
            "min_sun_distance_deg": unit.min_sun_distance_deg,
            "pattern": patterns_of([unit])[unit.pk],
        }
    if "telescope" in asked:
        telescopes = telescopes.filter(short_name=asked["telescope"])
    found = list(telescopes[:2])
    if len(found) != 1:
        raise RequestError(
            "No such telescope." if not found else "There are several telescopes.",
            code="visibility.which_telescope",
            remedy="Name one: ?telescope=<short name>.",
        )
    evening = asked.get("evening") or night_of(timezone.now(), found[0])
    return source, found[0], evening, visibility(source, found[0], evening, **limits)


def _spans(spans: list[Span]) -> list[dict[str, Any]]:
    return [{"start": start, "end": end} for start, end in spans]


def drawn(pk: int, query: dict[str, str], user: Any) -> HttpResponse:
    """The answer as an SVG; kept by browsers for some minutes, since the night does not change."""
    size = PictureSize(data={"width": query.pop("width", USUAL_WIDTH)})
    size.is_valid(raise_exception=True)
    source, telescope, evening, seen = answer(pk, query, user)
    title = f"{source.name}, {telescope.short_name}, night of {evening}"
    return HttpResponse(
        picture(seen, title, size.validated_data["width"]),
        content_type="image/svg+xml",
        headers={"Cache-Control": "private, max-age=300"},
    )
