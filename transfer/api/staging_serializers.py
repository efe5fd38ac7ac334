"""Serializers of staging jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ccatdc.common.api.parsers import MomentField, StrictSerializer
from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from datamgmt.models.locations import FULL_NAME_LENGTH
from transfer.models import StagingJob
from transfer.models.jobs import MAX_KEEP_DAYS, JobStatus
from transfer.staging.requests import MAX_EXECUTIONS, MAX_PACKAGES, progress_of


class StagingRequestSerializer(StrictSerializer):
    """A request for archived packages at a PROCESSING location, or for whole observations."""

    packages = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_empty=False, max_length=MAX_PACKAGES
    )
    executions = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_empty=False,
        max_length=MAX_EXECUTIONS,
        help_text="In place of packages: all that belongs to these, of data streams the files that overlap them.",
    )
    executed_obs_units = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_empty=False,
        max_length=MAX_EXECUTIONS,
        help_text="The same as executions, under the name that CCAT's documents have.",
    )
    location = serializers.CharField(
        max_length=FULL_NAME_LENGTH, help_text="Full name, such as cologne_ramses_processing."
    )
    name = serializers.CharField(required=False, allow_blank=True, default="", max_length=128)

    def validate_location(self, name: str) -> DataLocation:
        """The location of this full name."""
        found = list(DataLocation.objects.non_polymorphic().named(name).with_site()[:2])
        if len(found) != 1:
            raise serializers.ValidationError(
                f"There is no location {name!r}, or there are two.", code="does_not_exist"
            )
        location: DataLocation = found[0]
        return location

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of them; observations under one name."""
        if sum(name in attrs for name in ("packages", "executions", "executed_obs_units")) != 1:
            raise serializers.ValidationError("Give either packages or executed_obs_units.", code="required")
        if "executed_obs_units" in attrs:
            attrs["executions"] = attrs.pop("executed_obs_units")
        return attrs


class AllowanceSerializer(serializers.Serializer[Any]):
    """A quota that counts for a request."""

    whose = serializers.CharField()
    max_bytes = serializers.IntegerField()
    used_bytes = serializers.IntegerField()
    free_bytes = serializers.IntegerField()
    new_bytes = serializers.IntegerField(help_text="What the request would take of it.")
    fits = serializers.BooleanField()


class EstimateSerializer(serializers.Serializer[Any]):
    """What a request would cost."""

    packages = serializers.IntegerField()
    not_archived = serializers.IntegerField(help_text="Packages that cannot be staged yet.")
    total_bytes = serializers.IntegerField()
    there_bytes = serializers.IntegerField(help_text="Of these, at the location already.")
    ahead_bytes = serializers.IntegerField(help_text="What others wait for there.")
    bytes_per_s = serializers.FloatField(allow_null=True, help_text="Measured there; null: nothing was staged yet.")
    seconds = serializers.FloatField(allow_null=True, help_text="Until all is there, by that rate.")
    quotas = AllowanceSerializer(many=True)


class ExtensionSerializer(StrictSerializer):
    """How long the data is to be kept: until a moment, or for days from now."""

    until = MomentField(required=False)
    days = serializers.FloatField(required=False, min_value=0, max_value=MAX_KEEP_DAYS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two."""
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either until or days.", code="required")
        if "days" in attrs:
            attrs["until"] = timezone.now() + timedelta(days=attrs["days"])
        return attrs


class PackageProgressSerializer(serializers.Serializer[Any]):
    """One package of a job."""

    package = serializers.UUIDField(source="package.pk")
    name = serializers.CharField(source="package.name")
    size = serializers.IntegerField(source="package.size")
    status = serializers.ChoiceField(Status.choices)
    path = serializers.CharField(help_text="The folder with its files, once they are there.")
    operation = serializers.IntegerField(source="staging.pk", default=None, allow_null=True)
    attempts = serializers.IntegerField(source="staging.attempts", default=0)
    progress_bytes = serializers.IntegerField(source="staging.progress_bytes", default=0)
    error_code = serializers.CharField(source="staging.error_code", default="")
    error_message = serializers.CharField(source="staging.error_message", default="")


class StagingJobSerializer(serializers.ModelSerializer[StagingJob]):
    """A job in a list."""

    location = serializers.CharField(source="destination_location.full_name")
    requested_by = serializers.CharField(source="requested_by.username")
    status = serializers.ChoiceField(JobStatus.choices, source="job_status")
    package_count = serializers.IntegerField()
    active = serializers.BooleanField(help_text="Neither cancelled nor expired.")

    class Meta:
        model = StagingJob
        fields = [
            "id",
            "name",
            "requested_by",
            "location",
            "status",
            "active",
            "package_count",
            "total_bytes",
            "created_at",
            "finished_at",
            "expires_at",
            "cancelled_at",
            "failure_error_message",
        ]
        read_only_fields = fields


class StagingJobDetailSerializer(StagingJobSerializer):
    """A job with all its packages."""

    packages = serializers.SerializerMethodField()

    class Meta(StagingJobSerializer.Meta):
        fields = [*StagingJobSerializer.Meta.fields, "packages"]
        read_only_fields = fields

    @extend_schema_field(PackageProgressSerializer(many=True))
    def get_packages(self, job: StagingJob) -> Any:
        """How far each is, and where it is."""
        return PackageProgressSerializer(progress_of(job), many=True).data
