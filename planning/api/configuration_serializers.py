"""Serializers of how obs units are observed: modes, configurations by kind, tiles, slots."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from ccatdc.common.api.polymorphic import ByKindSerializer
from observatory.api.rows import instruments, modules, telescopes
from observatory.api.serializers import InstrumentModuleSerializer, InstrumentSerializer, TelescopeSerializer
from planning.api import rows
from planning.api.source_serializers import SourceSerializer
from planning.models import (
    CalibrationCadence,
    ChaiInparParameter,
    ChaiObservationConfiguration,
    ChaiTiling,
    ObsMode,
    PreScheduledSlot,
    PrimeCamObservationConfiguration,
)

#: What all configurations share.
COMMON = ["id", "type", "obs_unit", "version", "comment"]


class ObsModeSerializer(Expandable, serializers.ModelSerializer[ObsMode]):
    """An observing strategy, of one instrument or of all."""

    relations = {"instrument": Relation("instrument", InstrumentSerializer, instruments)}

    instrument = serializers.SlugRelatedField[Any]("short_name", read_only=True)

    class Meta:
        model = ObsMode
        fields = ["id", "name", "description", "instrument", "category", "default_parameters"]
        read_only_fields = fields


class CadenceSerializer(Expandable, serializers.ModelSerializer[CalibrationCadence]):
    """How often a module is calibrated with a mode. Seconds; 0: after each science observation."""

    relations = {
        "instrument_module": Relation("instrument_module", InstrumentModuleSerializer, modules),
        "obs_mode": Relation("obs_mode", ObsModeSerializer, rows.obs_modes),
    }

    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")
    obs_mode = serializers.CharField(source="obs_mode.name")

    class Meta:
        model = CalibrationCadence
        fields = ["id", "instrument", "module", "instrument_module", "obs_mode", "interval_s", "active", "comment"]
        read_only_fields = fields


class InparParameterSerializer(serializers.ModelSerializer[ChaiInparParameter]):
    """One parameter of an inpar file, as it was written."""

    class Meta:
        model = ChaiInparParameter
        fields = ["position", "name", "value", "value_type", "unit", "comment"]
        read_only_fields = fields


class InparParameterInFullSerializer(InparParameterSerializer):
    """With the configuration that it belongs to."""

    class Meta(InparParameterSerializer.Meta):
        fields = ["id", "chai_observation_configuration", *InparParameterSerializer.Meta.fields]
        read_only_fields = fields


class ChaiTilingSerializer(Expandable, serializers.ModelSerializer[ChaiTiling]):
    """One tile of a large CHAI map. Arcseconds from the source."""

    relations = {"source": Relation("source", SourceSerializer, rows.sources)}

    class Meta:
        model = ChaiTiling
        fields = [
            "id",
            "name",
            "tile_number",
            "source",
            "obs_unit",
            "center_x_arcsec",
            "center_y_arcsec",
            "center_frame",
            "center_true_angle",
            "width_arcsec",
            "height_arcsec",
            "angle_deg",
            "n_coverages_goal",
            "priority",
            "scan_direction",
        ]
        read_only_fields = fields


class ChaiObservationConfigurationSerializer(Expandable, serializers.ModelSerializer[ChaiObservationConfiguration]):
    """How CHAI observes. Arcseconds, degrees, seconds."""

    relations = {"tiling": Relation("tiling", ChaiTilingSerializer, rows.tiles)}
    reads = ("inpar_parameters",)

    inpar_parameters = InparParameterSerializer(many=True, read_only=True)

    class Meta:
        model = ChaiObservationConfiguration
        fields = [
            *COMMON,
            "mapping_mode",
            "reference_mode",
            "inpar_template",
            "tiling",
            "map_width_arcsec",
            "map_height_arcsec",
            "map_angle_deg",
            "row_spacing_arcsec",
            "sample_spacing_arcsec",
            "dump_time_s",
            "off_frame",
            "off_x",
            "off_y",
            "off_offset_frame",
            "off_true_angle",
            "map_offset_x_arcsec",
            "map_offset_y_arcsec",
            "map_offset_frame",
            "map_offset_true_angle",
            "array_angle_deg",
            "integration_time_s",
            "n_repeats",
            "inpar_parameters",
        ]
        read_only_fields = fields


class PrimeCamObservationConfigurationSerializer(serializers.ModelSerializer[PrimeCamObservationConfiguration]):
    """How Prime-Cam observes. Degrees, seconds; the parameters of the scan have units in their names."""

    class Meta:
        model = PrimeCamObservationConfiguration
        fields = [
            *COMMON,
            "scan_type",
            "velocity_deg_s",
            "elevation_deg",
            "scan_params",
            "retune_interval_s",
            "calibration_policy",
            "fpi_step_dwell_s",
        ]
        read_only_fields = fields


class ObservationConfigurationSerializer(ByKindSerializer):
    """A configuration as what it is."""

    kinds = {
        ChaiObservationConfiguration: ChaiObservationConfigurationSerializer,
        PrimeCamObservationConfiguration: PrimeCamObservationConfigurationSerializer,
    }


class SlotSerializer(Expandable, serializers.ModelSerializer[PreScheduledSlot]):
    """A time that is given away (UTC)."""

    relations = {"telescope": Relation("telescope", TelescopeSerializer, telescopes)}

    telescope = serializers.CharField(source="telescope.short_name")

    class Meta:
        model = PreScheduledSlot
        fields = [
            "id",
            "obs_unit",
            "telescope",
            "start_time",
            "end_time",
            "status",
            "comment",
            "plan",
            "azimuth_min_deg",
            "azimuth_max_deg",
            "elevation_deg",
            "boresight_angle_deg",
            "scan_index",
            "subscan_index",
            "retune_events",
        ]
        read_only_fields = fields
