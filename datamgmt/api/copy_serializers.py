"""Serializers of copies and of the bundles that carry packages from place to place."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from datamgmt.api import rows
from datamgmt.api.place_serializers import LocationSerializer, SiteSerializer
from datamgmt.api.serializers import FileSerializer, PackageSerializer
from datamgmt.models import DataTransferPackage, PhysicalCopy


class BundleSerializer(Expandable, serializers.ModelSerializer[DataTransferPackage]):
    """A data transfer package: packages on one hop. Bytes; its packages are listed at
    ``/api/raw_data_packages/?bundle=``.
    """

    relations = {
        "origin_location": Relation("origin_location", LocationSerializer, rows.locations),
        "destination_site": Relation("destination_site", SiteSerializer, rows.sites),
        "final_site": Relation("final_site", SiteSerializer, rows.sites),
    }

    origin_location = serializers.CharField(source="origin_location.full_name")
    destination_site = serializers.CharField(source="destination_site.short_name")
    final_site = serializers.CharField(source="final_site.short_name")
    destination_location = serializers.CharField(source="destination_location.full_name", default=None, allow_null=True)

    class Meta:
        model = DataTransferPackage
        fields = [
            "id",
            "name",
            "bundle_format",
            "status",
            "origin_location",
            "destination_site",
            "final_site",
            "destination_location",
            "size",
            "digest",
            "created_at",
            "completed_at",
        ]
        read_only_fields = fields


class PhysicalCopySerializer(Expandable, serializers.ModelSerializer[PhysicalCopy]):
    """One thing at one place: the audit trail, deleted copies too. ``type`` says which of the three it is a copy of."""

    reads = ("data_location__site",)
    relations = {
        "data_location": Relation("data_location", LocationSerializer, rows.locations),
        "raw_data_file": Relation("raw_data_file", FileSerializer, rows.files),
        "raw_data_package": Relation("raw_data_package", PackageSerializer, rows.packages),
        "data_transfer_package": Relation("data_transfer_package", BundleSerializer, rows.bundles),
    }

    location = serializers.CharField(source="data_location.full_name")
    location_type = serializers.CharField(source="data_location.location_type")
    path = serializers.CharField(source="full_path", help_text="A file or folder, or s3://bucket/key.")
    evidence: Any = serializers.JSONField(
        allow_null=True, help_text="What a deletion rested on: archive copies, verified when and how."
    )

    class Meta:
        model = PhysicalCopy
        fields = [
            "id",
            "type",
            "location",
            "location_type",
            "raw_data_file",
            "raw_data_package",
            "data_transfer_package",
            "status",
            "integrity",
            "path",
            "size",
            "digest",
            "verified_at",
            "verified_how",
            "error_code",
            "error_message",
            "created_at",
            "deleted_at",
            "evidence",
        ]
        read_only_fields = fields
