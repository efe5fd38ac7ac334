"""Where everything is after a night, and the same as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from ccatdc.demo.filing import Observation
from ccatdc.demo.folder import Skipped
from ccatdc.demo.home import Home
from ccatdc.demo.verification import ArchivedPackage
from datamgmt.models import (
    DataLocation,
    DiskDataLocation,
    PhysicalCopy,
    RawDataPackage,
    S3DataLocation,
)
from datamgmt.naming import sidecar_key

_PROCESSING_SITE, _PROCESSING = "cologne", "ramses_processing"


@dataclass(frozen=True, slots=True)
class ArchiveCopy:
    """A package in an archive."""

    location: str
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package, its files by path, and what the rows say about where it is."""

    id: UUID
    name: str
    files: frozenset[str]
    bundles: frozenset[str]
    copies: tuple[ArchiveCopy, ...]

    def staged_folder(self, home: Home, job: int) -> Path:
        """Where a scientist finds it, as documented."""
        return home.disk(_PROCESSING_SITE, _PROCESSING) / "jobs" / str(job) / self.name

    def archived(self, home: Home) -> list[ArchivedPackage]:
        """Where the S3 server has its objects on disk."""
        return [
            ArchivedPackage(
                self.name, home.s3 / copy.bucket, copy.key, sidecar_key(copy.key), self.files
            )
            for copy in self.copies
        ]


def stored_packages(executions: Sequence[UUID]) -> list[StoredPackage]:
    """The packages of these executions, oldest first."""
    packages = (
        RawDataPackage.objects.filter(executed_obs_unit__in=executions)
        .oldest_first()
        .prefetch_related("raw_data_files", "data_transfer_packages")
    )
    return [
        StoredPackage(
            id=package.pk,
            name=package.name,
            files=frozenset(file.relative_path for file in package.raw_data_files.all()),
            bundles=frozenset(bundle.name for bundle in package.data_transfer_packages.all()),
            copies=tuple(_archive_copies(package)),
        )
        for package in packages
    ]


def _archive_copies(package: RawDataPackage) -> list[ArchiveCopy]:
    copies = PhysicalCopy.objects.of_package(package.pk).in_archives().readable().with_subjects()
    found = []
    for copy in copies.order_by("data_location__priority", "id"):
        place = copy.data_location
        if isinstance(place, S3DataLocation):
            prefix = f"{place.prefix.strip('/')}/" if place.prefix else ""
            found.append(ArchiveCopy(place.full_name, place.bucket_name, prefix + copy.key))
    return found


@dataclass(frozen=True)
class Outcome:
    """A night that ended well."""

    home: Home
    observations: Sequence[Observation]
    packages: Sequence[StoredPackage]
    skipped: Sequence[Skipped]
    job: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The document of ``--json`` (docs/demo.md)."""
        package_of = {path: package for package in self.packages for path in package.files}
        files = []
        for file in (file for observation in self.observations for file in observation.files):
            package = package_of[file.relative_path]
            folder = package.staged_folder(self.home, self.job)
            files.append(
                {
                    "relative_path": file.relative_path,
                    "size": file.size,
                    "digest": file.digest,
                    "package": package.name,
                    "archive": asdict(package.copies[0]),
                    "staged_path": f"{folder}/{file.relative_path}",
                }
            )
        return {
            "ok": True,
            "seconds": round(self.seconds, 3),
            "files": files,
            "locations": _places(),
            "s3_root": str(self.home.s3),
            "skipped": [asdict(entry) for entry in self.skipped],
        }


def _places() -> dict[str, str]:
    """Root folder or bucket of every location that has one here."""
    places = {}
    for location in DataLocation.objects.with_site():
        if isinstance(location, DiskDataLocation):
            places[location.full_name] = location.path
        elif isinstance(location, S3DataLocation):
            places[location.full_name] = location.bucket_name
    return places
