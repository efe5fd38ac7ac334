"""Serializers of runs and data products: what who reduces data sends, and what the API shows of it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ccatdc.common.api.parsers import MomentField, StorableJsonField, StrictSerializer
from datamgmt.api.rows import files
from datamgmt.api.serializers import FileSerializer
from datamgmt.filing.parsing import MAX_SIZE, PATH_LENGTH, TEXT_LENGTH
from datamgmt.filing.product_rows import DESCRIPTION_LENGTH, MAX_FILES, MAX_VERSION
from datamgmt.filing.runs import INPUTS, MAX_INPUTS, RunEnd, RunReport
from datamgmt.lineage.graph import bad_inputs
from datamgmt.models import DataProduct, ProcessingRun, ProductKind, ProductLevel, Publication, Release, RunStatus
from datamgmt.models.files import ChecksumAlgorithm, FileType
from datamgmt.models.runs import ENDED

ENDS = [choice for choice in RunStatus.choices if choice[0] in ENDED]
MAX_INT = 2**31 - 1


def _ids(help_text: str) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.UUIDField(), required=False, default=list, max_length=MAX_INPUTS, help_text=help_text
    )


class RunReportSerializer(StrictSerializer):
    """A run begins. Without a start time it is pending."""

    id = serializers.UUIDField(help_text="Made by the client, once for each run.")
    name = serializers.CharField(max_length=TEXT_LENGTH, help_text="What is made, for people.")
    software = serializers.CharField(max_length=64, help_text="Name of a reduction software that is known here.")
    version = serializers.CharField(max_length=128, help_text="A release, a commit, or the digest of a container.")
    start_time = MomentField(required=False, allow_null=True, default=None, help_text="The clock of the cluster.")
    program = serializers.CharField(
        required=False, default="", max_length=16,
        help_text="Short name of the program that the products are for; default: that of the inputs.",
    )  # fmt: skip
    instrument = serializers.CharField(required=False, default="", max_length=32)
    module = serializers.CharField(
        required=False, default="", max_length=32, help_text="Whose data it is; default: that of the inputs."
    )
    location = serializers.CharField(
        required=False, default="", max_length=TEXT_LENGTH, help_text="Full name of the location where it runs."
    )
    host = serializers.CharField(required=False, allow_blank=True, default="", max_length=TEXT_LENGTH)
    command = serializers.CharField(required=False, allow_blank=True, default="", max_length=10_000)
    configuration = StorableJsonField(required=False, default=dict, help_text="Kept as it is.")
    input_packages = serializers.ListField(
        child=serializers.CharField(max_length=TEXT_LENGTH),
        required=False, default=list, max_length=MAX_INPUTS, help_text="Ids or names of packages.",
    )  # fmt: skip
    input_observations = _ids("Ids of executions.")
    input_products = _ids("Ids of data products.")

    def report(self) -> RunReport:
        """The validated body."""
        lists: dict[str, Any] = {name: tuple(self.validated_data[name]) for name in INPUTS}
        return RunReport(**{**self.validated_data, **lists})


class RunEndSerializer(StrictSerializer):
    """A run is over: completed, failed, or cancelled by people."""

    status = serializers.ChoiceField(ENDS)
    end_time = MomentField(help_text="The clock of the cluster.")
    exit_code = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=-MAX_INT, max_value=MAX_INT
    )
    message = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=10_000,
        trim_whitespace=False,
        help_text="Why it failed.",
    )

    def report(self) -> RunEnd:
        """The validated body."""
        return RunEnd(**self.validated_data)


class ProductFileReportSerializer(serializers.Serializer[Any]):
    """A file of a product. Describes what datamgmt/filing/parsing.py reads."""

    id = serializers.UUIDField(help_text="Made by the client, once for each file.")
    source_location = serializers.CharField(
        max_length=TEXT_LENGTH, help_text="Full name of a SOURCE where runs write, such as cologne_ramses_results."
    )
    relative_path = serializers.CharField(max_length=PATH_LENGTH, trim_whitespace=False)
    size = serializers.IntegerField(min_value=0, max_value=MAX_SIZE, help_text="Bytes.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH)
    checksum = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH)
    checksum_algorithm = serializers.ChoiceField(ChecksumAlgorithm.choices, required=False, allow_blank=True)
    file_type = serializers.ChoiceField(FileType.choices, required=False)
    created_at = serializers.DateTimeField(required=False, allow_null=True)
    description = serializers.CharField(required=False, allow_blank=True, max_length=TEXT_LENGTH)


class ProductReportSerializer(serializers.Serializer[Any]):
    """One product as a run reports it. Describes what datamgmt/filing/product_rows.py reads."""

    id = serializers.UUIDField(help_text="Made by the client, once for each product.")
    processing_run = serializers.UUIDField()
    name = serializers.CharField(
        max_length=TEXT_LENGTH, help_text="The same name in the same program again makes the next version."
    )
    kind = serializers.ChoiceField(ProductKind.choices)
    level = serializers.ChoiceField(ProductLevel.choices, required=False, allow_blank=True)
    version = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MAX_VERSION, help_text="Default: the next one."
    )
    release = serializers.ChoiceField(Release.choices, required=False)
    quality_metrics = serializers.DictField(required=False, help_text="Numbers, texts or flags by name.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=DESCRIPTION_LENGTH)
    files = serializers.ListField(child=ProductFileReportSerializer(), max_length=MAX_FILES)


class FiledProductSerializer(serializers.Serializer[Any]):
    """A product that is filed."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    version = serializers.IntegerField()


