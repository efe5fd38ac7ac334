"""Serializers of executions: what was observed, with what, and what became of its files."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, Sum
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from datamgmt.filing.reports import CONDITIONS
from observatory.api.rows import module_configurations
from observatory.api.serializers import ModuleConfigurationSerializer
from observatory.models import InstrumentModuleConfiguration
from planning.api import rows as plan_rows
from planning.api.configuration_serializers import ObservationConfigurationSerializer, SlotSerializer
from planning.api.serializers import ObsUnitSerializer
from planning.models import ExecutedObsUnit


class FileCountsSerializer(serializers.Serializer[Any]):
    """The files of an execution."""

    count = serializers.IntegerField()
    bytes = serializers.IntegerField()
    unpackaged = serializers.IntegerField(help_text="In no package yet.")


class SetUpInBriefSerializer(serializers.ModelSerializer[Any]):
    """A module configuration that was used."""

    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")

    class Meta:
        model = InstrumentModuleConfiguration
        fields = ["id", "instrument", "module", "name"]
        read_only_fields = fields


class WeatherRangeSerializer(serializers.Serializer[Any]):
    """A quantity during an observation; of the wind's direction the circular mean alone."""

    mean = serializers.FloatField()
    min = serializers.FloatField(required=False)
    max = serializers.FloatField(required=False)


class WeatherSerializer(serializers.Serializer[Any]):
    """What weather stations measured during an observation, in the units of a sample. Empty without samples."""

    samples = serializers.IntegerField(required=False, help_text="How many samples there are.")
    pwv_mm = WeatherRangeSerializer(required=False)
    tau_225 = WeatherRangeSerializer(required=False)
    relative_humidity_pct = WeatherRangeSerializer(required=False)
    temperature_c = WeatherRangeSerializer(required=False)
    pressure_hpa = WeatherRangeSerializer(required=False)
    wind_m_s = WeatherRangeSerializer(required=False)
    wind_gust_m_s = WeatherRangeSerializer(required=False)
    wind_direction_deg = WeatherRangeSerializer(required=False)


class ExecutionSerializer(Expandable, serializers.ModelSerializer[ExecutedObsUnit]):
    """An execution as the data center knows it, and what it was observed with."""

    relations = {
        "obs_unit": Relation("obs_unit", ObsUnitSerializer, plan_rows.obs_units),
        "instrument_module_configurations": Relation(
            "instrument_module_configurations", ModuleConfigurationSerializer, module_configurations, many=True
        ),
        "observation_configuration": Relation(
            "observation_configuration", ObservationConfigurationSerializer, plan_rows.configurations
        ),
        "pre_scheduled_slot": Relation("pre_scheduled_slot", SlotSerializer, plan_rows.slots),
    }

    obs_unit_name = serializers.CharField(source="obs_unit.name")
    program = serializers.CharField(source="obs_unit.observing_program.short_name")
    source = serializers.CharField(  # type: ignore[assignment]
        source="obs_unit.source.name", allow_null=True, help_text="What was pointed at; null for what has no source."
    )
    instrument_module_configurations = SetUpInBriefSerializer(many=True, read_only=True)
    conditions = serializers.SerializerMethodField()
    weather = serializers.SerializerMethodField()
    operator = serializers.SlugRelatedField[Any]("username", read_only=True)

    class Meta:
        model = ExecutedObsUnit
        fields = [
            "id",
            "obs_unit",
            "obs_unit_name",
            "program",
            "source",
            "status",
            "start_time",
            "end_time",
            "finished_at",
            "parameters",
            "instrument_module_configurations",
            "observation_configuration",
            "observation_configuration_version",
            "pre_scheduled_slot",
            "conditions",
            "weather",
            "quality",
            "quality_comment",
            "operator",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    @extend_schema_field(WeatherSerializer)
    def get_weather(self, execution: ExecutedObsUnit) -> dict[str, Any]:
        """As planning/weather/summaries.py computes it."""
        found: dict[str, Any] = execution.weather
        return found

    def get_conditions(self, execution: ExecutedObsUnit) -> dict[str, float | None]:
        """By name, in the units of the finish call."""
        return {name: getattr(execution, name) for name in CONDITIONS}


class ExecutionDetailSerializer(ExecutionSerializer):
    """With what became of its files."""

    files = serializers.SerializerMethodField()
    packages = serializers.SerializerMethodField()

    class Meta(ExecutionSerializer.Meta):
        fields = [*ExecutionSerializer.Meta.fields, "files", "packages"]
        read_only_fields = fields

    @extend_schema_field(FileCountsSerializer)
    def get_files(self, execution: ExecutedObsUnit) -> dict[str, int]:
        """How many, how large, and how many of them are in no package yet."""
        found: dict[str, Any] = execution.raw_data_files.aggregate(
            count=Count("id"), bytes=Sum("size"), unpackaged=Count("id", filter=Q(raw_data_package__isnull=True))
        )
        return {name: int(value or 0) for name, value in found.items()}

    def get_packages(self, execution: ExecutedObsUnit) -> dict[str, int]:
        """Number of packages by state."""
        rows = execution.raw_data_packages.order_by().values_list("state")
        return dict(rows.annotate(Count("id")))
