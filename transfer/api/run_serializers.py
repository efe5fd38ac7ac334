"""Serializers of runs on the cluster."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from ccatdc.common.api.parsers import StrictSerializer
from transfer.engine.worker.logs import end_of_log
from transfer.models import ProcessingJob, ReductionPipeline
from transfer.staging.requests import MAX_EXECUTIONS, MAX_PACKAGES

_NAME_LENGTH: Final = 64


def _ids(most: int, text: str) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_empty=False, max_length=most, help_text=text
    )


class RunRequestSerializer(StrictSerializer):
    """A run of a pipeline over whole observations, or over packages and products."""

    id = serializers.UUIDField(required=False, help_text="Of the run. The same again gives the run that there is.")
    pipeline = serializers.SlugField(max_length=_NAME_LENGTH, help_text="Its name; an operator sets pipelines up.")
    observations = _ids(MAX_EXECUTIONS, "Executions, with what data streams wrote meanwhile.")
    packages = _ids(MAX_PACKAGES, "In place of observations.")
    products = _ids(MAX_PACKAGES, "In place of observations: data products, whose packages are staged.")
    name = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=200,
        help_text="What is made. Products of a later run of this name are newer versions. Empty: from pipeline and inputs.",
    )
    program = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=_NAME_LENGTH,
        help_text="Short name of the program that the products are for. Empty: that of the inputs.",
    )
    configuration = serializers.DictField(
        required=False, help_text="Values of the pipeline's configuration that are to be others."
    )

    def validate_pipeline(self, name: str) -> ReductionPipeline:
        """The pipeline of this name."""
        found = (
            ReductionPipeline.objects.select_related(
                "software_version__reduction_software", "run_backend__location__site", "instrument_module__instrument"
            )
            .filter(name=name)
            .first()
        )
        if found is None:
            raise serializers.ValidationError(f"There is no pipeline {name!r}.", code="does_not_exist")
        return found


class ProcessingJobSerializer(serializers.ModelSerializer[ProcessingJob]):
    """A run on the cluster, and how far it is."""

    id = serializers.UUIDField(source="processing_run_id", help_text="Of the run.")
    name = serializers.CharField(source="processing_run.name")
    pipeline = serializers.CharField(source="pipeline.name")
    location = serializers.CharField(source="pipeline.run_backend.location.full_name")
    program = serializers.CharField(source="processing_run.observing_program.short_name")
    exit_code = serializers.IntegerField(source="processing_run.exit_code", allow_null=True)
    retry_of = serializers.UUIDField(source="retry_of.processing_run_id", default=None, allow_null=True)

    class Meta:
        model = ProcessingJob
        fields = [
            "id",
            "name",
            "pipeline",
            "location",
            "program",
            "status",
            "submissions",
            "exit_code",
            "error_code",
            "message",
            "wall_seconds",
            "peak_bytes",
            "retry_of",
            "created_at",
            "submitted_at",
            "cancel_requested_at",
            "finished_at",
        ]
        read_only_fields = fields


class ProcessingJobDetailSerializer(ProcessingJobSerializer):
    """One run with what its command said."""

    log = serializers.SerializerMethodField(help_text="The end of standard output and error; empty before it began.")

    class Meta(ProcessingJobSerializer.Meta):
        fields = [*ProcessingJobSerializer.Meta.fields, "log"]
        read_only_fields = fields

    def get_log(self, job: Any) -> str:
        """As its backend was last asked."""
        return (end_of_log(job.log_name) if job.log_name else None) or ""
