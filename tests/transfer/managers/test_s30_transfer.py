"""Stage 30, the manager: bundles that are built set out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, DataTransferPackage
from tests.factories.transfer import CircuitBreakerFactory, DataTransferPackageCreationFactory, DataTransferRouteFactory
from tests.transfer.parallel import at_once, race
from tests.transfer.world import World, change, fill
from transfer.engine import dispatch
from transfer.engine.worker import runner
from transfer.engine.worker.lease import clock
from transfer.managers.s30_transfer import TransferManager
from transfer.models import CircuitBreaker, DataTransfer, DataTransferRoute, Operation, RouteType
from transfer.models.health import BreakerScope

pytestmark = pytest.mark.django_db


def codes(manager: TransferManager) -> list[str]:
    """For what its last pass's work waits."""
    return [entry["code"] for entry in manager.waiting]


def test_a_bundle_sets_out_for_the_buffer_of_its_site(world: World) -> None:
    bundle = world.bundle(world.package(executed_obs_unit=world.observation(priority=2)))
    manager = TransferManager()
    assert manager.run_once() == 1

    transfer = DataTransfer.objects.get()
    assert transfer.data_transfer_package == bundle
    assert transfer.location == transfer.origin_location == world.output_buffer
    assert transfer.destination_location == world.input_buffer
    assert (transfer.status, transfer.unpack_status) == (Status.SCHEDULED, Status.PENDING)
    assert (transfer.priority, transfer.total_bytes) == (2, bundle.size)
    assert transfer.route is None
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    world.bundle(world.package())
    assert [TransferManager().run_once(), TransferManager().run_once()] == [1, 0]


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.COMPLETED}))
def test_a_bundle_that_is_not_built_stays(world: World, status: str) -> None:
    world.bundle(world.package())
    DataTransferPackage.objects.update(status=status)
    assert TransferManager().run_once() == 0


def test_a_failed_transfer_is_not_planned_again(world: World) -> None:
    world.sent(world.bundle(world.package()), completed=False, failed=True)
    assert TransferManager().run_once() == 0


def test_a_transfer_is_as_urgent_as_its_most_urgent_package(world: World) -> None:
    packages = [world.package(executed_obs_unit=world.observation(priority=priority)) for priority in (7, 1, 5)]
    world.bundle(*packages)
    TransferManager().run_once()
    assert DataTransfer.objects.get().priority == 1


def test_a_bundle_goes_where_its_route_said_when_it_was_closed(world: World) -> None:
    route = DataTransferRouteFactory.create(origin_site=world.ccat, destination_site=world.cologne, method="cp")
    bundle = world.bundle(world.package(), destination_location=world.archive)
    DataTransferPackageCreationFactory.create(data_transfer_package=bundle, route=route, completed=True)
    DataTransferRoute.objects.update(active=False)
    TransferManager().run_once()
    transfer = DataTransfer.objects.get()
    assert (transfer.destination_location, transfer.route) == (world.archive, route)


def test_a_route_written_later_is_not_the_bundles_own(world: World) -> None:
    world.bundle(world.package())
    DataTransferRouteFactory.create(origin_site=world.ccat, destination_site=world.cologne, route_type=RouteType.DIRECT)
    TransferManager().run_once()
    transfer = DataTransfer.objects.get()
    assert (transfer.destination_location, transfer.route) == (world.input_buffer, None)


# What work waits for


@pytest.mark.parametrize("problem", ["off", "full"])
def test_without_a_buffer_the_bundle_waits_and_goes_on_when_there_is_one(world: World, problem: str) -> None:
    world.bundle(world.package())
    if problem == "off":
        change(world.input_buffer, active=False)
    else:
        fill(world.input_buffer, 96)
    manager = TransferManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["route.no_buffer" if problem == "off" else "route.buffers_full"]
    assert DataTransfer.objects.count() == 0
    change(world.input_buffer, active=True, used_bytes=0)
    assert manager.run_once() == 1
    assert manager.waiting == []


def test_a_bundle_waits_for_the_very_place_that_its_route_named(world: World) -> None:
    world.bundle(world.package(), destination_location=world.archive)
    change(world.archive, active=False)
    manager = TransferManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["location.inactive"]
    change(world.archive, active=True)
    assert manager.run_once() == 1


def test_one_bundle_that_waits_does_not_stop_another(world: World) -> None:
    _, far, _ = world.third_site()
    world.bundle(world.package())
    world.bundle(world.package(), destination_site=far.site)
    change(world.input_buffer, active=False)
    assert TransferManager().run_once() == 1
    assert DataTransfer.objects.get().destination_location == far


# Redirecting


def planned(world: World) -> DataTransfer:
    """A transfer to the BUFFER in Cologne that nobody has begun."""
    world.bundle(world.package())
    TransferManager().run_once()
    transfer: DataTransfer = DataTransfer.objects.get()
    return transfer


@pytest.mark.parametrize("status", [Status.PENDING, Status.SCHEDULED])
def test_a_transfer_is_redirected_when_its_buffer_is_switched_off(world: World, status: str) -> None:
    transfer = planned(world)
    Operation.objects.non_polymorphic().update(status=status)
    spare = world.buffer(world.cologne, "spare", priority=9)
    change(world.input_buffer, active=False)
    manager = TransferManager()
    assert manager.run_once() == 1
    transfer.refresh_from_db()
    assert transfer.destination_location == spare
    assert transfer.subject == f"bundle:{transfer.data_transfer_package_id}@{spare.pk}"
    assert (transfer.status, transfer.claims) == (Status.SCHEDULED, 1)
    assert manager.run_once() == 0


