"""Reading what was filed: executions, files and where they are, packages, locations."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.generics import RetrieveAPIView

from ccatdc.common.api import ByIdPagination, LargeTablePagination
from ccatdc.common.lists import StrictListView
from datamgmt.api.filing_serializers import ExecutionDetailSerializer, ExecutionSerializer
from datamgmt.api.filters import ExecutionFilter, PackageFilter
from datamgmt.api.serializers import (
    FileDetailSerializer,
    FileSerializer,
    LocationSerializer,
    PackageSerializer,
)
from datamgmt.models import DataLocation, RawDataFile, RawDataPackage
from planning.models import ExecutedObsUnit


class ByPathPagination(LargeTablePagination):
    """Files of one package, in the order of the tar."""

    ordering = ("relative_path", "id")


class ByStartPagination(LargeTablePagination):
    """Executions, the latest first."""

    ordering = ("-start_time", "id")


class ExecutionListView(StrictListView[ExecutedObsUnit]):
    """What was observed, the latest first."""

    needs = {"GET": "read:observations"}
    queryset = ExecutedObsUnit.objects.with_plan()
    serializer_class = ExecutionSerializer
    filterset_class = ExecutionFilter
    pagination_class = ByStartPagination


class ExecutionView(RetrieveAPIView[ExecutedObsUnit]):
    """One execution: the number of its files, and of its packages by state."""

    needs = {"GET": "read:observations"}
    queryset = ExecutedObsUnit.objects.with_plan()
    serializer_class = ExecutionDetailSerializer


class FileView(RetrieveAPIView[RawDataFile]):
    """Where is my file? The file, its package, and all copies, also those of its package."""

    needs = {"GET": "read:observations"}
    queryset = RawDataFile.objects.select_related(
        "raw_data_package", "instrument_module__instrument", "source_location__site"
    )
    serializer_class = FileDetailSerializer


class PackageListView(StrictListView[RawDataPackage]):
    """Packages, the latest first."""

    needs = {"GET": "read:observations"}
    queryset = RawDataPackage.objects.for_listing().select_related("source_location__site")
    serializer_class = PackageSerializer
    filterset_class = PackageFilter


class PackageFilesView(StrictListView[RawDataFile]):
    """Files of a package, by path."""

    needs = {"GET": "read:observations"}
    queryset = RawDataFile.objects.select_related(
        "instrument_module__instrument", "source_location__site"
    )
    serializer_class = FileSerializer
    pagination_class = ByPathPagination

    def get_queryset(self) -> QuerySet[RawDataFile]:
        """Those of the package; 404 when there is no such package."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        package = get_object_or_404(RawDataPackage, pk=self.kwargs["pk"])
        return rows.filter(raw_data_package=package)


class LocationListView(StrictListView[DataLocation]):
    """All locations with their usage."""

    needs = {"GET": "read:observations"}
    queryset = DataLocation.objects.non_polymorphic().select_related("site", "instrument")
    serializer_class = LocationSerializer
    pagination_class = ByIdPagination


class LocationView(RetrieveAPIView[DataLocation]):
    """One location."""

    needs = {"GET": "read:observations"}
    queryset = DataLocation.objects.non_polymorphic().select_related("site", "instrument")
    serializer_class = LocationSerializer
