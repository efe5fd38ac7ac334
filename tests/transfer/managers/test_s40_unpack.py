"""Stage 40, the manager: bundles that arrived in a BUFFER are unpacked there."""

from __future__ import annotations

import pytest
from django.db import transaction

from ccatdc.common.states import Status
from tests.transfer.parallel import race
from tests.transfer.world import World, change
from transfer.managers.s40_unpack import UnpackManager
from transfer.models import DataTransfer, DataTransferUnpacking, Operation

pytestmark = pytest.mark.django_db


def arrived(world: World, **fields: object) -> DataTransfer:
    """A transfer to the BUFFER in Cologne that is over."""
    fields.setdefault("unpack_status", Status.PENDING)
    return world.sent(world.bundle(world.package()), **fields)


def test_a_bundle_that_arrived_is_unpacked_where_it_is(world: World) -> None:
    transfer = arrived(world, priority=2, total_bytes=77)
    manager = UnpackManager()
    assert manager.run_once() == 1
    unpacking = DataTransferUnpacking.objects.get()
    assert unpacking.data_transfer == transfer
    assert unpacking.location == world.input_buffer
    assert (unpacking.status, unpacking.priority, unpacking.total_bytes) == (Status.SCHEDULED, 2, 77)
    assert DataTransfer.objects.get().unpack_status == Status.SCHEDULED
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    arrived(world)
    assert [UnpackManager().run_once(), UnpackManager().run_once()] == [1, 0]


@pytest.mark.parametrize("status", [Status.PENDING, Status.SCHEDULED, Status.FAILED])
def test_what_has_not_arrived_is_not_unpacked(world: World, status: str) -> None:
    arrived(world, completed=False, status=status)
    assert UnpackManager().run_once() == 0


def test_what_ended_in_an_archive_has_nothing_to_unpack(world: World) -> None:
    arrived(world, destination_location=world.archive)
    assert UnpackManager().run_once() == 0


def test_a_failed_unpacking_is_not_planned_again_but_retried(world: World) -> None:
    transfer = arrived(world)
    UnpackManager().run_once()
    DataTransferUnpacking._base_manager.update(status=Status.FAILED)
    DataTransfer._base_manager.update(unpack_status=Status.FAILED)
    assert UnpackManager().run_once() == 0
    assert transfer.unpackings.count() == 1


def test_each_destination_of_a_bundle_unpacks_for_itself(world: World) -> None:
    _, far, _ = world.third_site()
    first = arrived(world)
    world.sent(first.data_transfer_package, destination_location=far, unpack_status=Status.PENDING)
    assert UnpackManager().run_once() == 2


def test_at_a_buffer_that_is_off_the_unpacking_waits_for_it(world: World) -> None:
    arrived(world)
    change(world.input_buffer, active=False)
    assert UnpackManager().run_once() == 1
    assert DataTransferUnpacking.objects.get().status == Status.PENDING


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_unpack_each_bundle_once(world: World) -> None:
    for _ in range(5):
        arrived(world)
    managers = race(UnpackManager)
    assert DataTransferUnpacking.objects.count() == 5
    assert [manager.waiting for manager in managers] == [[], []]


def test_what_was_unpacked_between_look_and_plan_is_not_unpacked_again(world: World) -> None:
    arrived(world)
    slow = UnpackManager()
    found = list(slow.find_work())
    UnpackManager().run_once()
    Operation.objects.non_polymorphic().update(status=Status.COMPLETED)
    with transaction.atomic():
        assert [slow.plan(work) for work in found] == [0]
    assert DataTransferUnpacking.objects.count() == 1
