"""Serializers of operations, of the overview, and of a package with its history."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ccatdc.common.visibility import visible
from datamgmt.api.place_serializers import LocationSerializer
from datamgmt.api.serializers import CopySerializer, PackageSerializer
from datamgmt.copies.whereabouts import copies_of_package
from datamgmt.models import RawDataPackage
from transfer.models import Operation, ServiceHeartbeat
from transfer.operators.actions import operations_about
from transfer.operators.overview import StageCounts
from transfer.operators.package_reasons import state_of_package
from transfer.operators.wait_reasons import why_waiting

#: Operations that a package's page shows, the latest.
SHOWN_OPERATIONS = 200


class OperationSerializer(serializers.ModelSerializer[Operation]):
    """One piece of work. ``waits_for`` says why it does not run now."""

    location = serializers.CharField(source="location.full_name")
    waits_for = serializers.SerializerMethodField()

    class Meta:
        model = Operation
        fields = [
            "id",
            "operation_type",
            "subject",
            "location",
            "status",
            "priority",
            "attempts",
            "max_attempts",
            "error_code",
            "error_message",
            "waits_for",
            "progress_bytes",
            "total_bytes",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_waits_for(self, operation: Operation) -> str:
        """The reason in a sentence; empty for work that is over or runs well."""
        reasons: dict[int, str] = self.context.get("reasons", {})
        return reasons.get(operation.pk, "")


def operations_as_json(operations: list[Operation]) -> Any:
    """Operations with what they wait for, asked once for all of them."""
    context = {"reasons": why_waiting(operations)}
    return OperationSerializer(operations, many=True, context=context).data


class PackageDetailSerializer(PackageSerializer):
    """A package with its copies and the operations that touched it."""

    explanation = serializers.SerializerMethodField()
    copies = serializers.SerializerMethodField()
    operations = serializers.SerializerMethodField()
    files = serializers.SerializerMethodField()

    class Meta(PackageSerializer.Meta):
        fields = [*PackageSerializer.Meta.fields, "explanation", "files", "copies", "operations"]
        read_only_fields = fields

    def get_explanation(self, package: RawDataPackage) -> str:
        """Where it is and what it waits for, in a sentence."""
        return state_of_package(package)

    def get_files(self, package: RawDataPackage) -> str:
        """Where its files are listed, page by page."""
        return f"/api/raw_data_packages/{package.pk}/files/"

    @extend_schema_field(CopySerializer(many=True))
    def get_copies(self, package: RawDataPackage) -> Any:
        """Every copy, the deleted ones too."""
        return CopySerializer(copies_of_package(package), many=True).data

    @extend_schema_field(OperationSerializer(many=True))
    def get_operations(self, package: RawDataPackage) -> Any:
        """The latest operations, alone or in a bundle."""
        rows = visible(operations_about(package), self.context["request"].user)
        rows = rows.select_related("location__site")
        latest = rows.order_by("-created_at", "-id")
        return operations_as_json(list(latest[:SHOWN_OPERATIONS]))


class StageCountsSerializer(serializers.Serializer[StageCounts]):
    """One stage of the flow."""

    stage = serializers.CharField()
    operation_type = serializers.CharField()
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="Operations by status, without the completed."
    )
    oldest_waiting = serializers.DateTimeField(allow_null=True)


class ServiceSerializer(serializers.ModelSerializer[ServiceHeartbeat]):
    """A service that is not heard any more."""

    class Meta:
        model = ServiceHeartbeat
        fields = ["service_type", "name", "host", "pid", "started_at", "last_seen"]
        read_only_fields = fields


class OverviewSerializer(serializers.Serializer[Any]):
    """The state of the flow."""

    stages = StageCountsSerializer(many=True)
    packages = serializers.DictField(
        child=serializers.IntegerField(), help_text="Packages that are not archived, by state."
    )
    locations = LocationSerializer(many=True)
    silent_services = ServiceSerializer(many=True)
