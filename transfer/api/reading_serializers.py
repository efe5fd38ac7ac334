"""Serializers of routes, transfers and their logs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from datamgmt.api import rows as data_rows
from datamgmt.api.copy_serializers import BundleSerializer
from datamgmt.api.place_serializers import LocationSerializer, SiteSerializer
from datamgmt.api.serializers import PackageSerializer
from transfer.api.serializers import OperationSerializer
from transfer.models import (
    DataTransfer,
    DataTransferLog,
    DataTransferRoute,
    LongTermArchiveTransfer,
    LongTermArchiveTransferLog,
    StagingJobLog,
)

_PLACES = {
    name: Relation(name, LocationSerializer, data_rows.locations)
    for name in ("origin_location", "destination_location")
}
_LOG = ["id", "timestamp", "status", "message", "log_path"]


class RouteSerializer(Expandable, serializers.ModelSerializer[DataTransferRoute]):
    """A route that an operator wrote. Bytes, seconds; the lowest priority is used first."""

    relations = {
        **{
            name: Relation(name, SiteSerializer, data_rows.sites)
            for name in ("origin_site", "destination_site", "relay_site")
        },
        **_PLACES,
    }

    origin_site = serializers.CharField(source="origin_site.short_name")
    destination_site = serializers.CharField(source="destination_site.short_name")
    relay_site = serializers.SlugRelatedField[Any]("short_name", read_only=True)
    origin_location = serializers.SlugRelatedField[Any]("full_name", read_only=True)
    destination_location = serializers.SlugRelatedField[Any]("full_name", read_only=True)

    class Meta:
        model = DataTransferRoute
        fields = [
            "id",
            "name",
            "route_type",
            "origin_site",
            "destination_site",
            "relay_site",
            "origin_location",
            "destination_location",
            "method",
            "bundle_format",
            "bundle_max_bytes",
            "bundle_max_age_seconds",
            "priority",
            "active",
            "parameters",
        ]
        read_only_fields = fields


class _TransferSerializer(Expandable, OperationSerializer):
    origin_location = serializers.CharField(source="origin_location.full_name")
    destination_location = serializers.CharField(source="destination_location.full_name")


class DataTransferSerializer(_TransferSerializer):
    """One movement of a bundle to one place. Bytes, seconds, 10^6 bytes per second."""

    relations = {
        "data_transfer_package": Relation("data_transfer_package", BundleSerializer, data_rows.bundles),
        **_PLACES,
    }

    route = serializers.SlugRelatedField[Any]("name", read_only=True)
    rate_mb_s = serializers.FloatField(allow_null=True)

    class Meta:
        model = DataTransfer
        fields = [
            *OperationSerializer.Meta.fields,
            "data_transfer_package",
            "origin_location",
            "destination_location",
            "route",
            "method",
            "unpack_status",
            "bytes_transferred",
            "seconds",
            "rate_mb_s",
            "checksum_verified",
        ]
        read_only_fields = fields


class ArchiveTransferSerializer(_TransferSerializer):
    """One package on its way into one archive."""

    relations = {"raw_data_package": Relation("raw_data_package", PackageSerializer, data_rows.packages), **_PLACES}

    class Meta:
        model = LongTermArchiveTransfer
        fields = [
            *OperationSerializer.Meta.fields,
            "raw_data_package",
            "origin_location",
            "destination_location",
            "object_key",
            "sidecar_key",
            "checksum_verified",
        ]
        read_only_fields = fields


class DataTransferLogSerializer(serializers.ModelSerializer[DataTransferLog]):
    """One change of a transfer; the long text is in the file."""

    class Meta:
        model = DataTransferLog
        fields = [*_LOG, "data_transfer"]
        read_only_fields = fields


class ArchiveTransferLogSerializer(serializers.ModelSerializer[LongTermArchiveTransferLog]):
    """One change of an archive transfer."""

    class Meta:
        model = LongTermArchiveTransferLog
        fields = [*_LOG, "long_term_archive_transfer"]
        read_only_fields = fields


class StagingJobLogSerializer(serializers.ModelSerializer[StagingJobLog]):
    """One change of a staging job, or of one of its packages."""

    class Meta:
        model = StagingJobLog
        fields = [*_LOG, "staging_job", "raw_data_package"]
        read_only_fields = fields
