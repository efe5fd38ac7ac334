"""Serializers of programs and obs units."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from observatory.api.rows import instruments, module_configurations, telescopes
from observatory.api.serializers import InstrumentSerializer, ModuleConfigurationSerializer, TelescopeSerializer
from planning.api import rows
from planning.api.configuration_serializers import ObservationConfigurationSerializer, ObsModeSerializer, SlotSerializer
from planning.api.source_serializers import SourceSerializer
from planning.models import ObservingProgram, ObsUnit, SubObservingProgram


class SubProgramInBriefSerializer(serializers.ModelSerializer[SubObservingProgram]):
    """A smaller project inside a program."""

    class Meta:
        model = SubObservingProgram
        fields = ["id", "short_name", "name", "description", "active"]
        read_only_fields = fields


class ProgramSerializer(Expandable, serializers.ModelSerializer[ObservingProgram]):
    """A program with its sub-programs and instruments."""

    relations = {"instruments": Relation("instruments", InstrumentSerializer, instruments, many=True)}

    lead = serializers.SlugRelatedField[Any]("username", read_only=True)
    instruments = serializers.SlugRelatedField[Any]("short_name", many=True, read_only=True)
    sub_programs = SubProgramInBriefSerializer(many=True, read_only=True)

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


class SubProgramSerializer(Expandable, serializers.ModelSerializer[SubObservingProgram]):
    """A smaller project inside a program, in full."""

    relations = {"program": Relation("observing_program", ProgramSerializer, rows.programs)}

    program = serializers.CharField(source="observing_program.short_name")
    lead = serializers.SlugRelatedField[Any]("username", read_only=True)

    class Meta:
        model = SubObservingProgram
        fields = ["id", "program", "short_name", "name", "description", "lead", "active"]
        read_only_fields = fields


class ObsUnitSerializer(Expandable, serializers.ModelSerializer[ObsUnit]):
    """A planned observation. Seconds, degrees, mm, hours."""

    relations = {
        "program": Relation("observing_program", ProgramSerializer, rows.programs),
        "sub_program": Relation("sub_observing_program", SubProgramSerializer, rows.sub_programs),
        "source": Relation("source", SourceSerializer, rows.sources),
        "obs_mode": Relation("obs_mode", ObsModeSerializer, rows.obs_modes),
        "telescope": Relation("telescope", TelescopeSerializer, telescopes),
        "instrument_module_configurations": Relation(
            "instrument_module_configurations", ModuleConfigurationSerializer, module_configurations, many=True
        ),
        "observation_configuration": Relation(
            "observation_configuration", ObservationConfigurationSerializer, rows.configurations
        ),
        "slots": Relation("slots", SlotSerializer, rows.slots, many=True),
    }

    program = serializers.CharField(source="observing_program.short_name")
    sub_program = serializers.SlugRelatedField[Any]("short_name", source="sub_observing_program", read_only=True)
    source_name = serializers.CharField(source="source.name", allow_null=True)
    obs_mode = serializers.CharField(source="obs_mode.name")
    telescope = serializers.CharField(source="telescope.short_name")
    instrument_module_configurations = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)

    class Meta:
        model = ObsUnit
        fields = [
            "id",
            "name",
            "program",
            "sub_program",
            "source",
            "source_name",
            "target_azimuth_deg",
            "target_elevation_deg",
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
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields
