"""Serializers of files, packages, copies and locations as the API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ccatdc.common.api.expand import Expandable, Relation
from datamgmt.api import rows
from datamgmt.api.execution_serializers import ExecutionSerializer
from datamgmt.api.place_serializers import LocationSerializer
from datamgmt.copies.whereabouts import copies_of_file
from datamgmt.models import RawDataFile, RawDataFilePhysicalCopy, RawDataPackage, RawDataPackageMetadata
from datamgmt.states import Integrity, PhysicalCopyStatus
from observatory.api.rows import modules
from observatory.api.serializers import InstrumentModuleSerializer
from planning.api.rows import executions


class CopySerializer(serializers.Serializer[Any]):
    """One copy, and how to get at it."""

    location = serializers.CharField(source="copy.data_location.full_name")
    location_type = serializers.CharField(source="copy.data_location.location_type")
    status = serializers.ChoiceField(PhysicalCopyStatus.choices, source="copy.status")
    integrity = serializers.ChoiceField(Integrity.choices, source="copy.integrity")
    verified_at = serializers.DateTimeField(source="copy.verified_at", allow_null=True)
    verified_how = serializers.CharField(source="copy.verified_how")
    error_code = serializers.CharField(source="copy.error_code", help_text="What is wrong with it; empty: nothing.")
    error_message = serializers.CharField(source="copy.error_message")
    path = serializers.CharField(help_text="A file or folder, or s3://bucket/key.")
    via = serializers.ChoiceField(["file", "package"], help_text="What the copy is a copy of.")
    member = serializers.CharField(help_text="The file's name in the tar at the path, if it is one.")
    size = serializers.IntegerField(source="copy.size", help_text="Bytes of what is copied.")
    created_at = serializers.DateTimeField(source="copy.created_at")
    deleted_at = serializers.DateTimeField(source="copy.deleted_at", allow_null=True)


class MetadataSerializer(serializers.ModelSerializer[RawDataPackageMetadata]):
    """What IVOA records need beyond the core tables. Degrees, metres, seconds."""

    package = serializers.UUIDField(source="raw_data_package_id")

    class Meta:
        model = RawDataPackageMetadata
        fields = [
            "id",
            "package",
            "instrument_parameters",
            "quality_metrics",
            "provenance",
            "custom_metadata",
            "s_ra_deg",
            "s_dec_deg",
            "s_fov_deg",
            "s_region",
            "em_min_m",
            "em_max_m",
            "t_exptime_s",
            "pol_states",
            "metadata_version",
            "computed",
            "computed_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class PackageSerializer(Expandable, serializers.ModelSerializer[RawDataPackage]):
    """A package: what it holds, and where it is in its life."""

    relations = {
        "execution": Relation("executed_obs_unit", ExecutionSerializer, executions),
        "instrument_module": Relation("instrument_module", InstrumentModuleSerializer, modules),
        "source_location": Relation("source_location", LocationSerializer, rows.locations),
        "metadata": Relation("metadata", MetadataSerializer, rows.metadata),
    }

    execution = serializers.UUIDField(
        source="executed_obs_unit_id", allow_null=True, help_text="Null for a package of a data stream or run."
    )
    data_stream = serializers.CharField(
        source="data_stream.name", allow_null=True, help_text="Null for a package of an execution."
    )
    processing_run = serializers.UUIDField(
        source="processing_run_id", allow_null=True, help_text="Of a package of data products: the run that made them."
    )
    obs_unit = serializers.CharField(source="executed_obs_unit.obs_unit.name", allow_null=True)
    program = serializers.CharField(source="executed_obs_unit.obs_unit.observing_program.short_name", allow_null=True)
    source = serializers.CharField(  # type: ignore[assignment]
        source="executed_obs_unit.obs_unit.source.name",
        allow_null=True,
        help_text="What was pointed at; null for what has no source.",
    )
    start_time = serializers.DateTimeField(
        source="observed_from", help_text="Of its execution or run, or of the first file of the data stream."
    )
    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")
    source_location = serializers.CharField(source="source_location.full_name")

    class Meta:
        model = RawDataPackage
        fields = [
            "id",
            "name",
            "execution",
            "data_stream",
            "processing_run",
            "obs_unit",
            "program",
            "source",
            "start_time",
            "instrument",
            "module",
            "source_location",
            "status",
            "state",
            "size",
            "digest",
            "file_count",
            "is_late",
            "created_at",
            "finalized_at",
            "archived_at",
        ]
        read_only_fields = fields


class PackageInBriefSerializer(serializers.ModelSerializer[RawDataPackage]):
    """The package of a file."""

    class Meta:
        model = RawDataPackage
        fields = ["id", "name", "status", "state", "archived_at"]
        read_only_fields = fields


class FileSerializer(Expandable, serializers.ModelSerializer[RawDataFile]):
    """A raw file as it was filed, and its digest once it is packaged."""

    relations = {
        "execution": Relation("executed_obs_unit", ExecutionSerializer, executions),
        "instrument_module": Relation("instrument_module", InstrumentModuleSerializer, modules),
        "source_location": Relation("source_location", LocationSerializer, rows.locations),
        "raw_data_package": Relation("raw_data_package", PackageSerializer, rows.packages),
    }

    execution = serializers.UUIDField(
        source="executed_obs_unit_id", allow_null=True, help_text="Null for a file of a data stream or product."
    )
    data_stream = serializers.CharField(source="data_stream.name", allow_null=True)
    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")
    source_location = serializers.CharField(source="source_location.full_name")

    class Meta:
        model = RawDataFile
        fields = [
            "id",
            "name",
            "relative_path",
            "size",
            "checksum",
            "checksum_algorithm",
            "digest",
            "execution",
            "data_stream",
            "data_product",
            "start_time",
            "end_time",
            "instrument",
            "module",
            "source_location",
            "raw_data_package",
            "file_type",
            "created_at",
            "registered_at",
            "description",
            "quality",
            "quality_comment",
        ]
        read_only_fields = fields


class SetAsideSerializer(serializers.Serializer[Any]):
    """Why a file is in no package."""

    code = serializers.CharField()
    message = serializers.CharField()


class FileDetailSerializer(FileSerializer):
    """With its package and all copies."""

    package = PackageInBriefSerializer(source="raw_data_package", allow_null=True)
    set_aside = serializers.SerializerMethodField(
        help_text="Why it was left out of its package; null for one that was not."
    )
    copies = serializers.SerializerMethodField()

    class Meta(FileSerializer.Meta):
        fields = [*FileSerializer.Meta.fields, "package", "set_aside", "copies"]
        read_only_fields = fields

    @extend_schema_field(SetAsideSerializer(allow_null=True))
    def get_set_aside(self, file: RawDataFile) -> Any:
        """What packaging found wrong with it at SOURCE."""
        if file.raw_data_package_id is not None:
            return None
        bad = (
            RawDataFilePhysicalCopy.objects.non_polymorphic().filter(raw_data_file=file).exclude(error_code="").first()
        )
        return None if bad is None else {"code": bad.error_code, "message": bad.error_message}

    @extend_schema_field(CopySerializer(many=True))
    def get_copies(self, file: RawDataFile) -> Any:
        """Its own at SOURCE, then those of its package."""
        return CopySerializer(copies_of_file(file), many=True).data
