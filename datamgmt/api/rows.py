"""Rows of this app with all that their serializers read, so that a page takes a constant number of queries."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet

from datamgmt.models import (
    DataArchive,
    DataLocation,
    DataProduct,
    DataTransferPackage,
    PhysicalCopy,
    ProcessingRun,
    Publication,
    RawDataFile,
    RawDataPackage,
    RawDataPackageMetadata,
    Site,
)
from planning.models import ExecutedObsUnit


def sites() -> QuerySet[Site]:
    return Site.objects.all()


def locations() -> QuerySet[DataLocation]:
    """With site and instrument, in the columns that all kinds share."""
    rows: QuerySet[DataLocation] = DataLocation.objects.non_polymorphic()
    return rows.select_related("site", "instrument")


def archives() -> QuerySet[DataArchive]:
    return DataArchive.objects.select_related("site", "data_location__site")


def files() -> QuerySet[RawDataFile]:
    return RawDataFile.objects.select_related(
        "raw_data_package", "data_stream", "instrument_module__instrument", "source_location__site"
    )


def packages() -> QuerySet[RawDataPackage]:
    """With what was observed, module and place."""
    return RawDataPackage.objects.for_listing().select_related("source_location__site")


def runs() -> QuerySet[ProcessingRun]:
    """With what they are for, their software and who submitted them."""
    return ProcessingRun.objects.for_listing().select_related("submitted_by")


def runs_in_full() -> QuerySet[ProcessingRun]:
    """With the ids of what they read and made, of which there may be 10,000."""
    read = {
        "input_packages": RawDataPackage.objects,
        "input_observations": ExecutedObsUnit.objects,
        "input_products": DataProduct.objects,
        "data_products": DataProduct.objects,
    }
    # What made it is how a product is found again.
    keys = {name: ("pk", "processing_run") if name == "data_products" else ("pk",) for name in read}
    return runs().prefetch_related(
        *(Prefetch(name, rows.order_by("pk").only(*keys[name])) for name, rows in read.items())
    )


def products() -> QuerySet[DataProduct]:
    """With the run that made them."""
    return DataProduct.objects.for_listing()


def publications() -> QuerySet[Publication]:
    """With the ids of what they cite."""
    return Publication.objects.prefetch_related("data_products", "executed_obs_units")


def metadata() -> QuerySet[RawDataPackageMetadata]:
    return RawDataPackageMetadata.objects.all()


def bundles() -> QuerySet[DataTransferPackage]:
    """With where they come from and go to."""
    return DataTransferPackage.objects.select_related(
        "origin_location__site", "destination_site", "final_site", "destination_location__site"
    )


def copies() -> QuerySet[Any]:
    """As one table; the path needs the location as what it is (see its serializer)."""
    rows: QuerySet[Any] = PhysicalCopy.objects.non_polymorphic()
    return rows.select_related("raw_data_file")
