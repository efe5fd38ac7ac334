"""The shapes of programs, obs units and sources."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from planning.models import (
    ConstantElevationSource,
    FixedSource,
    ObservingProgram,
    ObsUnit,
    SolarSystemObject,
    Source,
    SubObservingProgram,
)

COMMON = ["id", "type", "name", "aliases", "description", "source_class"]


class SubProgramSerializer(serializers.ModelSerializer[SubObservingProgram]):
    """A smaller project inside a program."""

    class Meta:
        model = SubObservingProgram
        fields = ["id", "short_name", "name", "description", "active"]
        read_only_fields = fields


class ProgramSerializer(serializers.ModelSerializer[ObservingProgram]):
    """A program with its sub-programs and instruments."""

    lead = serializers.SlugRelatedField[Any]("username", read_only=True)
    instruments = serializers.SlugRelatedField[Any]("short_name", many=True, read_only=True)
    sub_programs = SubProgramSerializer(many=True, read_only=True)

    class Meta:
        model = ObservingProgram
        fields = [
            "id",
            "short_name",
            "name",
            "description",
            "lead",
            "instruments",
            "allocated_hours",
            "is_technical",
            "active",
            "sub_programs",
        ]
        read_only_fields = fields


class ObsUnitSerializer(serializers.ModelSerializer[ObsUnit]):
    """A planned observation. Seconds, degrees, mm, hours."""

    program = serializers.CharField(source="observing_program.short_name")
    sub_program = serializers.SlugRelatedField[Any](
        "short_name", source="sub_observing_program", read_only=True
    )
    source_name = serializers.CharField(source="source.name")
    obs_mode = serializers.CharField(source="obs_mode.name")
    telescope = serializers.CharField(source="telescope.short_name")
    instrument_module_configurations = serializers.PrimaryKeyRelatedField[Any](
        many=True, read_only=True
    )

    class Meta:
        model = ObsUnit
        fields = [
            "id",
            "name",
            "program",
            "sub_program",
            "source",
            "source_name",
            "obs_mode",
            "telescope",
            "instrument_module_configurations",
            "obs_unit_type",
            "state",
            "priority",
            "planned_duration_s",
            "repetitions_requested",
            "time_goal_h",
            "min_elevation_deg",
            "max_elevation_deg",
            "max_pwv_mm",
            "min_sun_distance_deg",
            "lst_start_h",
            "lst_stop_h",
        ]
        read_only_fields = fields


class FixedSourceSerializer(serializers.ModelSerializer[FixedSource]):
    """A position on the sky, ICRS, degrees."""

    class Meta:
        model = FixedSource
        fields = [
            *COMMON,
            "ra_deg",
            "dec_deg",
            "frame",
            "vlsr_km_s",
            "pm_ra_mas_yr",
            "pm_dec_mas_yr",
            "extent_arcmin",
        ]
        read_only_fields = fields


class SolarSystemObjectSerializer(serializers.ModelSerializer[SolarSystemObject]):
    """A planet, moon or minor body."""

    class Meta:
        model = SolarSystemObject
        fields = [*COMMON, "ephemeris_name", "naif_id", "is_calibrator", "tracking_kind"]
        read_only_fields = fields


class ConstantElevationSourceSerializer(serializers.ModelSerializer[ConstantElevationSource]):
    """A field scanned at one elevation, degrees and hours."""

    class Meta:
        model = ConstantElevationSource
        fields = [
            *COMMON,
            "elevation_deg",
            "az_min_deg",
            "az_max_deg",
            "rising",
            "ra_center_deg",
            "dec_center_deg",
            "width_deg",
            "height_deg",
            "lst_start_h",
            "lst_stop_h",
        ]
        read_only_fields = fields


BY_TYPE: dict[type[Source], type[serializers.ModelSerializer[Any]]] = {
    FixedSource: FixedSourceSerializer,
    SolarSystemObject: SolarSystemObjectSerializer,
    ConstantElevationSource: ConstantElevationSourceSerializer,
}
ANY_SOURCE = PolymorphicProxySerializer(
    component_name="Source",
    serializers={str(model.TYPE): serializer for model, serializer in BY_TYPE.items()},
    resource_type_field_name="type",
)


class SourceSerializer(serializers.BaseSerializer[Source]):
    """A source as what it is: fixed, of the solar system, or a field at one elevation."""

    def to_representation(self, instance: Source) -> Any:
        """The shape of its kind."""
        return BY_TYPE[type(instance)](instance, context=self.context).data
