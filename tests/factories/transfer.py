"""Work and its records: operations of every kind, routes, staging jobs, logs, heartbeats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from ccatdc.common.states import Status
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    DataTransferPackageFactory,
    ProcessingLocationFactory,
    ProcessingRunFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    ReductionSoftwareVersionFactory,
    ResultsLocationFactory,
    SiteFactory,
    SourceLocationFactory,
)
from transfer.models import (
    CircuitBreaker,
    DataTransfer,
    DataTransferLog,
    DataTransferPackageCreation,
    DataTransferRoute,
    DataTransferUnpacking,
    Deletion,
    DeletionItem,
    Download,
    Inventory,
    LocationCheck,
    LocationUsage,
    LongTermArchiveTransfer,
    LongTermArchiveTransferLog,
    Operation,
    ProcessingJob,
    QueryJob,
    RawDataPackageCreation,
    ReductionPipeline,
    RoundRobinCursor,
    RouteType,
    RunBackend,
    RunCollection,
    RunFollowing,
    RunSubmission,
    ServiceHeartbeat,
    Staging,
    StagingJob,
    StagingJobLog,
    StagingQuota,
    Verification,
    WorkTotal,
)
from transfer.models.health import BreakerScope
from transfer.models.totals import Period
from transfer.pipeline import OperationType

OperationT = TypeVar("OperationT", bound=Operation)


class OperationFactory(DjangoModelFactory[OperationT], Generic[OperationT]):
    """Pending and due; ``in_progress`` holds a lease, ``failed`` has an error."""

    class Meta:
        abstract = True

    class Params:
        in_progress = factory.Trait(
            status=Status.IN_PROGRESS,
            owner="worker-1",
            claims=1,
            lease_until=factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=5)),
            started_at=factory.LazyFunction(timezone.now),
        )
        completed = factory.Trait(status=Status.COMPLETED, claims=1, finished_at=factory.LazyFunction(timezone.now))
        failed = factory.Trait(
            status=Status.FAILED,
            claims=1,
            attempts=1,
            error_code="storage.key_missing",
            error_message="There is no such file.",
            finished_at=factory.LazyFunction(timezone.now),
        )


class RawDataPackageCreationFactory(OperationFactory[RawDataPackageCreation]):
    """Stage 10."""

    class Meta:
        model = RawDataPackageCreation

    location = factory.SubFactory(SourceLocationFactory)
    raw_data_package = factory.SubFactory(RawDataPackageFactory)
    destination_location = factory.SubFactory(BufferLocationFactory)


class DataTransferPackageCreationFactory(OperationFactory[DataTransferPackageCreation]):
    """Stage 20."""

    class Meta:
        model = DataTransferPackageCreation

    location = factory.SubFactory(BufferLocationFactory)
    data_transfer_package = factory.SubFactory(DataTransferPackageFactory)


class DataTransferFactory(OperationFactory[DataTransfer]):
    """Stage 30: from the buffer in Chile to that in Cologne."""

    class Meta:
        model = DataTransfer

    location = factory.SubFactory(BufferLocationFactory)
    data_transfer_package = factory.SubFactory(DataTransferPackageFactory, built=True)
    origin_location = factory.SelfAttribute("location")
    destination_location = factory.SubFactory(
        BufferLocationFactory, site=factory.SubFactory(SiteFactory, short_name="cologne"), name="input_buffer"
    )


class DataTransferUnpackingFactory(OperationFactory[DataTransferUnpacking]):
    """Stage 40."""

    class Meta:
        model = DataTransferUnpacking

    data_transfer = factory.SubFactory(DataTransferFactory)
    location = factory.SelfAttribute("data_transfer.destination_location")


class LongTermArchiveTransferFactory(OperationFactory[LongTermArchiveTransfer]):
    """Stage 50."""

    class Meta:
        model = LongTermArchiveTransfer

    location = factory.SubFactory(ArchiveLocationFactory)
    raw_data_package = factory.SubFactory(RawDataPackageFactory, built=True)
    origin_location = factory.SubFactory(
        BufferLocationFactory, site=factory.SubFactory(SiteFactory, short_name="cologne"), name="input_buffer"
    )
    destination_location = factory.SelfAttribute("location")


class StagingJobFactory(DjangoModelFactory[StagingJob]):
    """A request for packages at RAMSES; ``packages=[...]`` says which."""

    class Meta:
        model = StagingJob
        skip_postgeneration_save = True

    name = "Orion-KL, first look"
    requested_by = factory.SubFactory(UserFactory, permissions=["read:observations", "stage:data"])
    destination_location = factory.SubFactory(ProcessingLocationFactory)

    @factory.post_generation
    def packages(self: Any, create: bool, extracted: Any, **_: Any) -> None:
        """What is asked for."""
        if create and extracted:
            self.raw_data_packages.add(*extracted)


class StagingFactory(OperationFactory[Staging]):
    """Stage 60."""

    class Meta:
        model = Staging

    staging_job = factory.SubFactory(StagingJobFactory)
    location = factory.SelfAttribute("staging_job.destination_location")
    raw_data_package = factory.SubFactory(RawDataPackageFactory, archived=True)
    origin_location = factory.SubFactory(ArchiveLocationFactory)


class RunBackendFactory(DjangoModelFactory[RunBackend]):
    """Runs on the host of ``cologne_ramses_processing``."""

    class Meta:
        model = RunBackend
        django_get_or_create = ("location",)

    location = factory.SubFactory(ProcessingLocationFactory)
    results_location = factory.SubFactory(ResultsLocationFactory)
    backend = "local"


class ReductionPipelineFactory(DjangoModelFactory[ReductionPipeline]):
    """A quick map."""

    class Meta:
        model = ReductionPipeline
        django_get_or_create = ("name",)

    name = "quick-map"
    software_version = factory.SubFactory(ReductionSoftwareVersionFactory)
    command = factory.LazyFunction(lambda: ["map-maker", "--quick"])
    configuration = factory.LazyFunction(lambda: {"pixel_arcsec": 10})
    run_backend = factory.SubFactory(RunBackendFactory)


class ProcessingJobFactory(DjangoModelFactory[ProcessingJob]):
    """A quick map is asked for, and not yet planned."""

    class Meta:
        model = ProcessingJob

    processing_run = factory.SubFactory(
        ProcessingRunFactory, status="pending", start_time=None, submitted_by=factory.SubFactory(UserFactory)
    )
    pipeline = factory.SubFactory(ReductionPipelineFactory)


class RunSubmissionFactory(OperationFactory[RunSubmission]):
    """Stage 62."""

    class Meta:
        model = RunSubmission

    processing_job = factory.SubFactory(ProcessingJobFactory)
    submission = 1
    location = factory.SelfAttribute("processing_job.pipeline.run_backend.location")


class RunFollowingFactory(OperationFactory[RunFollowing]):
    """Stage 64: about no jobs."""

    class Meta:
        model = RunFollowing

    run_backend = factory.SubFactory(RunBackendFactory)
    location = factory.SelfAttribute("run_backend.location")
    jobs = factory.LazyFunction(list)


class RunCollectionFactory(OperationFactory[RunCollection]):
    """Stage 66."""

    class Meta:
        model = RunCollection

    processing_job = factory.SubFactory(ProcessingJobFactory)
    location = factory.SelfAttribute("processing_job.pipeline.run_backend.location")
    results_location = factory.SelfAttribute("processing_job.pipeline.run_backend.results_location")


class DeletionFactory(OperationFactory[Deletion]):
    """Stage 70: a batch, empty at first."""

    class Meta:
        model = Deletion

    location = factory.SubFactory(BufferLocationFactory)


class DeletionItemFactory(DjangoModelFactory[DeletionItem]):
    """One copy of a batch."""

    class Meta:
        model = DeletionItem

    deletion = factory.SubFactory(DeletionFactory)
    physical_copy = factory.SubFactory(RawDataPackagePhysicalCopyFactory)


class LocationCheckFactory(OperationFactory[LocationCheck]):
    """Stage 80."""

    class Meta:
        model = LocationCheck

    location = factory.SubFactory(BufferLocationFactory)


class InventoryFactory(OperationFactory[Inventory]):
    """An archive is to be compared with the catalogue."""

    class Meta:
        model = Inventory

    location = factory.SubFactory(ArchiveLocationFactory)


class VerificationFactory(OperationFactory[Verification]):
    """Stage 90: a look at no copies of an archive."""

    class Meta:
        model = Verification

    location = factory.SubFactory(ArchiveLocationFactory)
    kind = "look"
    copies = factory.LazyFunction(list)


class DataTransferRouteFactory(DjangoModelFactory[DataTransferRoute]):
    """A DIRECT route from Chile to Cologne."""

    class Meta:
        model = DataTransferRoute

    name = factory.Sequence(lambda n: f"ccat_to_cologne_{n}")
    route_type = RouteType.DIRECT
    origin_site = factory.SubFactory(SiteFactory)
    destination_site = factory.SubFactory(SiteFactory, short_name="cologne")


class RoundRobinCursorFactory(DjangoModelFactory[RoundRobinCursor]):
    """Nobody had a turn yet."""

    class Meta:
        model = RoundRobinCursor
        django_get_or_create = ("name",)

    name = "archives_of_ccat"


class DataTransferLogFactory(DjangoModelFactory[DataTransferLog]):
    """One change of a transfer."""

    class Meta:
        model = DataTransferLog

    data_transfer = factory.SubFactory(DataTransferFactory)
    status = Status.COMPLETED


class LongTermArchiveTransferLogFactory(DjangoModelFactory[LongTermArchiveTransferLog]):
    """One change of an archive transfer."""

    class Meta:
        model = LongTermArchiveTransferLog

    long_term_archive_transfer = factory.SubFactory(LongTermArchiveTransferFactory)
    status = Status.COMPLETED


class StagingJobLogFactory(DjangoModelFactory[StagingJobLog]):
    """One change of a staging job."""

    class Meta:
        model = StagingJobLog

    staging_job = factory.SubFactory(StagingJobFactory)
    status = Status.COMPLETED


class QueryJobFactory(DjangoModelFactory[QueryJob]):
    """A query that waits for its start."""

    class Meta:
        model = QueryJob

    query = "SELECT target_name FROM ivoa.obscore"
    max_seconds = 600
    destroyed_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=3))


class CircuitBreakerFactory(DjangoModelFactory[CircuitBreaker]):
    """Closed: the buffer in Chile is well."""

    class Meta:
        model = CircuitBreaker
        django_get_or_create = ("location", "scope")

    location = factory.SubFactory(BufferLocationFactory)
    scope = BreakerScope.LOCATION


class ServiceHeartbeatFactory(DjangoModelFactory[ServiceHeartbeat]):
    """The managers, heard just now; ``silent`` was last heard an hour ago."""

    class Meta:
        model = ServiceHeartbeat
        django_get_or_create = ("service_type", "name")

    class Params:
        silent = factory.Trait(last_seen=factory.LazyFunction(lambda: timezone.now() - timedelta(hours=1)))

    service_type = "managers"
    name = "managers"
    host = "localhost"
    pid = 1000
    last_seen = factory.LazyFunction(timezone.now)


class WorkTotalFactory(DjangoModelFactory[WorkTotal]):
    """An hour in which ten packages of 100 GB in all were archived."""

    class Meta:
        model = WorkTotal
        django_get_or_create = ("period", "starts_at", "kind", "location", "destination")

    period = Period.HOUR
    starts_at = datetime(2026, 3, 1, 4, tzinfo=UTC)
    kind = OperationType.LONG_TERM_ARCHIVE_TRANSFER
    location = factory.SubFactory(ArchiveLocationFactory)
    destination = None
    done = 10
    files = 50_000
    bytes = 100_000_000_000
    seconds = 300.0
    longest_seconds = 60.0


class LocationUsageFactory(DjangoModelFactory[LocationUsage]):
    """An hour in which the buffer was half full."""

    class Meta:
        model = LocationUsage
        django_get_or_create = ("period", "starts_at", "location")

    period = Period.HOUR
    starts_at = datetime(2026, 3, 1, 4, tzinfo=UTC)
    location = factory.SubFactory(BufferLocationFactory)
    used_bytes = 5 * 10**13
    capacity_bytes = 10**14


class DownloadFactory(DjangoModelFactory[Download]):
    """A file of 1,000 bytes that was sent."""

    class Meta:
        model = Download

    user = factory.SubFactory(UserFactory, permissions=["read:observations", "stage:data"])
    kind = "file"
    name = "r01d1_1750012345_000.g3"
    size = 1000
    sent_bytes = 1000
    outcome = "complete"
    ended_at = factory.LazyFunction(timezone.now)


class StagingQuotaFactory(DjangoModelFactory[StagingQuota]):
    """100 GB for everybody who has no quota of their own, or for whom is named."""

    class Meta:
        model = StagingQuota

    max_gb = 100