def held_back(buffer: DataLocation, *, minutes: float = 5, scope: str = BreakerScope.WRITES) -> CircuitBreaker:
    """Its breaker is open; the next trial is due in so many minutes."""
    now = timezone.now()
    breaker: CircuitBreaker = CircuitBreakerFactory.create(
        location=buffer, scope=scope, opened_at=now, next_trial_at=now + timedelta(minutes=minutes), open_seconds=60
    )
    return breaker


@pytest.mark.parametrize("scope", [BreakerScope.WRITES, BreakerScope.LOCATION])
def test_a_transfer_is_redirected_when_its_buffer_fails(world: World, scope: str) -> None:
    transfer = planned(world)
    spare = world.buffer(world.cologne, "spare", priority=9)
    breaker = held_back(world.input_buffer, scope=scope)
    Operation.objects.non_polymorphic().update(
        status=Status.PENDING, waits_for=breaker, run_after=timezone.now() + timedelta(hours=1)
    )
    manager = TransferManager()
    assert manager.run_once() == 1
    transfer.refresh_from_db()
    assert (transfer.destination_location, transfer.writes_to_id, transfer.waits_for) == (spare, spare.pk, None)
    assert transfer.status == Status.SCHEDULED
    assert manager.run_once() == 0


def test_a_transfer_is_redirected_when_its_buffer_is_full(world: World) -> None:
    transfer = planned(world)
    spare = world.buffer(world.cologne, "spare", priority=9)
    change(world.input_buffer, used_bytes=99, capacity_bytes=100)
    assert TransferManager().run_once() == 1
    transfer.refresh_from_db()
    assert transfer.destination_location == spare


def test_it_stays_where_all_fail_or_the_trial_is_due(world: World) -> None:
    transfer = planned(world)
    spare = world.buffer(world.cologne, "spare", priority=9)
    due = held_back(world.input_buffer, minutes=-1)
    assert TransferManager().run_once() == 0
    due.next_trial_at = timezone.now() + timedelta(minutes=5)
    due.save()
    held_back(spare)
    assert TransferManager().run_once() == 0
    transfer.refresh_from_db()
    assert transfer.destination_location == world.input_buffer


def test_a_new_transfer_passes_over_a_buffer_that_fails(world: World) -> None:
    spare = world.buffer(world.cologne, "spare", priority=9)
    held_back(world.input_buffer)
    assert planned(world).destination_location == spare


def test_without_another_buffer_the_transfer_waits(world: World) -> None:
    planned(world)
    change(world.input_buffer, active=False)
    manager = TransferManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["route.no_buffer"]


def test_a_transfer_in_progress_is_not_redirected(world: World) -> None:
    transfer = planned(world)
    Operation.objects.non_polymorphic().update(status=Status.IN_PROGRESS, owner="w", lease_until=timezone.now())
    world.buffer(world.cologne, "spare", priority=9)
    change(world.input_buffer, active=False)
    assert TransferManager().run_once() == 0
    transfer.refresh_from_db()
    assert transfer.destination_location == world.input_buffer


def test_a_transfer_to_the_place_of_a_route_is_not_redirected(world: World) -> None:
    spare = world.buffer(world.cologne, "spare", priority=9)
    world.bundle(world.package(), destination_location=spare)
    TransferManager().run_once()
    change(spare, active=False)
    manager = TransferManager()
    assert manager.run_once() == 0
    assert DataTransfer.objects.get().destination_location == spare


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_read_the_transfer_before_it_was_redirected_cannot_claim_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = planned(world)
    spare = world.buffer(world.cologne, "spare", priority=9)
    change(world.input_buffer, active=False)

    def redirect_meanwhile() -> float:
        """Between the worker's look at the row and its claim."""
        at_once(TransferManager().run_once)
        return clock()

    monkeypatch.setattr(runner, "clock", redirect_meanwhile)
    assert runner.claim(transfer.pk) is None
    monkeypatch.setattr(runner, "clock", clock)
    transfer.refresh_from_db()
    assert transfer.destination_location == spare
    dispatch.submit(transfer)
    claimed = runner.claim(transfer.pk)
    assert claimed is not None
    assert claimed[0] == transfer
    assert isinstance(claimed[0], DataTransfer)
    assert claimed[0].destination_location == spare


def test_what_is_redirected_is_scheduled_again(world: World) -> None:
    transfer = planned(world)
    assert dispatch.take_back(transfer)
    world.buffer(world.cologne, "spare", priority=9)
    change(world.input_buffer, active=False)
    TransferManager().run_once()
    transfer.refresh_from_db()
    assert transfer.status == Status.SCHEDULED


# Several managers


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_send_each_bundle_once(world: World) -> None:
    for _ in range(5):
        world.bundle(world.package())
    managers = race(TransferManager)
    assert DataTransfer.objects.count() == 5
    assert [manager.waiting for manager in managers] == [[], []]


def test_a_bundle_that_another_manager_sent_meanwhile_is_not_sent_elsewhere_too(world: World) -> None:
    world.bundle(world.package())
    slow = TransferManager()
    found = list(slow.find_work())
    TransferManager().run_once()
    world.buffer(world.cologne, "better", priority=0)
    with transaction.atomic():
        assert [slow.plan(work) for work in found] == [0]
    assert DataTransfer.objects.get().destination_location == world.input_buffer
