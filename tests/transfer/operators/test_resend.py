"""Resend: every way that is left, in its order, and what is said when none is."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import SystemLog, User
from ccatdc.common.errors import ConflictError
from ccatdc.common.states import Status
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState
from tests.factories.accounts import UserFactory
from tests.factories.transfer import (
    DataTransferPackageCreationFactory,
    DataTransferUnpackingFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    StagingFactory,
)
from tests.transfer.world import World, change
from transfer.managers.s20_bundle import BundleManager
from transfer.models import Operation, RawDataPackageCreation
from transfer.operators.resend import send_again

pytestmark = pytest.mark.django_db
DAMAGED = {"integrity": Integrity.DAMAGED}


@pytest.fixture
def user(db: None) -> User:
    made: User = UserFactory.create()
    return made


def failed(world: World, *places: DataLocation) -> RawDataPackage:
    """A package that failed, with good copies at these places."""
    return world.package(*places, state=PackageState.FAILED)


def transfer_of(world: World, package: RawDataPackage, **fields: Any) -> Operation:
    """The failed transfer of a bundle with it from Chile to Cologne."""
    bundle = world.bundle(package)
    transfer: Operation = world.sent(bundle, completed=False, failed=True, unpack_status=Status.PENDING, **fields)
    return transfer


def archiving_of(world: World, package: RawDataPackage, **fields: Any) -> Operation:
    """Its failed transfer into the archive in Cologne."""
    made: Operation = LongTermArchiveTransferFactory.create(
        raw_data_package=package, location=world.archive, origin_location=world.input_buffer, failed=True, **fields
    )
    return made


def status_of(operation: Operation) -> str:
    operation.refresh_from_db()
    return operation.status


def state_of(package: RawDataPackage) -> str:
    package.refresh_from_db()
    return package.state


@pytest.mark.parametrize("state", sorted(set(PackageState) - {PackageState.FAILED}))
def test_what_has_not_failed_is_refused(world: World, user: User, state: str) -> None:
    package = world.package(world.output_buffer, state=state)
    with pytest.raises(ConflictError) as caught:
        send_again(package, user)
    assert caught.value.code == "package.not_failed"
    assert state_of(package) == state


def test_it_is_the_row_that_must_have_failed_not_the_page(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    RawDataPackage.objects.update(state=PackageState.TRANSFERRING)
    with pytest.raises(ConflictError):
        send_again(package, user)


def test_a_transfer_that_can_succeed_is_tried_again(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    transfer = transfer_of(world, package)
    send_again(package, user)

    assert status_of(transfer) == Status.PENDING
    assert state_of(package) == PackageState.TRANSFERRING
    (line,) = SystemLog.objects.filter(object_id=str(package.pk))
    assert line.user == user
    assert "is tried again" in line.message


@pytest.mark.parametrize("code", ["transfer.bundle_gone", "transfer.no_good_package"])
def test_a_bundle_that_is_the_trouble_itself_is_left(world: World, user: User, code: str) -> None:
    package = failed(world, world.output_buffer)
    transfer = transfer_of(world, package, error_code=code)
    send_again(package, user)

    assert status_of(transfer) == Status.FAILED
    assert state_of(package) == PackageState.WAITING
    assert not package.data_transfer_packages.exists()
    assert not Operation.objects.failed_unseen().exists(), "it keeps nothing any more"


def test_its_failure_stays_in_sight_while_it_keeps_another_package(world: World, user: User) -> None:
    package, other = failed(world, world.output_buffer), failed(world, world.output_buffer)
    transfer = world.sent(
        world.bundle(package, other),
        completed=False,
        failed=True,
        error_code="transfer.bundle_gone",
        unpack_status=Status.PENDING,
    )
    send_again(package, user)
    assert list(Operation.objects.failed_unseen()) == [transfer]
    send_again(other, user)
    assert not Operation.objects.failed_unseen().exists()


def test_so_is_one_that_could_not_be_made_for_want_of_packages(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    creation = DataTransferPackageCreationFactory.create(
        data_transfer_package=world.bundle(package),
        location=world.output_buffer,
        failed=True,
        error_code="bundle.no_good_package",
    )
    send_again(package, user)

    assert status_of(creation) == Status.FAILED
    assert state_of(package) == PackageState.WAITING
    assert not package.data_transfer_packages.exists()


def test_bundles_that_did_not_fail_stay_in_its_history(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    bundle = world.bundle(package)
    world.sent(bundle)
    send_again(package, user)

    assert list(package.data_transfer_packages.all()) == [bundle]
    assert state_of(package) == PackageState.WAITING


def test_a_transfer_whose_copy_is_bad_gives_way_to_a_copy_elsewhere(world: World, user: User) -> None:
    second = world.buffer(world.ccat, "second")
    package = failed(world, second)
    world.copy(package, world.output_buffer, **DAMAGED)
    transfer = transfer_of(world, package)
    send_again(package, user)

    assert status_of(transfer) == Status.FAILED
    assert BundleManager().run_once() == 1
    assert package.data_transfer_packages.get().origin_location == second


def test_an_older_failure_is_tried_again_when_the_newest_cannot_succeed(world: World, user: User) -> None:
    package = failed(world, world.input_buffer)
    world.copy(package, world.output_buffer, **DAMAGED)
    archiving = archiving_of(world, package)
    transfer = transfer_of(world, package)
    send_again(package, user)

    assert (status_of(archiving), status_of(transfer)) == (Status.PENDING, Status.FAILED)
    assert state_of(package) == PackageState.TRANSFERRING


def test_an_archive_without_an_origin_waits_for_a_new_bundle(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    world.copy(package, world.input_buffer, **DAMAGED)
    archiving = archiving_of(world, package)
    send_again(package, user)

    assert status_of(archiving) == Status.FAILED
    assert state_of(package) == PackageState.WAITING


def test_an_unpacking_is_tried_again(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    transfer = world.sent(world.bundle(package), unpack_status=Status.FAILED)
    unpacking = DataTransferUnpackingFactory.create(data_transfer=transfer, location=world.input_buffer, failed=True)
    send_again(package, user)

    assert status_of(unpacking) == Status.PENDING


def test_a_failed_staging_is_no_way_to_the_archive(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    staging = StagingFactory.create(raw_data_package=package, location=world.processing, failed=True)
    send_again(package, user)

    assert status_of(staging) == Status.FAILED
    assert state_of(package) == PackageState.WAITING


def test_a_copy_to_be_checked_again_is_bundled(world: World, user: User) -> None:
    package = failed(world)
    world.copy(package, world.output_buffer, integrity=Integrity.UNVERIFIED)
    send_again(package, user)

    assert BundleManager().run_once() == 1
    assert state_of(package) == PackageState.TRANSFERRING


def test_a_vain_attempt_to_make_it_again_is_tried_again_and_finds_the_copy(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    world.source_file(package, integrity=Integrity.MISSING)
    transfer_of(world, package, error_code="transfer.bundle_gone")
    creation = RawDataPackageCreationFactory.create(raw_data_package=package, location=world.source, failed=True)
    send_again(package, user)

    assert status_of(creation) == Status.PENDING
    assert state_of(package) == PackageState.WAITING
    assert not package.data_transfer_packages.exists()


def test_a_buffer_that_is_off_is_no_way(world: World, user: User) -> None:
    package = failed(world, world.output_buffer)
    world.source_file(package)
    change(world.output_buffer, active=False)
    world.buffer(world.ccat, "second")
    send_again(package, user)

    creation = RawDataPackageCreation.objects.get()
    assert creation.destination_location.name == "second"


def test_without_a_good_copy_it_is_made_again_of_its_files(world: World, user: User) -> None:
    package = failed(world)
    world.copy(package, world.output_buffer, **DAMAGED)
    world.source_file(package)
    world.source_file(package, integrity=Integrity.UNVERIFIED)
    transfer_of(world, package, error_code="transfer.no_good_package")
    send_again(package, user)

    creation = RawDataPackageCreation.objects.get()
    assert (creation.location, creation.destination_location) == (world.source, world.output_buffer)
    assert creation.status == Status.SCHEDULED
    assert state_of(package) == PackageState.WAITING
    assert package.status == Status.SCHEDULED
    assert not package.data_transfer_packages.exists()
    assert not Operation.objects.failed_unseen().exists()


def test_its_status_follows_also_when_there_is_no_room_in_the_queue(
    world: World, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = failed(world)
    world.source_file(package)
    monkeypatch.setattr("transfer.engine.dispatch.QUEUE_DEPTH", 0)
    send_again(package, user)

    assert state_of(package) == PackageState.WAITING
    assert package.status == Status.PENDING


def test_a_creation_that_failed_is_tried_again_and_not_doubled(world: World, user: User) -> None:
    package = failed(world)
    world.source_file(package)
    creation = RawDataPackageCreationFactory.create(raw_data_package=package, location=world.source, failed=True)
    send_again(package, user)

    assert RawDataPackageCreation.objects.get() == creation
    assert status_of(creation) == Status.PENDING
    assert state_of(package) == PackageState.WAITING


@pytest.mark.parametrize("files", [[], [{}, {"integrity": Integrity.MISSING}]], ids=["none", "some"])
def test_when_nothing_is_left_it_says_what_to_do(world: World, user: User, files: list[dict[str, Any]]) -> None:
    package = failed(world)
    world.copy(package, world.output_buffer, **DAMAGED)
    transfer = transfer_of(world, package)
    for fields in files:
        world.source_file(package, **fields)
    with pytest.raises(ConflictError) as caught:
        send_again(package, user)

    assert caught.value.code == "package.nothing_left"
    assert state_of(package) == PackageState.FAILED
    assert status_of(transfer) == Status.FAILED
    assert PhysicalCopy.objects.of_package(package.pk).get().integrity == Integrity.DAMAGED
