"""Stage 50: an archive transfer that found nothing to read goes on when there is something."""

from __future__ import annotations

from typing import Any

import pytest

from ccatdc.common.states import Status
from datamgmt.models import RawDataPackage
from datamgmt.states import Integrity, PackageState
from tests.factories.transfer import LongTermArchiveTransferFactory
from tests.transfer.world import World
from transfer.engine import dispatch
from transfer.managers.s50_archive import ArchiveManager
from transfer.models import LongTermArchiveTransfer, Operation

pytestmark = pytest.mark.django_db


def without_origin(world: World, package: RawDataPackage, code: str = "archive.no_origin") -> Any:
    """Its transfer to the archive in Cologne, which found nothing to read."""
    return LongTermArchiveTransferFactory.create(
        raw_data_package=package,
        location=world.archive,
        origin_location=world.input_buffer,
        destination_location=world.archive,
        failed=True,
        error_code=code,
    )


def status_of(transfer: Operation) -> str:
    """As the database has it."""
    transfer.refresh_from_db()
    return transfer.status


@pytest.mark.parametrize("integrity", [Integrity.OK, Integrity.UNVERIFIED])
def test_it_goes_on_when_there_is_a_copy_to_read_again(world: World, integrity: str) -> None:
    package = world.package(state=PackageState.FAILED)
    transfer = without_origin(world, package)
    ArchiveManager().run_once()
    assert status_of(transfer) == Status.FAILED
    world.copy(package, world.input_buffer, integrity=integrity)
    ArchiveManager().run_once()

    assert status_of(transfer) == Status.PENDING
    package.refresh_from_db()
    assert package.state == PackageState.TRANSFERRING
    assert LongTermArchiveTransfer.objects.count() == 1


def test_it_does_not_go_on_from_where_the_archive_reads_nothing(world: World) -> None:
    package = world.package(world.output_buffer, state=PackageState.FAILED)
    transfer = without_origin(world, package)
    world.copy(package, world.input_buffer, integrity=Integrity.DAMAGED)
    ArchiveManager().run_once()
    assert status_of(transfer) == Status.FAILED


def test_what_failed_otherwise_waits_for_a_person(world: World) -> None:
    package = world.package(world.input_buffer, state=PackageState.FAILED)
    transfer = without_origin(world, package, code="operation.cancelled")
    ArchiveManager().run_once()
    assert status_of(transfer) == Status.FAILED


def test_what_another_manager_let_go_on_is_left_alone(world: World) -> None:
    package = world.package(world.input_buffer, state=PackageState.FAILED)
    transfer = without_origin(world, package)
    (found,) = ArchiveManager().find_work()
    dispatch.retry(transfer, user=None)
    Operation.objects.non_polymorphic().filter(pk=transfer.pk).update(attempts=3)

    assert ArchiveManager().plan(found) == 0
    assert Operation.objects.non_polymorphic().get(pk=transfer.pk).attempts == 3
