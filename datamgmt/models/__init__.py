"""Where data is: sites and locations, files, packages, bundles, and every physical copy."""

from datamgmt.models.copies import (
    DataTransferPackagePhysicalCopy,
    PhysicalCopy,
    RawDataFilePhysicalCopy,
    RawDataPackagePhysicalCopy,
)
from datamgmt.models.files import RawDataFile
from datamgmt.models.locations import DataLocation
from datamgmt.models.metadata import RawDataPackageMetadata
from datamgmt.models.packages import BundleFormat, DataTransferPackage, RawDataPackage
from datamgmt.models.products import DataProduct, ProductKind, ProductLevel, Release
from datamgmt.models.publications import Publication
from datamgmt.models.runs import ProcessingRun, ReductionSoftware, ReductionSoftwareVersion, RunStatus
from datamgmt.models.sites import DeletionMode, LocationType, Site, StorageType
from datamgmt.models.technologies import DataArchive, DiskDataLocation, S3DataLocation, TapeDataLocation
from datamgmt.models.unrecorded import Decision, UnrecordedFile

__all__ = [
    "BundleFormat",
    "DataArchive",
    "DataLocation",
    "DataProduct",
    "DataTransferPackage",
    "DataTransferPackagePhysicalCopy",
    "Decision",
    "DeletionMode",
    "DiskDataLocation",
    "LocationType",
    "PhysicalCopy",
    "ProcessingRun",
    "ProductKind",
    "ProductLevel",
    "Publication",
    "RawDataFile",
    "RawDataFilePhysicalCopy",
    "RawDataPackage",
    "RawDataPackageMetadata",
    "RawDataPackagePhysicalCopy",
    "ReductionSoftware",
    "ReductionSoftwareVersion",
    "Release",
    "RunStatus",
    "S3DataLocation",
    "Site",
    "StorageType",
    "TapeDataLocation",
    "UnrecordedFile",
]
