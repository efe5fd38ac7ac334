"""Rows of a small data center for the tests of planning: no bytes, no workers.

``ccat`` has a SOURCE and a BUFFER, ``cologne`` a BUFFER, an archive and a PROCESSING location. Times
count from now, because the rules do.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import (
    DataLocation,
    DataTransferPackage,
    LocationType,
    PhysicalCopy,
    RawDataFile,
    RawDataPackage,
    Site,
)
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus, VerifiedHow
from planning.models import ExecutedObsUnit, ExecutionStatus
from tests.factories.datamgmt import (
    DIGEST,
    ArchiveLocationFactory,
    BufferLocationFactory,
    DataTransferPackageFactory,
    DataTransferPackagePhysicalCopyFactory,
    ProcessingLocationFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
    SourceLocationFactory,
)
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory
from tests.factories.transfer import DataTransferFactory
from transfer.models import DataTransfer


def days_ago(days: float) -> datetime:
    """So many days before now."""
    return timezone.now() - timedelta(days=days)


class World:
    """Two sites with their locations, and short names for what tests put there.

    ``is_scrubbed``: stage 90 has read every archive copy an hour ago, and just looked at it.
    """

    is_scrubbed = False

    def __init__(self) -> None:
        self.ccat: Site = SiteFactory.create(short_name="ccat")
        self.cologne: Site = SiteFactory.create(short_name="cologne")
        self.source = SourceLocationFactory.create(site=self.ccat)
        self.output_buffer = BufferLocationFactory.create(site=self.ccat)
        self.input_buffer = self.buffer(self.cologne, "input_buffer")
        self.archive = self.lta(self.cologne)
        self.processing = ProcessingLocationFactory.create(site=self.cologne)
        self.module = InstrumentModuleFactory.create()

    def site(self, name: str) -> Site:
        """Another site."""
        return SiteFactory.create(short_name=name)

    def buffer(self, site: Site, name: str, **fields: Any) -> DataLocation:
        """A BUFFER."""
        return BufferLocationFactory.create(site=site, name=name, **fields)

    def lta(self, site: Site, name: str = "long_term_archive", **fields: Any) -> DataLocation:
        """A long-term archive."""
        return ArchiveLocationFactory.create(site=site, name=name, **fields)

    def third_site(self) -> tuple[Site, DataLocation, DataLocation]:
        """``us`` with a BUFFER and an archive."""
        us = self.site("us")
        return us, self.buffer(us, "us_buffer"), self.lta(us)

    def observation(self, *, finished: float | None = 1.0, priority: int = 5) -> ExecutedObsUnit:
        """An execution that finished so many days ago, or runs still (None)."""
        execution: ExecutedObsUnit = ExecutedObsUnitFactory.create(obs_unit__priority=priority)
        if finished is not None:
            ExecutedObsUnit.objects.filter(pk=execution.pk).update(
                status=ExecutionStatus.COMPLETED, finished_at=days_ago(finished)
            )
            execution.refresh_from_db()
        return execution

    def files(
        self,
        execution: ExecutedObsUnit,
        *paths: str,
        filed: float = 2.0,
        location: DataLocation | None = None,
        **fields: Any,
    ) -> list[RawDataFile]:
        """Files of an execution, filed so many days ago, each with its copy at SOURCE."""
        fields.setdefault("instrument_module", self.module)
        files = [
            RawDataFileFactory.create(
                relative_path=path,
                executed_obs_unit=execution,
                source_location=location or self.source,
                registered_at=days_ago(filed),
                **fields,
            )
            for path in paths
        ]
        for file in files:
            RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
        return files

    def package(self, *places: DataLocation, state: str = PackageState.WAITING, **fields: Any) -> RawDataPackage:
        """A built package with a good copy at each of these places."""
        fields.setdefault("instrument_module", self.module)
        fields.setdefault("source_location", self.source)
        package: RawDataPackage = RawDataPackageFactory.create(built=True, state=state, **fields)
        for place in places:
            self.copy(package, place)
        return package

    def archived(self, *places: DataLocation, days: float = 365, **fields: Any) -> RawDataPackage:
        """A package archived so many days ago, with good copies in the archive and at these places."""
        return self.package(self.archive, *places, state=PackageState.ARCHIVED, archived_at=days_ago(days), **fields)

    def copy(self, package: RawDataPackage, place: DataLocation, **fields: Any) -> PhysicalCopy:
        """A good copy of a package: an archive's was read back when the package was archived, or by stage 90 since; any other an
        hour ago.
        """
        is_archive = place.location_type == LocationType.LONG_TERM_ARCHIVE
        is_processing = place.location_type == LocationType.PROCESSING
        archived_at = package.archived_at if is_archive and not self.is_scrubbed else None
        fields.setdefault("verified_at", archived_at or days_ago(1 / 24))
        fields.setdefault("seen_at", days_ago(0) if self.is_scrubbed else fields["verified_at"])
        fields.setdefault("verified_how", VerifiedHow.READ_BACK if is_archive else VerifiedHow.WRITTEN)
        if is_processing:
            fields.setdefault("status", PhysicalCopyStatus.STAGED)
        return RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=place, **fields)

    def source_file(self, package: RawDataPackage | None, **fields: Any) -> PhysicalCopy:
        """The copy at SOURCE of a file of a package, as packaging leaves it."""
        file = RawDataFileFactory.create(
            raw_data_package=package,
            executed_obs_unit=package.executed_obs_unit if package is not None else self.observation(),
            instrument_module=self.module,
            source_location=self.source,
            digest=DIGEST,
        )
        fields.setdefault("integrity", Integrity.OK)
        return RawDataFilePhysicalCopyFactory.create(raw_data_file=file, digest=DIGEST, **fields)

    def bundle(self, *packages: RawDataPackage, **fields: Any) -> DataTransferPackage:
        """A built bundle of these packages in the BUFFER in Chile, for Cologne."""
        fields.setdefault("origin_location", self.output_buffer)
        fields.setdefault("destination_site", self.cologne)
        return DataTransferPackageFactory.create(built=True, packages=packages, **fields)

    def sent(self, bundle: DataTransferPackage, **fields: Any) -> DataTransfer:
        """The transfer of a bundle to the BUFFER in Cologne: by default it arrived and is unpacked."""
        fields.setdefault("completed", True)
        fields.setdefault("unpack_status", Status.COMPLETED)
        fields.setdefault("destination_location", self.input_buffer)
        return DataTransferFactory.create(data_transfer_package=bundle, location=bundle.origin_location, **fields)

    @staticmethod
    def bundle_copy(bundle: DataTransferPackage, place: DataLocation, **fields: Any) -> PhysicalCopy:
        """A bundle's copy somewhere."""
        return DataTransferPackagePhysicalCopyFactory.create(
            data_transfer_package=bundle, data_location=place, **fields
        )


def change(location: DataLocation, **fields: Any) -> None:
    """What an operator or a check changed about a location, as in the database so in memory."""
    DataLocation.objects.non_polymorphic().filter(pk=location.pk).update(**fields)
    for name, value in fields.items():
        setattr(location, name, value)


def fill(location: DataLocation, percent: float) -> None:
    """What a check finds: so much of the capacity is used."""
    change(location, capacity_bytes=1000, used_bytes=int(10 * percent))