class FiledProductsSerializer(serializers.Serializer[Any]):
    """What a call with products did."""

    created = serializers.IntegerField(help_text="Products that are new.")
    unchanged = serializers.IntegerField(help_text="Products that were filed so before.")
    files_created = serializers.IntegerField(help_text="Files that are new.")
    products = FiledProductSerializer(many=True, help_text="In the order of the call.")


class RunSerializer(serializers.ModelSerializer[ProcessingRun]):
    """A run: with which software, where, and how it fares."""

    program = serializers.CharField(source="observing_program.short_name")
    instrument = serializers.CharField(source="instrument_module.instrument.short_name")
    module = serializers.CharField(source="instrument_module.short_name")
    software = serializers.CharField(source="software_version.reduction_software.name")
    version = serializers.CharField(source="software_version.version")
    location = serializers.CharField(source="location.full_name", allow_null=True)
    submitted_by = serializers.CharField(source="submitted_by.username", allow_null=True)

    class Meta:
        model = ProcessingRun
        fields = [
            "id",
            "name",
            "program",
            "instrument",
            "module",
            "software",
            "version",
            "location",
            "host",
            "command",
            "configuration",
            "submitted_by",
            "status",
            "start_time",
            "end_time",
            "exit_code",
            "message",
            "created_at",
        ]
        read_only_fields = fields


class RunDetailSerializer(RunSerializer):
    """With the ids of what it read and made."""

    input_packages: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)
    input_observations: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)
    input_products: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)
    data_products: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "input_packages", "input_observations", "input_products", "data_products"]
        read_only_fields = fields


class ProductSerializer(serializers.ModelSerializer[DataProduct]):
    """A product: what it is, which version, and who may see it."""

    program = serializers.CharField(source="observing_program.short_name")
    software = serializers.CharField(source="processing_run.software_version.reduction_software.name")
    software_version = serializers.CharField(source="processing_run.software_version.version")
    instrument = serializers.CharField(source="processing_run.instrument_module.instrument.short_name")
    calib_level = serializers.IntegerField(
        allow_null=True, help_text="Of ObsCore: 1 to 3; null for one without a level."
    )

    class Meta:
        model = DataProduct
        fields = [
            "id",
            "name",
            "version",
            "superseded_by",
            "kind",
            "level",
            "calib_level",
            "release",
            "program",
            "instrument",
            "processing_run",
            "software",
            "software_version",
            "quality_metrics",
            "description",
            "registered_at",
        ]
        read_only_fields = fields


class ProductDetailSerializer(ProductSerializer):
    """With its files, and whether it rests on data that was judged bad."""

    has_bad_inputs = serializers.SerializerMethodField(
        help_text="Whether some file or observation in its lineage was judged bad."
    )
    files = serializers.SerializerMethodField()

    class Meta(ProductSerializer.Meta):
        fields = [*ProductSerializer.Meta.fields, "has_bad_inputs", "files"]
        read_only_fields = fields

    def get_has_bad_inputs(self, product: DataProduct) -> bool:
        """As judged now."""
        return product.pk in bad_inputs([product.pk]).products

    @extend_schema_field(FileSerializer(many=True))
    def get_files(self, product: DataProduct) -> Any:
        """All of them: a product has few."""
        return FileSerializer(
            files().filter(data_product=product).order_by("relative_path")[:MAX_FILES], many=True
        ).data


class ReleaseSerializer(StrictSerializer):
    """Who may see a product."""

    release = serializers.ChoiceField(Release.choices)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class PublicationSerializer(serializers.ModelSerializer[Publication]):
    """A paper, and how much it cites."""

    class Meta:
        model = Publication
        fields = [
            "id",
            "title",
            "doi",
            "bibcode",
            "year",
            "data_products",
            "executed_obs_units",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class DirectionSerializer(serializers.Serializer[Any]):
    """Which way a lineage is walked."""

    direction = serializers.ChoiceField(["inputs", "outputs"], required=False, default="inputs")


class ProvSerializer(serializers.Serializer[Any]):
    """A document of W3C PROV-JSON."""

    prefix = serializers.DictField()
    entity = serializers.DictField(help_text="Products, packages and observations.")
    activity = serializers.DictField(help_text="Runs.")
    agent = serializers.DictField(help_text="People and software.")
    used = serializers.DictField()
    wasGeneratedBy = serializers.DictField()  # noqa: N815  the standard's name
    wasAssociatedWith = serializers.DictField()  # noqa: N815  the standard's name
