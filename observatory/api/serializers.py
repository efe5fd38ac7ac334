"""The shapes of what produces data: telescopes, instruments and modules (the names that filing uses), set-ups, lines."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from observatory.models import (
    ChaiModuleConfiguration,
    Instrument,
    InstrumentModule,
    InstrumentModuleConfiguration,
    Line,
    Observatory,
    PrimeCamModuleConfiguration,
    Telescope,
)


class ObservatorySerializer(serializers.ModelSerializer[Observatory]):
    """A facility."""

    telescopes = serializers.SlugRelatedField[Any]("short_name", many=True, read_only=True)

    class Meta:
        model = Observatory
        fields = ["id", "short_name", "name", "description", "url", "telescopes"]
        read_only_fields = fields


class TelescopeSerializer(serializers.ModelSerializer[Telescope]):
    """A telescope, where it stands (degrees, east-positive; metres) and what its mount can reach."""

    observatory = serializers.CharField(source="observatory.short_name")

    class Meta:
        model = Telescope
        fields = [
            "id",
            "short_name",
            "name",
            "observatory",
            "lon_deg",
            "lat_deg",
            "alt_m",
            "aperture_m",
            "az_min_deg",
            "az_max_deg",
            "el_min_deg",
            "el_max_deg",
        ]
        read_only_fields = fields


class InstrumentModuleSerializer(serializers.ModelSerializer[InstrumentModule]):
    """A module; a file names it by the short names of instrument and module, or by this id."""

    class Meta:
        model = InstrumentModule
        fields = ["id", "short_name", "name", "available", "freq_min_ghz", "freq_max_ghz"]
        read_only_fields = fields


class InstrumentSerializer(serializers.ModelSerializer[Instrument]):
    """An instrument with its modules."""

    telescope = serializers.CharField(source="telescope.short_name")
    modules = InstrumentModuleSerializer(many=True, read_only=True)

    class Meta:
        model = Instrument
        fields = [
            "id",
            "short_name",
            "name",
            "instrument_type",
            "available",
            "description",
            "telescope",
            "modules",
        ]
        read_only_fields = fields


class LineSerializer(serializers.ModelSerializer[Line]):
    """A spectral line; the rest frequency in GHz is text, so that no digit is lost."""

    instrument_modules = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)

    class Meta:
        model = Line
        fields = [
            "id",
            "name",
            "species",
            "transition",
            "rest_frequency_ghz",
            "reference",
            "instrument_modules",
        ]
        read_only_fields = fields


#: What all set-ups share.
_SET_UP = [
    "id",
    "type",
    "name",
    "instrument",
    "module",
    "active",
    "valid_from",
    "valid_to",
    "comment",
]


class _SetUpSerializer(serializers.ModelSerializer[Any]):
    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")


class ChaiModuleConfigurationSerializer(_SetUpSerializer):
    """The tuning of a CHAI array. GHz, kHz, km/s; the line by its id."""

    class Meta:
        model = ChaiModuleConfiguration
        fields = [
            *_SET_UP,
            "line",
            "sideband",
            "tuning_frequency_ghz",
            "if_frequency_ghz",
            "velocity_lsr_km_s",
            "velocity_frame",
            "bandwidth_ghz",
            "n_channels",
            "resolution_khz",
            "backend",
        ]
        read_only_fields = fields


class PrimeCamModuleConfigurationSerializer(_SetUpSerializer):
    """Read-out and optics of a Prime-Cam module. GHz, Hz."""

    class Meta:
        model = PrimeCamModuleConfiguration
        fields = [
            *_SET_UP,
            "band_center_ghz",
            "bandwidth_ghz",
            "n_detectors",
            "n_rf_networks",
            "sample_rate_hz",
            "stream_ids",
            "tuning_ref",
            "fpi_start_ghz",
            "fpi_stop_ghz",
            "fpi_step_ghz",
            "fpi_resolving_power",
        ]
        read_only_fields = fields


BY_TYPE: dict[type[InstrumentModuleConfiguration], type[_SetUpSerializer]] = {
    ChaiModuleConfiguration: ChaiModuleConfigurationSerializer,
    PrimeCamModuleConfiguration: PrimeCamModuleConfigurationSerializer,
}
ANY_SET_UP = PolymorphicProxySerializer(
    component_name="InstrumentModuleConfiguration",
    serializers={str(model.TYPE): serializer for model, serializer in BY_TYPE.items()},
    resource_type_field_name="type",
)


class ModuleConfigurationSerializer(serializers.BaseSerializer[InstrumentModuleConfiguration]):
    """A set-up as what it is."""

    def to_representation(self, instance: InstrumentModuleConfiguration) -> Any:
        """The shape of its kind."""
        return BY_TYPE[type(instance)](instance, context=self.context).data
