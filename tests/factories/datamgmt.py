"""Sites, locations, files, packages, bundles and copies.

No bytes: tests that need them write into ``tmp_path``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from ccatdc.common.states import Status
from datamgmt.models import (
    DataArchive,
    DataProduct,
    DataTransferPackage,
    DataTransferPackagePhysicalCopy,
    DiskDataLocation,
    LocationType,
    ProcessingRun,
    ProductKind,
    ProductLevel,
    Publication,
    RawDataFile,
    RawDataFilePhysicalCopy,
    RawDataPackage,
    RawDataPackageMetadata,
    RawDataPackagePhysicalCopy,
    ReductionSoftware,
    ReductionSoftwareVersion,
    RunStatus,
    S3DataLocation,
    Site,
    TapeDataLocation,
    UnrecordedFile,
)
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus, VerifiedHow
from datamgmt.storage.keys import key_hash
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import END, START, ExecutedObsUnitFactory, ObservingProgramFactory

#: A digest in our form; not that of any bytes.
DIGEST = "blake3:" + "1f" * 32


class SiteFactory(DjangoModelFactory[Site]):
    """The observatory in Chile; ``short_name="cologne"`` makes Cologne."""

    class Meta:
        model = Site
        django_get_or_create = ("short_name",)

    short_name = "ccat"
    name = factory.LazyAttribute(lambda o: f"Site {o.short_name}")


class DiskDataLocationFactory(DjangoModelFactory[DiskDataLocation]):
    """A registered disk; give ``path`` a folder of ``tmp_path`` when bytes matter."""

    class Meta:
        model = DiskDataLocation
        django_get_or_create = ("site", "name")

    site = factory.SubFactory(SiteFactory)
    name = "scratch"
    location_type = LocationType.BUFFER
    path = factory.LazyAttribute(lambda o: f"/nonexistent/{o.site.short_name}/{o.name}")
    registered_at = START


class SourceLocationFactory(DiskDataLocationFactory):
    """``ccat_primecam_raw_data``."""

    name = "primecam_raw_data"
    location_type = LocationType.SOURCE
    settle_seconds = 0


class BufferLocationFactory(DiskDataLocationFactory):
    """``ccat_output_buffer``."""

    name = "output_buffer"
    location_type = LocationType.BUFFER


class ProcessingLocationFactory(DiskDataLocationFactory):
    """``cologne_ramses_processing``."""

    site = factory.SubFactory(SiteFactory, short_name="cologne")
    name = "ramses_processing"
    location_type = LocationType.PROCESSING


class S3DataLocationFactory(DjangoModelFactory[S3DataLocation]):
    """A bucket on a server of this host; by default ``cologne_long_term_archive``."""

    class Meta:
        model = S3DataLocation
        django_get_or_create = ("site", "name")

    site = factory.SubFactory(SiteFactory, short_name="cologne")
    name = "long_term_archive"
    location_type = LocationType.LONG_TERM_ARCHIVE
    bucket_name = factory.LazyAttribute(lambda o: f"{o.site.short_name}-{o.name}".replace("_", "-"))
    endpoint_url = "http://127.0.0.1:9"
    registered_at = START


class ArchiveLocationFactory(S3DataLocationFactory):
    """``cologne_long_term_archive``."""


class TapeDataLocationFactory(DjangoModelFactory[TapeDataLocation]):
    """``cologne_tape_vault``."""

    class Meta:
        model = TapeDataLocation
        django_get_or_create = ("site", "name")

    site = factory.SubFactory(SiteFactory, short_name="cologne")
    name = "tape_vault"
    location_type = LocationType.LONG_TERM_ARCHIVE
    library_name = "vault"
    registered_at = START


class DataArchiveFactory(DjangoModelFactory[DataArchive]):
    """The archive in Cologne as older documents name it."""

    class Meta:
        model = DataArchive
        django_get_or_create = ("short_name",)

    short_name = "cologne"
    name = "Cologne archive"
    site = factory.SubFactory(SiteFactory, short_name="cologne")
    data_location = factory.SubFactory(ArchiveLocationFactory)


class RawDataPackageFactory(DjangoModelFactory[RawDataPackage]):
    """A package that is yet to be built; ``built`` has a tar, ``archived`` is ARCHIVED too.

    Its copies are not made (see :func:`archive_package`).
    """

    class Meta:
        model = RawDataPackage

    class Params:
        built = factory.Trait(status=Status.COMPLETED, size=10_240, digest=DIGEST, file_count=1, finalized_at=END)
        archived = factory.Trait(built=True, state=PackageState.ARCHIVED, archived_at=END)

    name = factory.Sequence(lambda n: f"orion_f280_{n:04}")
    executed_obs_unit = factory.SubFactory(ExecutedObsUnitFactory, finished=True)
    instrument_module = factory.SubFactory(InstrumentModuleFactory)
    source_location = factory.SubFactory(SourceLocationFactory)


class RawDataPackageMetadataFactory(DjangoModelFactory[RawDataPackageMetadata]):
    """Metadata of a package."""

    class Meta:
        model = RawDataPackageMetadata

    raw_data_package = factory.SubFactory(RawDataPackageFactory)


class RawDataFileFactory(DjangoModelFactory[RawDataFile]):
    """A file of 1,000 bytes in the documented tree of Prime-Cam, in no package.

    Its copy is not made.
    """

    class Meta:
        model = RawDataFile

    relative_path = factory.Sequence(lambda n: f"17500/rfsoc01_drone1/r01d1_1750012345_{n:03}.g3")
    name = factory.LazyAttribute(lambda o: o.relative_path.rpartition("/")[2])
    size = 1000
    executed_obs_unit = factory.SubFactory(ExecutedObsUnitFactory)
    instrument_module = factory.SubFactory(InstrumentModuleFactory)
    source_location = factory.SubFactory(SourceLocationFactory)


class DataTransferPackageFactory(DjangoModelFactory[DataTransferPackage]):
    """A bundle from the buffer in Chile to Cologne; ``packages=[...]`` puts packages into it."""

    class Meta:
        model = DataTransferPackage
        skip_postgeneration_save = True

    class Params:
        built = factory.Trait(status=Status.COMPLETED, size=10_240, completed_at=END)

    name = factory.Sequence(lambda n: f"ccat_to_cologne_{n:04}")
    origin_location = factory.SubFactory(BufferLocationFactory)
    destination_site = factory.SubFactory(SiteFactory, short_name="cologne")
    final_site = factory.SelfAttribute("destination_site")

    @factory.post_generation
    def packages(self: Any, create: bool, extracted: Any, **_: Any) -> None:
        """What is in the bundle."""
        if create and extracted:
            self.raw_data_packages.add(*extracted)


class RawDataFilePhysicalCopyFactory(DjangoModelFactory[RawDataFilePhysicalCopy]):
    """A file as filed: PRESENT at its SOURCE, not yet verified."""

    class Meta:
        model = RawDataFilePhysicalCopy

    raw_data_file = factory.SubFactory(RawDataFileFactory)
    data_location = factory.SelfAttribute("raw_data_file.source_location")
    size = factory.SelfAttribute("raw_data_file.size")


class RawDataPackagePhysicalCopyFactory(DjangoModelFactory[RawDataPackagePhysicalCopy]):
    """A good copy of a package in a buffer; ``archived`` puts it elsewhere, as does ``staged``."""

    class Meta:
        model = RawDataPackagePhysicalCopy

    class Params:
        archived = factory.Trait(
            data_location=factory.SubFactory(ArchiveLocationFactory), verified_how=VerifiedHow.READ_BACK
        )
        staged = factory.Trait(
            data_location=factory.SubFactory(ProcessingLocationFactory),
            status=PhysicalCopyStatus.STAGED,
            key=factory.LazyAttribute(lambda o: f"packages/{o.raw_data_package.pk}.1-1"),
        )

    raw_data_package = factory.SubFactory(RawDataPackageFactory, built=True)
    data_location = factory.SubFactory(BufferLocationFactory)
    integrity = Integrity.OK
    key = factory.LazyAttribute(lambda o: f"packages/{o.raw_data_package.pk}.1-1.tar")
    size = factory.LazyAttribute(lambda o: o.raw_data_package.size or 0)
    digest = factory.SelfAttribute("raw_data_package.digest")
    verified_at = END
    verified_how = VerifiedHow.WRITTEN


class DataTransferPackagePhysicalCopyFactory(DjangoModelFactory[DataTransferPackagePhysicalCopy]):
    """A good copy of a bundle in the buffer where it was made."""

    class Meta:
        model = DataTransferPackagePhysicalCopy

    data_transfer_package = factory.SubFactory(DataTransferPackageFactory, built=True)
    data_location = factory.SelfAttribute("data_transfer_package.origin_location")
    integrity = Integrity.OK
    key = factory.LazyAttribute(lambda o: f"bundles/{o.data_transfer_package.name}.json")
    size = factory.SelfAttribute("data_transfer_package.size")
    verified_at = END
    verified_how = VerifiedHow.WRITTEN


def archive_package(package: RawDataPackage) -> RawDataPackagePhysicalCopy:
    """Give an ARCHIVED package the good copy in the archive that makes it so."""
    return RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, archived=True)


class UnrecordedFileFactory(DjangoModelFactory[UnrecordedFile]):
    """Found in an archive two days ago, and seen again yesterday: a person has to look at it."""

    class Meta:
        model = UnrecordedFile

    location = factory.SubFactory(ArchiveLocationFactory)
    key = factory.Sequence(lambda n: f"somebody/left{n}.tar")
    key_hash = factory.LazyAttribute(lambda file: key_hash(file.key))
    size = 10240
    found_at = factory.LazyFunction(lambda: timezone.now() - timedelta(days=2))
    seen_at = factory.LazyFunction(lambda: timezone.now() - timedelta(days=1))


class ResultsLocationFactory(SourceLocationFactory):
    """``cologne_ramses_results``: where runs write what is to be archived."""

    site = factory.SubFactory(SiteFactory, short_name="cologne")
    name = "ramses_results"


class ReductionSoftwareFactory(DjangoModelFactory[ReductionSoftware]):
    """A map maker."""

    class Meta:
        model = ReductionSoftware
        django_get_or_create = ("name",)

    name = "map-maker"


class ReductionSoftwareVersionFactory(DjangoModelFactory[ReductionSoftwareVersion]):
    """Its first release."""

    class Meta:
        model = ReductionSoftwareVersion
        django_get_or_create = ("reduction_software", "version")

    reduction_software = factory.SubFactory(ReductionSoftwareFactory)
    version = "1.0.0"


class ProcessingRunFactory(DjangoModelFactory[ProcessingRun]):
    """A run for Galactic Ecology that began an hour after the observation; ``completed`` is over."""

    class Meta:
        model = ProcessingRun
        skip_postgeneration_save = True

    class Params:
        completed = factory.Trait(
            status=RunStatus.COMPLETED,
            end_time=END + timedelta(hours=2),
            finished_at=END + timedelta(hours=2),
            exit_code=0,
        )

    name = "Orion-KL, 280 GHz"
    observing_program = factory.SubFactory(ObservingProgramFactory)
    instrument_module = factory.SubFactory(InstrumentModuleFactory)
    software_version = factory.SubFactory(ReductionSoftwareVersionFactory)
    status = RunStatus.RUNNING
    start_time = END + timedelta(hours=1)

    @factory.post_generation
    def packages(self: Any, create: bool, extracted: Any, **_: Any) -> None:
        """What it read."""
        if create and extracted:
            self.input_packages.add(*extracted)


class DataProductFactory(DjangoModelFactory[DataProduct]):
    """A map of a completed run. Its files are not made (see :class:`ProductFileFactory`)."""

    class Meta:
        model = DataProduct

    processing_run = factory.SubFactory(ProcessingRunFactory, completed=True)
    observing_program = factory.SelfAttribute("processing_run.observing_program")
    name = factory.Sequence(lambda n: f"orion_{n:03}/map.fits")
    kind = ProductKind.SCIENCE
    level = ProductLevel.L2
    version = 1


class ProductFileFactory(RawDataFileFactory):
    """The file of a product where its run wrote it."""

    executed_obs_unit = None  # type: ignore[assignment]
    data_product = factory.SubFactory(DataProductFactory)
    relative_path = factory.Sequence(lambda n: f"orion/science/map_{n:03}.fits")
    source_location = factory.SubFactory(ResultsLocationFactory)


class PublicationFactory(DjangoModelFactory[Publication]):
    """The science paper of CCAT-prime."""

    class Meta:
        model = Publication
        django_get_or_create = ("doi",)

    title = (
        "CCAT-prime Collaboration: Science Goals and Forecasts with Prime-Cam on the Fred Young Submillimeter Telescope"
    )
    doi = "10.3847/1538-4365/ac9838"
    year = 2023
