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
from datamgmt.models.sites import DeletionMode, LocationType, Site, StorageType
from datamgmt.models.technologies import DataArchive, DiskDataLocation, S3DataLocation, TapeDataLocation
from datamgmt.models.unrecorded import Decision, UnrecordedFile

__all__ = [
    "BundleFormat",
    "DataArchive",
    "DataLocation",
    "DataTransferPackage",
    "DataTransferPackagePhysicalCopy",
    "Decision",
    "DeletionMode",
    "DiskDataLocation",
    "LocationType",
    "PhysicalCopy",
    "RawDataFile",
    "RawDataFilePhysicalCopy",
    "RawDataPackage",
    "RawDataPackageMetadata",
    "RawDataPackagePhysicalCopy",
    "S3DataLocation",
    "Site",
    "StorageType",
    "TapeDataLocation",
    "UnrecordedFile",
]
