"""Reading where data can be and where it is: sites, locations, archives, copies, bundles."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api.views import RowsViewSet
from datamgmt.api import copy_serializers, filters, place_serializers, rows
from datamgmt.models import DataArchive, DataLocation, DataTransferPackage, Site

OF_LOCATION = ("site", "instrument")


class SiteViewSet(RowsViewSet[Site]):
    """All sites."""

    queryset = rows.sites()
    serializer_class = place_serializers.SiteSerializer
    filterset_class = filters.SiteFilter
    lookup_field = "short_name"
    lookup_value_converter = "slug"


class LocationViewSet(RowsViewSet[DataLocation]):
    """All locations with their usage."""

    queryset = rows.locations()
    serializer_class = place_serializers.LocationSerializer
    filterset_class = filters.LocationFilter
    orders = ("id", "name", "-name", "priority")
    expands = OF_LOCATION


class ArchiveViewSet(RowsViewSet[DataArchive]):
    """Archives as older documents name them."""

    queryset = rows.archives()
    serializer_class = place_serializers.ArchiveSerializer
    filterset_class = filters.ArchiveFilter
    expands = ("site", "data_location", "data_location.site")


class BundleViewSet(RowsViewSet[DataTransferPackage]):
    """Data transfer packages, the latest first."""

    queryset = rows.bundles()
    serializer_class = copy_serializers.BundleSerializer
    filterset_class = filters.BundleFilter
    orders = ("-id", "id")
    expands = ("origin_location", "origin_location.site", "destination_site", "final_site")


class CopyViewSet(RowsViewSet[Any]):
    """Copies of files, packages and bundles, in the order in which they were made."""

    queryset = rows.copies()
    serializer_class = copy_serializers.PhysicalCopySerializer
    filterset_class = filters.CopyFilter
    orders = ("id", "-id")
    expands = (
        "data_location",
        "data_location.site",
        "raw_data_file",
        "raw_data_package",
        "raw_data_package.execution",
        "data_transfer_package",
    )
