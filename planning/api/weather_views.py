"""The weather: ``POST /api/weather`` takes samples of a station, ``/api/weather_samples/`` lists them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ccatdc.common.api.filters import MomentFilter, RowFilter
from ccatdc.common.api.parsers import FiniteFloatField, MomentField, StrictJsonParser, StrictSerializer
from ccatdc.common.api.views import RowsViewSet
from planning.api import rows
from planning.models import WeatherSample
from planning.models.weather import SAMPLE_LIMITS
from planning.scheduling.timelines import telescope_named
from planning.weather.samples import MAX_SAMPLES, Sample, take_samples


def _quantity(name: str, unit: str) -> FiniteFloatField:
    lowest, highest = SAMPLE_LIMITS[name]
    return FiniteFloatField(required=False, allow_null=True, min_value=lowest, max_value=highest, help_text=unit)


class NewSampleSerializer(StrictSerializer):
    """What was measured at one time; a quantity that is not measured is left out."""

    time = MomentField()
    pwv_mm = _quantity("pwv_mm", "Precipitable water vapour, mm.")
    tau_225 = _quantity("tau_225", "Opacity at 225 GHz.")
    relative_humidity_pct = _quantity("relative_humidity_pct", "Percent, 0 to 100; never a fraction of 1.")
    temperature_c = _quantity("temperature_c", "Degrees Celsius.")
    pressure_hpa = _quantity("pressure_hpa", "Hectopascal; 1 mbar is 1 hPa, 1 Torr 1.333 hPa.")
    wind_m_s = _quantity("wind_m_s", "Metres per second.")
    wind_gust_m_s = _quantity("wind_gust_m_s", "Metres per second, the strongest gust.")
    wind_direction_deg = _quantity("wind_direction_deg", "Degrees from which it comes, from north over east.")


class NewSamplesSerializer(StrictSerializer):
    """Samples of one station."""

    telescope = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=128,
        help_text="Where it is: short name; default: the only one.",
    )
    station = serializers.SlugField(max_length=32, help_text="Which instrument measured.")
    samples = serializers.ListField(child=NewSampleSerializer(), allow_empty=False, max_length=MAX_SAMPLES)

    def as_samples(self) -> list[Sample]:
        """The validated samples."""
        return [
            Sample(row["time"], {name: row[name] for name in SAMPLE_LIMITS if row.get(name) is not None})
            for row in self.validated_data["samples"]
        ]


class TakenSerializer(serializers.Serializer[Any]):
    """What the call changed."""

    stored = serializers.IntegerField(help_text="Samples that are new or have other values than before.")
    unchanged = serializers.IntegerField(help_text="Samples that were there already.")
    executions = serializers.IntegerField(help_text="Ended executions whose weather is another one now.")


class WeatherView(APIView):
    """Samples as they are measured, or those of a day at once."""

    needs = {"POST": "write:observations"}
    parser_classes = [StrictJsonParser]

    @extend_schema(
        operation_id="take_weather",
        request=NewSamplesSerializer,
        responses={201: TakenSerializer, 200: TakenSerializer},
    )
    def post(self, request: Request) -> Response:
        """Store all samples or none: 201; 200 when nothing is new."""
        body = NewSamplesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        said = body.validated_data
        taken = take_samples(telescope_named(said["telescope"]), said["station"], body.as_samples())
        return Response(TakenSerializer(taken).data, status=HTTPStatus.CREATED if taken.stored else HTTPStatus.OK)


class WeatherSampleSerializer(serializers.ModelSerializer[WeatherSample]):
    """A sample; null is what the station does not measure."""

    telescope = serializers.CharField(source="telescope.short_name")

    class Meta:
        model = WeatherSample
        fields = ["id", "telescope", "station", "time", *SAMPLE_LIMITS]
        read_only_fields = fields


class WeatherFilter(RowFilter):
    """Samples by place and time."""

    telescope = django_filters.CharFilter("telescope__short_name")
    station = django_filters.CharFilter("station")
    time_from = MomentFilter("time", "gte")
    time_to = MomentFilter("time", "lte")


class WeatherSampleViewSet(RowsViewSet[WeatherSample]):
    """What weather stations measured."""

    queryset = rows.weather_samples()
    serializer_class = WeatherSampleSerializer
    filterset_class = WeatherFilter
    orders = ("-time", "time")
