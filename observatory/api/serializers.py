"""Serializers of what produces data: telescopes, instruments and modules (the names that filing uses), module configurations, lines."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from ccatdc.common.api.polymorphic import ByKindSerializer
from observatory.api import rows
from observatory.models import (
    ChaiModuleConfiguration,
    DataStream,
    Instrument,
    InstrumentModule,
    Line,
    Observatory,
    PrimeCamModuleConfiguration,
    Telescope,
)


class ObservatoryInBriefSerializer(serializers.ModelSerializer[Observatory]):
    """A facility."""

    class Meta:
        model = Observatory
        fields = ["id", "short_name", "name", "description", "url"]
        read_only_fields = fields


class TelescopeSerializer(Expandable, serializers.ModelSerializer[Telescope]):
    """A telescope, where it stands (degrees, east-positive; metres) and what its mount can reach."""

    relations = {"observatory": Relation("observatory", ObservatoryInBriefSerializer, Observatory.objects.all)}

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
            "az_speed_max_deg_s",
            "el_speed_max_deg_s",
            "plate_scale_arcsec_per_mm",
        ]
        read_only_fields = fields


class ObservatorySerializer(Expandable, ObservatoryInBriefSerializer):
    """A facility and its telescopes."""

    relations = {"telescopes": Relation("telescopes", TelescopeSerializer, rows.telescopes, many=True)}

    telescopes = serializers.SlugRelatedField[Any]("short_name", many=True, read_only=True)

    class Meta(ObservatoryInBriefSerializer.Meta):
        fields = [*ObservatoryInBriefSerializer.Meta.fields, "telescopes"]
        read_only_fields = fields


class ModuleInBriefSerializer(serializers.ModelSerializer[InstrumentModule]):
    """A module; a file names it by the short names of instrument and module, or by this id."""

    class Meta:
        model = InstrumentModule
        fields = ["id", "short_name", "name", "available", "freq_min_ghz", "freq_max_ghz"]
        read_only_fields = fields


class InstrumentSerializer(Expandable, serializers.ModelSerializer[Instrument]):
    """An instrument with its modules."""

    relations = {"telescope": Relation("telescope", TelescopeSerializer, rows.telescopes)}

    telescope = serializers.CharField(source="telescope.short_name")
    modules = ModuleInBriefSerializer(many=True, read_only=True)

    class Meta:
        model = Instrument
        fields = ["id", "short_name", "name", "instrument_type", "available", "description", "telescope", "modules"]
        read_only_fields = fields


class InstrumentModuleSerializer(Expandable, serializers.ModelSerializer[InstrumentModule]):
    """A module in full. GHz, arcseconds, arcminutes in the focal plane."""

    relations = {"instrument": Relation("instrument", InstrumentSerializer, rows.instruments)}

    instrument = serializers.CharField(source="instrument.short_name")

    class Meta:
        model = InstrumentModule
        fields = [
            "id",
            "instrument",
            "short_name",
            "name",
            "available",
            "n_pixels",
            "freq_min_ghz",
            "freq_max_ghz",
            "focal_plane_slot",
            "offset_x_arcmin",
            "offset_y_arcmin",
            "field_radius_arcmin",
            "beam_fwhm_arcsec",
            "polarization_sensitive",
        ]
        read_only_fields = fields


class DataStreamSerializer(Expandable, serializers.ModelSerializer[DataStream]):
    """A data stream of a module, and how its files are packaged. Seconds."""

    relations = {"instrument_module": Relation("instrument_module", InstrumentModuleSerializer, rows.modules)}

    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")

    class Meta:
        model = DataStream
        fields = [
            "id",
            "instrument",
            "module",
            "instrument_module",
            "name",
            "description",
            "active",
            "of_telescope",
            "is_public",
            "package_seconds",
            "settle_seconds",
            "priority",
        ]
        read_only_fields = fields


class LineSerializer(Expandable, serializers.ModelSerializer[Line]):
    """A spectral line; the rest frequency in GHz is text, so that no digit is lost."""

    relations = {
        "instrument_modules": Relation("instrument_modules", InstrumentModuleSerializer, rows.modules, many=True)
    }

    instrument_modules = serializers.PrimaryKeyRelatedField[Any](many=True, read_only=True)

    class Meta:
        model = Line
        fields = ["id", "name", "species", "transition", "rest_frequency_ghz", "reference", "instrument_modules"]
        read_only_fields = fields


#: What all module configurations share.
_MODULE_CONFIGURATION = ["id", "type", "name", "instrument", "module", "active", "valid_from", "valid_to", "comment"]


_MODULE = Relation("instrument_module", InstrumentModuleSerializer, rows.modules)


class _SetUpSerializer(Expandable, serializers.ModelSerializer[Any]):
    relations = {"instrument_module": _MODULE}

    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")


class ChaiModuleConfigurationSerializer(_SetUpSerializer):
    """The tuning of a CHAI array. GHz, kHz, km/s; the line by its id."""

    relations = {"instrument_module": _MODULE, "line": Relation("line", LineSerializer, rows.lines)}

    class Meta:
        model = ChaiModuleConfiguration
        fields = [
            *_MODULE_CONFIGURATION,
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
            *_MODULE_CONFIGURATION,
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


class ModuleConfigurationSerializer(ByKindSerializer):
    """A module configuration as what it is."""

    kinds = {
        ChaiModuleConfiguration: ChaiModuleConfigurationSerializer,
        PrimeCamModuleConfiguration: PrimeCamModuleConfigurationSerializer,
    }
