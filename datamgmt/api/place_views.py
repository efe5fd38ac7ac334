"""Reading where data can be and where it is: sites, locations, archives, copies, bundles."""

from __future__ import annotations

from typing import Any

from ccatdc.common.api_views import StrictDetailView, StrictListView
from datamgmt.api import copy_serializers, filters, place_serializers, rows
from datamgmt.models import DataArchive, DataLocation, DataTransferPackage, Site

READ = {"GET": "read:observations"}
OF_LOCATION = ("site", "instrument")


class SiteListView(StrictListView[Site]):
    """All sites."""

    needs = READ
    queryset = rows.sites()
    serializer_class = place_serializers.SiteSerializer
    filterset_class = filters.SiteFilter


class SiteView(StrictDetailView[Site]):
    """One site, by its short name."""

    needs = READ
    queryset = rows.sites()
    serializer_class = place_serializers.SiteSerializer
    lookup_field = "short_name"


class LocationListView(StrictListView[DataLocation]):
    """All locations with their usage."""

    needs = READ
    queryset = rows.locations()
    serializer_class = place_serializers.LocationSerializer
    filterset_class = filters.LocationFilter
    orders = ("id", "name", "-name", "priority")
    expands = OF_LOCATION


class LocationView(StrictDetailView[DataLocation]):
    """One location."""

    needs = READ
    queryset = rows.locations()
    serializer_class = place_serializers.LocationSerializer
    expands = OF_LOCATION


class ArchiveListView(StrictListView[DataArchive]):
    """Archives as older documents name them."""

    needs = READ
    queryset = rows.archives()
    serializer_class = place_serializers.ArchiveSerializer
    filterset_class = filters.ArchiveFilter
    expands = ("site", "data_location", "data_location.site")


class ArchiveView(StrictDetailView[DataArchive]):
    """One archive."""

    needs = READ
    queryset = rows.archives()
    serializer_class = place_serializers.ArchiveSerializer
    expands = ArchiveListView.expands


class BundleListView(StrictListView[DataTransferPackage]):
    """Data transfer packages, the latest first."""

    needs = READ
    queryset = rows.bundles()
    serializer_class = copy_serializers.BundleSerializer
    filterset_class = filters.BundleFilter
    orders = ("-id", "id")
    expands = ("origin_location", "origin_location.site", "destination_site", "final_site")


class BundleView(StrictDetailView[DataTransferPackage]):
    """One data transfer package."""

    needs = READ
    queryset = rows.bundles()
    serializer_class = copy_serializers.BundleSerializer
    expands = BundleListView.expands


class CopyListView(StrictListView[Any]):
    """Copies of files, packages and bundles, in the order in which they were made."""

    needs = READ
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


class CopyView(StrictDetailView[Any]):
    """One copy."""

    needs = READ
    queryset = rows.copies()
    serializer_class = copy_serializers.PhysicalCopySerializer
    expands = CopyListView.expands
