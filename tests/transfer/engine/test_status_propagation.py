"""What follows when an operation changes its status: mirrors, states of packages, copies given back."""

from __future__ import annotations

from typing import Any

import pytest

from ccatdc.common.errors import InvalidTransition
from ccatdc.common.states import Status, transition
from datamgmt.models import DataTransferPackage, PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState, PhysicalCopyStatus
from tests.factories.transfer import (
    DataTransferFactory,
    DataTransferPackageCreationFactory,
    DataTransferUnpackingFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    StagingFactory,
)
from tests.transfer.world import World
from transfer.engine import dispatch
from transfer.models import DataTransfer, Operation
from transfer.retention.deletions import schedule

pytestmark = pytest.mark.django_db


def state_of(package: RawDataPackage) -> str:
    """As the database has it."""
    return RawDataPackage.objects.values_list("state", flat=True).get(pk=package.pk)


def fail(operation: Operation) -> None:
    """Retrying cannot help."""
    transition(operation, Status.FAILED, error_code="test.failed", error_message="It failed.")


def test_the_status_of_a_package_is_that_of_its_creation(world: World) -> None:
    package = world.package()
    RawDataPackage.objects.update(status=Status.PENDING)
    creation = RawDataPackageCreationFactory.create(raw_data_package=package)
    for status in (Status.SCHEDULED, Status.PENDING, Status.SCHEDULED, Status.FAILED):
        transition(creation, status)
        assert RawDataPackage.objects.get().status == status


def test_the_status_of_a_bundle_is_that_of_its_creation(world: World) -> None:
    bundle = world.bundle()
    creation = DataTransferPackageCreationFactory.create(data_transfer_package=bundle)
    transition(creation, Status.SCHEDULED)
    assert DataTransferPackage.objects.get().status == Status.SCHEDULED


def test_a_transfer_knows_how_its_unpacking_fares(world: World) -> None:
    transfer = world.sent(world.bundle(), unpack_status=Status.PENDING)
    unpacking = DataTransferUnpackingFactory.create(data_transfer=transfer)
    transition(unpacking, Status.SCHEDULED)
    assert DataTransfer.objects.get().unpack_status == Status.SCHEDULED
    fail(unpacking)
    assert DataTransfer.objects.get().unpack_status == Status.FAILED
    assert DataTransfer.objects.get().status == Status.COMPLETED


def test_a_mirror_is_kept_also_through_the_base_class(world: World) -> None:
    bundle = world.bundle()
    creation = DataTransferPackageCreationFactory.create(data_transfer_package=bundle)
    transition(Operation.objects.non_polymorphic().get(pk=creation.pk), Status.SCHEDULED)
    assert DataTransferPackage.objects.get().status == Status.SCHEDULED


def make(kind: str, world: World, package: RawDataPackage) -> Operation:
    """A pending operation of this kind on whose success the package's way depends."""
    bundle = world.bundle(package)
    if kind == "creation":
        made: Any = RawDataPackageCreationFactory.create(raw_data_package=package)
    elif kind == "bundle":
        made = DataTransferPackageCreationFactory.create(data_transfer_package=bundle)
    elif kind == "transfer":
        made = DataTransferFactory.create(data_transfer_package=bundle)
    elif kind == "unpacking":
        transfer = world.sent(bundle, unpack_status=Status.PENDING)
        made = DataTransferUnpackingFactory.create(data_transfer=transfer)
    else:
        made = LongTermArchiveTransferFactory.create(raw_data_package=package)
    operation: Operation = made
    return operation


ON_THE_WAY = {
    "creation": PackageState.WAITING,
    "bundle": PackageState.TRANSFERRING,
    "transfer": PackageState.TRANSFERRING,
    "unpacking": PackageState.TRANSFERRING,
    "archive": PackageState.TRANSFERRING,
}


@pytest.mark.parametrize("kind", list(ON_THE_WAY))
def test_a_package_fails_with_its_operation_and_comes_back_with_its_retry(world: World, kind: str) -> None:
    package = world.package(state=ON_THE_WAY[kind])
    untouched = world.package()
    operation = make(kind, world, package)
    fail(operation)
    assert state_of(package) == PackageState.FAILED
    assert state_of(untouched) == PackageState.WAITING
    dispatch.retry(operation, user=None)
    assert state_of(package) == ON_THE_WAY[kind]


@pytest.mark.parametrize("kind", list(ON_THE_WAY))
def test_what_is_archived_stays_archived_whatever_fails(world: World, kind: str) -> None:
    package = world.archived()
    operation = make(kind, world, package)
    fail(operation)
    assert state_of(package) == PackageState.ARCHIVED
    dispatch.retry(operation, user=None)
    assert state_of(package) == PackageState.ARCHIVED


def test_an_attempt_that_will_be_repeated_fails_no_package(world: World) -> None:
    package = world.package(state=PackageState.TRANSFERRING)
    transfer = DataTransferFactory.create(data_transfer_package=world.bundle(package), in_progress=True)
    transition(transfer, Status.PENDING, lease_until=None)
    assert state_of(package) == PackageState.TRANSFERRING


def test_a_failed_staging_fails_no_package(world: World) -> None:
    package = world.archived()
    fail(StagingFactory.create(raw_data_package=package))
    assert state_of(package) == PackageState.ARCHIVED


def test_all_packages_of_a_bundle_fail_together(world: World) -> None:
    packages = [world.package(state=PackageState.TRANSFERRING) for _ in range(3)]
    transfer = DataTransferFactory.create(data_transfer_package=world.bundle(*packages))
    fail(transfer)
    assert {state_of(package) for package in packages} == {PackageState.FAILED}


def test_what_does_not_happen_has_no_consequences(world: World) -> None:
    package = world.package(state=PackageState.TRANSFERRING)
    transfer = DataTransferFactory.create(data_transfer_package=world.bundle(package), completed=True)
    with pytest.raises(InvalidTransition):
        fail(transfer)
    assert state_of(package) == PackageState.TRANSFERRING


def test_a_cancelled_deletion_gives_its_copies_back(world: World) -> None:
    copies = [world.source_file(world.archived()).pk for _ in range(2)]
    deletion = schedule(world.source, copies)
    assert deletion is not None
    dispatch.cancel(deletion, user=None)
    statuses = PhysicalCopy.objects.at(world.source).values_list("status", flat=True)
    assert set(statuses) == {PhysicalCopyStatus.PRESENT}


def test_a_failed_deletion_keeps_its_copies_for_a_retry(world: World) -> None:
    deletion = schedule(world.source, [world.source_file(world.archived()).pk])
    assert deletion is not None
    fail(deletion)
    copy = PhysicalCopy.objects.at(world.source).get()
    assert copy.status == PhysicalCopyStatus.DELETION_SCHEDULED
