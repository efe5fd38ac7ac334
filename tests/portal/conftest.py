"""People who use the portal, and one row of everything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from datamgmt.models import DataLocation
from tests.factories.accounts import ApiTokenFactory, FailedLogInFactory, RoleFactory, SystemLogFactory, UserFactory
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    DataArchiveFactory,
    DataProductFactory,
    DataTransferPackageFactory,
    DataTransferPackagePhysicalCopyFactory,
    ProcessingLocationFactory,
    ProductFileFactory,
    PublicationFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackageMetadataFactory,
    RawDataPackagePhysicalCopyFactory,
    SourceLocationFactory,
    TapeDataLocationFactory,
    UnrecordedFileFactory,
)
from tests.factories.notifications import AlertFactory, NotificationRuleFactory, OutgoingMessageFactory
from tests.factories.observatory import (
    ChaiModuleConfigurationFactory,
    DataStreamFactory,
    PrimeCamModuleConfigurationFactory,
)
from tests.factories.planning import (
    CalibrationCadenceFactory,
    ChaiInparParameterFactory,
    ChaiTilingFactory,
    ConstantElevationAzimuthRangeFactory,
    ConstantElevationSourceFactory,
    FixedSourceFactory,
    PreScheduledSlotFactory,
    PrimeCamObservationConfigurationFactory,
    SolarSystemObjectFactory,
    SubObservingProgramFactory,
    WeatherSampleFactory,
)
from tests.factories.transfer import (
    DataTransferFactory,
    DataTransferLogFactory,
    DataTransferPackageCreationFactory,
    DataTransferRouteFactory,
    DataTransferUnpackingFactory,
    DeletionItemFactory,
    DownloadFactory,
    InventoryFactory,
    LocationCheckFactory,
    LocationUsageFactory,
    LongTermArchiveTransferFactory,
    LongTermArchiveTransferLogFactory,
    ProcessingJobFactory,
    QueryJobFactory,
    RawDataPackageCreationFactory,
    RoundRobinCursorFactory,
    RunCollectionFactory,
    RunFollowingFactory,
    RunSubmissionFactory,
    ServiceHeartbeatFactory,
    StagingFactory,
    StagingJobFactory,
    StagingJobLogFactory,
    StagingQuotaFactory,
    VerificationFactory,
    WorkTotalFactory,
)
from transfer.models import CircuitBreaker


def person(role: str, *, staff: bool = True) -> User:
    """Somebody with one of the default roles; staff unless said otherwise."""
    user = UserFactory.create(username=role, is_staff=staff)
    user.roles.add(Role.objects.get(name=role))
    return user


def logged_in(user: User) -> Client:
    """A browser in which this person is logged in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(db: None) -> Client:
    """Somebody who may do everything by role, and is no superuser."""
    return logged_in(person("admin"))


@pytest.fixture
def viewer(db: None) -> Client:
    """Somebody of the staff who may look only, at everything."""
    user = person("viewer")
    user.roles.add(RoleFactory.create(name="oversight", permissions=["read:all_programs"]))
    return logged_in(user)


@pytest.fixture
def one_of_each(db: None) -> None:
    """At least one row of every model that has a page."""
    SourceLocationFactory.create()
    BufferLocationFactory.create()
    ArchiveLocationFactory.create()
    ProcessingLocationFactory.create()
    TapeDataLocationFactory.create()
    DataArchiveFactory.create()
    FixedSourceFactory.create()
    SolarSystemObjectFactory.create()
    ConstantElevationSourceFactory.create()
    program = SubObservingProgramFactory.create().observing_program
    program.members.add(UserFactory.create(username="member"))
    ConstantElevationAzimuthRangeFactory.create()
    ChaiModuleConfigurationFactory.create()
    DataStreamFactory.create()
    CalibrationCadenceFactory.create()
    PrimeCamModuleConfigurationFactory.create()
    PrimeCamObservationConfigurationFactory.create()
    ChaiInparParameterFactory.create()
    ChaiTilingFactory.create()
    PreScheduledSlotFactory.create()
    WeatherSampleFactory.create()
    ApiTokenFactory.create()
    SystemLogFactory.create()
    FailedLogInFactory.create()
    package = RawDataPackageFactory.create(archived=True)
    RawDataPackageMetadataFactory.create(raw_data_package=package)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package)
    file = RawDataFileFactory.create(raw_data_package=package)
    RawDataFilePhysicalCopyFactory.create(raw_data_file=file)
    bundle = DataTransferPackageFactory.create(built=True, packages=[package])
    DataTransferPackagePhysicalCopyFactory.create(data_transfer_package=bundle)
    RawDataPackageCreationFactory.create(raw_data_package=package, completed=True)
    DataTransferPackageCreationFactory.create(data_transfer_package=bundle)
    transfer = DataTransferFactory.create(data_transfer_package=bundle)
    DataTransferLogFactory.create(data_transfer=transfer)
    DataTransferUnpackingFactory.create(data_transfer=transfer)
    archiving = LongTermArchiveTransferFactory.create(raw_data_package=package, failed=True)
    LongTermArchiveTransferLogFactory.create(long_term_archive_transfer=archiving)
    job = StagingJobFactory.create(packages=[package])
    StagingFactory.create(staging_job=job, raw_data_package=package)
    StagingJobLogFactory.create(staging_job=job, raw_data_package=package)
    processing_job = ProcessingJobFactory.create(staging_job=job)
    RunSubmissionFactory.create(processing_job=processing_job)
    RunFollowingFactory.create(run_backend=processing_job.pipeline.run_backend)
    RunCollectionFactory.create(processing_job=processing_job)
    DeletionItemFactory.create()
    DownloadFactory.create()
    StagingQuotaFactory.create(user=job.requested_by)
    LocationCheckFactory.create()
    VerificationFactory.create()
    InventoryFactory.create()
    UnrecordedFileFactory.create()
    DataTransferRouteFactory.create()
    product = DataProductFactory.create()
    ProductFileFactory.create(data_product=product)
    PublicationFactory.create().data_products.add(product)
    RoundRobinCursorFactory.create()
    ServiceHeartbeatFactory.create()
    QueryJobFactory.create()
    AlertFactory.create()
    NotificationRuleFactory.create()
    OutgoingMessageFactory.create()
    WorkTotalFactory.create()
    LocationUsageFactory.create()
    CircuitBreaker.objects.create(location=BufferLocationFactory.create(), scope="location")


@pytest.fixture
def well(db: None) -> Callable[[], None]:
    """Makes everything that exists by now look well."""

    def make() -> None:
        now = timezone.now()
        DataLocation.objects.non_polymorphic().update(
            registered_at=now - timedelta(days=1), checked_at=now, used_bytes=10**12, capacity_bytes=10**13
        )
        for location in DataLocation.objects.non_polymorphic().with_site():
            ServiceHeartbeatFactory.create(service_type="location", name=location.full_name)
        ServiceHeartbeatFactory.create()

    return make
