"""Reading what was filed: executions, files and where they are, packages and their metadata."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ccatdc.common.api.views import RowsViewSet, StrictDetailView, StrictListView
from ccatdc.common.visibility import visible
from datamgmt.api import filters, rows, serializers
from datamgmt.api.execution_serializers import ExecutionDetailSerializer, ExecutionSerializer
from datamgmt.api.filing_views import AmendExecutionView, AmendFileView, RegisterFileView
from datamgmt.models import RawDataFile, RawDataPackage, RawDataPackageMetadata
from planning.api.rows import executions
from planning.api.views import OF_OBS_UNIT
from planning.models import ExecutedObsUnit

READ = {"GET": "read:observations"}
OF_EXECUTION = (
    "obs_unit",
    *(f"obs_unit.{name}" for name in OF_OBS_UNIT),
    "instrument_module_configurations",
    "instrument_module_configurations.instrument_module",
    "instrument_module_configurations.line",
    "observation_configuration",
    "observation_configuration.tiling",
    "pre_scheduled_slot",
)
#: What rows about data can carry along of the execution that it is from.
ITS_EXECUTION = (
    "execution",
    "execution.obs_unit",
    "execution.obs_unit.program",
    "execution.obs_unit.source",
    "execution.instrument_module_configurations",
)
OF_PACKAGE = (
    *ITS_EXECUTION,
    "instrument_module",
    "instrument_module.instrument",
    "source_location",
    "source_location.site",
    "metadata",
)


class ExecutionListView(StrictListView[ExecutedObsUnit]):
    """What was observed, the latest first."""

    needs = READ
    queryset = executions()
    serializer_class = ExecutionSerializer
    filterset_class = filters.ExecutionFilter
    orders = ("-start_time", "start_time", "-created_at", "created_at", "-updated_at", "updated_at")
    expands = OF_EXECUTION


class ExecutionView(StrictDetailView[ExecutedObsUnit]):
    """One execution: the number of its files, and of its packages by state."""

    needs = READ
    queryset = executions()
    serializer_class = ExecutionDetailSerializer
    expands = OF_EXECUTION


class ExecutionAndAmendView(AmendExecutionView, ExecutionView):
    """One execution, and amending what is said of it."""

    needs = {**AmendExecutionView.needs, **READ}


class FilesView(RegisterFileView, StrictListView[RawDataFile]):
    """Files: all that are filed, and one more."""

    needs = {**RegisterFileView.needs, **READ}
    queryset = rows.files()
    serializer_class = serializers.FileSerializer
    filterset_class = filters.FileFilter
    expands = (*ITS_EXECUTION, "instrument_module", "source_location", "raw_data_package")

    @extend_schema(operation_id="list_files")
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """A page of files, in the order of their ids."""
        return super().get(request, *args, **kwargs)


class FileView(StrictDetailView[RawDataFile]):
    """Where is my file? The file, its package, and all copies, also those of its package."""

    needs = READ
    queryset = rows.files()
    serializer_class = serializers.FileDetailSerializer
    expands = FilesView.expands


class FileAndAmendView(AmendFileView, FileView):
    """One file, and amending its quality."""

    needs = {**AmendFileView.needs, **READ}


class PackageListView(StrictListView[RawDataPackage]):
    """Packages, the latest first."""

    needs = READ
    queryset = rows.packages()
    serializer_class = serializers.PackageSerializer
    filterset_class = filters.PackageFilter
    orders = ("-created_at", "created_at", "name", "-name")
    expands = OF_PACKAGE


class PackageFilesView(StrictListView[RawDataFile]):
    """Files of a package, in the order of the tar."""

    needs = READ
    queryset = rows.files()
    serializer_class = serializers.FileSerializer
    orders = ("relative_path",)
    expands = ("execution", "instrument_module", "source_location")

    def get_queryset(self) -> QuerySet[RawDataFile]:
        """Those of the package; 404 when there is no such package."""
        files = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return files
        packages = visible(RawDataPackage.objects.all(), self.request.user)
        package = get_object_or_404(packages, pk=self.kwargs["pk"])
        return files.filter(raw_data_package=package)


class MetadataViewSet(RowsViewSet[RawDataPackageMetadata]):
    """Metadata of packages."""

    queryset = rows.metadata()
    serializer_class = serializers.MetadataSerializer
    filterset_class = filters.MetadataFilter
