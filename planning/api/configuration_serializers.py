"""The shapes of how obs units are observed: modes, configurations by kind, tiles, slots."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from planning.models import (
    ChaiInparParameter,
    ChaiObservationConfiguration,
    ChaiTiling,
    ObservationConfiguration,
    ObsMode,
    PreScheduledSlot,
    PrimeCamObservationConfiguration,
)

#: What all configurations share.
COMMON = ["id", "type", "obs_unit", "version", "comment"]


class ObsModeSerializer(serializers.ModelSerializer[ObsMode]):
    """An observing strategy, of one instrument or of all."""

    instrument = serializers.SlugRelatedField[Any]("short_name", read_only=True)

    class Meta:
        model = ObsMode
        fields = ["id", "name", "description", "instrument", "category", "default_parameters"]
        read_only_fields = fields


class InparParameterSerializer(serializers.ModelSerializer[ChaiInparParameter]):
    """One parameter of an inpar file, as it was written."""

    class Meta:
        model = ChaiInparParameter
        fields = ["position", "name", "value", "value_type", "unit", "comment"]
        read_only_fields = fields


class ChaiObservationConfigurationSerializer(
    serializers.ModelSerializer[ChaiObservationConfiguration]
):
    """How CHAI observes. Arcseconds, degrees, seconds."""

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
            "array_angle_deg",
            "integration_time_s",
            "n_repeats",
            "inpar_parameters",
        ]
        read_only_fields = fields


class PrimeCamObservationConfigurationSerializer(
    serializers.ModelSerializer[PrimeCamObservationConfiguration]
):
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


BY_TYPE: dict[type[ObservationConfiguration], type[serializers.ModelSerializer[Any]]] = {
    ChaiObservationConfiguration: ChaiObservationConfigurationSerializer,
    PrimeCamObservationConfiguration: PrimeCamObservationConfigurationSerializer,
}
ANY_CONFIGURATION = PolymorphicProxySerializer(
    component_name="ObservationConfiguration",
    serializers={str(model.TYPE): serializer for model, serializer in BY_TYPE.items()},
    resource_type_field_name="type",
)


class ObservationConfigurationSerializer(serializers.BaseSerializer[ObservationConfiguration]):
    """A configuration as what it is."""

    def to_representation(self, instance: ObservationConfiguration) -> Any:
        """The shape of its kind."""
        return BY_TYPE[type(instance)](instance, context=self.context).data


class ChaiTilingSerializer(serializers.ModelSerializer[ChaiTiling]):
    """One tile of a large CHAI map. Arcseconds from the source."""

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
            "width_arcsec",
            "height_arcsec",
            "angle_deg",
            "n_coverages_goal",
            "priority",
            "scan_direction",
        ]
        read_only_fields = fields


class SlotSerializer(serializers.ModelSerializer[PreScheduledSlot]):
    """A time that is given away (UTC)."""

    telescope = serializers.CharField(source="telescope.short_name")

    class Meta:
        model = PreScheduledSlot
        fields = ["id", "obs_unit", "telescope", "start_time", "end_time", "status", "comment"]
        read_only_fields = fields
