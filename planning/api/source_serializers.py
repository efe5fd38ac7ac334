"""Serializers of what can be pointed at: fixed sources, bodies of the solar system, fields at one elevation."""

from __future__ import annotations

from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from ccatdc.common.api.polymorphic import ByKindSerializer
from planning.api import rows
from planning.models import ConstantElevationAzimuthRange, ConstantElevationSource, FixedSource, SolarSystemObject

#: What all sources share.
COMMON = ["id", "type", "name", "aliases", "description", "source_class"]


class FixedSourceSerializer(serializers.ModelSerializer[FixedSource]):
    """A position on the sky, ICRS, degrees."""

    class Meta:
        model = FixedSource
        fields = [*COMMON, "ra_deg", "dec_deg", "frame", "vlsr_km_s", "pm_ra_mas_yr", "pm_dec_mas_yr", "extent_arcmin"]
        read_only_fields = fields


class SolarSystemObjectSerializer(serializers.ModelSerializer[SolarSystemObject]):
    """A planet, moon or minor body."""

    class Meta:
        model = SolarSystemObject
        fields = [*COMMON, "ephemeris_name", "naif_id", "is_calibrator", "tracking_kind"]
        read_only_fields = fields


class AzimuthRangeSerializer(serializers.ModelSerializer[ConstantElevationAzimuthRange]):
    """Between which azimuths a field is scanned in one range of sidereal time. Degrees, hours."""

    class Meta:
        model = ConstantElevationAzimuthRange
        fields = ["id", "source", "lst_start_h", "lst_stop_h", "elevation_deg", "az_min_deg", "az_max_deg"]
        read_only_fields = fields


class ConstantElevationSourceSerializer(Expandable, serializers.ModelSerializer[ConstantElevationSource]):
    """A field scanned at one elevation, degrees and hours."""

    relations = {"azimuth_ranges": Relation("azimuth_ranges", AzimuthRangeSerializer, rows.azimuth_ranges, many=True)}

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


class SourceSerializer(ByKindSerializer):
    """A source as what it is: fixed, of the solar system, or a field at one elevation."""

    kinds = {
        FixedSource: FixedSourceSerializer,
        SolarSystemObject: SolarSystemObjectSerializer,
        ConstantElevationSource: ConstantElevationSourceSerializer,
    }
