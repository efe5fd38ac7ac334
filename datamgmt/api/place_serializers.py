"""Serializers of sites, locations and archives."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from datamgmt.api import rows
from datamgmt.models import DataArchive, DataLocation, Site
from observatory.api.rows import instruments
from observatory.api.serializers import InstrumentSerializer


class SiteSerializer(serializers.ModelSerializer[Site]):
    """A place with infrastructure. Degrees, east-positive."""

    class Meta:
        model = Site
        fields = ["id", "short_name", "name", "location", "timezone", "lon_deg", "lat_deg", "active"]
        read_only_fields = fields


class LocationSerializer(Expandable, serializers.ModelSerializer[DataLocation]):
    """A place where data can be. Bytes, percent."""

    relations = {
        "site": Relation("site", SiteSerializer, rows.sites),
        "instrument": Relation("instrument", InstrumentSerializer, instruments),
    }

    full_name = serializers.CharField()
    site = serializers.CharField(source="site.short_name")
    instrument = serializers.SlugRelatedField[Any]("short_name", read_only=True)
    used_pct = serializers.FloatField(allow_null=True)

    class Meta:
        model = DataLocation
        fields = [
            "id",
            "full_name",
            "site",
            "name",
            "location_type",
            "storage_type",
            "instrument",
            "priority",
            "active",
            "capacity_bytes",
            "used_bytes",
            "used_pct",
            "checked_at",
        ]
        read_only_fields = fields


class ArchiveSerializer(Expandable, serializers.ModelSerializer[DataArchive]):
    """An archive as older documents know it."""

    relations = {
        "site": Relation("site", SiteSerializer, rows.sites),
        "data_location": Relation("data_location", LocationSerializer, rows.locations),
    }

    site = serializers.CharField(source="site.short_name")
    data_location = serializers.CharField(source="data_location.full_name", default=None, allow_null=True)

    class Meta:
        model = DataArchive
        fields = ["id", "short_name", "name", "site", "data_location", "is_primary", "active", "description"]
        read_only_fields = fields
