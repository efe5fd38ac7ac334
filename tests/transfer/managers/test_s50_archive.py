"""Stage 50, the manager: every active archive gets every package."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataPackage
from datamgmt.states import NEEDS_ATTENTION, Integrity, PackageState, PhysicalCopyStatus
from tests.factories.transfer import LongTermArchiveTransferFactory
from tests.transfer.parallel import at_once, race
from tests.transfer.world import World, change, days_ago
from transfer.managers import s50_archive
from transfer.managers.s50_archive import REPLICA_PRIORITY, ArchiveManager
from transfer.models import LongTermArchiveTransfer, Operation

pytestmark = pytest.mark.django_db


def planned() -> list[tuple[str, str, str]]:
    """Package, origin and destination of each archive transfer."""
    return [
        (transfer.raw_data_package.name, transfer.origin_location.full_name, transfer.destination_location.full_name)
        for transfer in LongTermArchiveTransfer.objects.order_by("pk")
    ]


def codes(manager: ArchiveManager) -> list[str]:
    """For what its last pass's work waits."""
    return [entry["code"] for entry in manager.waiting]


# New packages


def test_a_package_in_a_buffer_of_the_site_is_archived(world: World) -> None:
    package = world.package(
        world.input_buffer, state=PackageState.TRANSFERRING, executed_obs_unit=world.observation(priority=2)
    )
    manager = ArchiveManager()
    assert manager.run_once() == 1

    transfer = LongTermArchiveTransfer.objects.get()
    assert transfer.raw_data_package == package
    assert transfer.origin_location == world.input_buffer
    assert transfer.location == transfer.destination_location == world.archive
    assert (transfer.status, transfer.priority) == (Status.SCHEDULED, 2)
    assert transfer.total_bytes == package.size
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    world.package(world.input_buffer)
    assert [ArchiveManager().run_once(), ArchiveManager().run_once()] == [1, 0]


def test_a_package_in_a_buffer_of_another_site_is_not_archived_from_there(world: World) -> None:
    world.package(world.output_buffer)
    manager = ArchiveManager()
    assert manager.run_once() == 0
    assert manager.waiting == []


@pytest.mark.parametrize(
    "fields",
    [
        {"integrity": Integrity.DAMAGED},
        {"integrity": Integrity.MISSING},
        {"status": PhysicalCopyStatus.DELETION_SCHEDULED},
    ],
    ids=str,
)
def test_a_copy_that_is_not_good_is_not_archived(world: World, fields: dict[str, Any]) -> None:
    world.copy(world.package(), world.input_buffer, **fields)
    assert ArchiveManager().run_once() == 0


def test_a_copy_that_is_to_be_checked_again_is_archived_and_read_on_the_way(world: World) -> None:
    world.copy(world.package(), world.input_buffer, integrity=Integrity.UNVERIFIED)
    assert ArchiveManager().run_once() == 1


def test_a_buffer_that_is_off_is_not_read(world: World) -> None:
    world.package(world.input_buffer)
    change(world.input_buffer, active=False)
    assert ArchiveManager().run_once() == 0


def test_each_archive_of_the_site_gets_its_copy_from_the_buffer(world: World) -> None:
    world.lta(world.cologne, "second")
    world.package(world.input_buffer, name="p")
    assert ArchiveManager().run_once() == 2
    assert planned() == [
        ("p", "cologne_input_buffer", "cologne_long_term_archive"),
        ("p", "cologne_input_buffer", "cologne_second"),
    ]


def test_an_archive_beside_the_source_gets_its_copy_from_the_buffer_there(world: World) -> None:
    world.lta(world.ccat, "chile_archive")
    world.package(world.output_buffer, name="p")
    assert ArchiveManager().run_once() == 1
    assert planned() == [("p", "ccat_output_buffer", "ccat_chile_archive")]


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.COMPLETED}))
def test_where_a_transfer_is_open_or_failed_no_other_is_planned(world: World, status: str) -> None:
    package = world.package(world.input_buffer)
    traits = {"in_progress": True} if status == Status.IN_PROGRESS else {"status": status}
    LongTermArchiveTransferFactory.create(raw_data_package=package, location=world.archive, **traits)
    assert ArchiveManager().run_once() == 0


def test_a_failure_for_one_archive_stops_no_other(world: World) -> None:
    second = world.lta(world.cologne, "second")
    package = world.package(world.input_buffer)
    LongTermArchiveTransferFactory.create(raw_data_package=package, location=world.archive, failed=True)
    assert ArchiveManager().run_once() == 1
    assert LongTermArchiveTransfer.objects.latest("pk").location == second


@pytest.mark.parametrize("integrity", sorted(Integrity))
def test_an_archive_that_has_a_good_copy_gets_no_second_one(world: World, integrity: str) -> None:
    package = world.package(world.input_buffer)
    world.copy(package, world.archive, integrity=integrity)
    assert ArchiveManager().run_once() == (integrity in NEEDS_ATTENTION)


def test_an_archive_whose_copy_was_deleted_gets_a_new_one(world: World) -> None:
    package = world.archived(world.input_buffer)
    PhysicalCopy.objects.at(world.archive).update(status=PhysicalCopyStatus.DELETED)
    LongTermArchiveTransferFactory.create(raw_data_package=package, location=world.archive, completed=True)
    assert ArchiveManager().run_once() == 1


def test_new_packages_are_archived_in_the_order_in_which_they_were_made(world: World) -> None:
    for name in ("c", "a", "b"):
        world.package(world.input_buffer, name=name)
    ArchiveManager().run_once()
    assert [name for name, _, _ in planned()] == ["c", "a", "b"]


# Replicas and history


def test_a_third_site_gets_all_history_from_the_first_archive(world: World) -> None:
    world.archived(name="old", days=900)
    world.archived(name="young", days=1)
    manager = ArchiveManager()
    assert manager.run_once() == 0
    world.third_site()
    assert manager.run_once() == 2
    assert planned() == [
        ("old", "cologne_long_term_archive", "us_long_term_archive"),
        ("young", "cologne_long_term_archive", "us_long_term_archive"),
    ]
    priorities = LongTermArchiveTransfer.objects.values_list("priority", flat=True)
    assert set(priorities) == {REPLICA_PRIORITY}


def test_a_third_site_takes_from_its_own_buffer_what_is_there(world: World) -> None:
    _, far, _ = world.third_site()
    world.archived(far, name="here")
    assert ArchiveManager().run_once() == 1
    assert planned() == [("here", "us_us_buffer", "us_long_term_archive")]


def test_what_is_archived_at_the_third_site_comes_to_the_first_too(world: World) -> None:
    _, _, replica = world.third_site()
    world.package(replica, name="p", state=PackageState.ARCHIVED, archived_at=days_ago(0))
    assert ArchiveManager().run_once() == 1
    assert planned() == [("p", "us_long_term_archive", "cologne_long_term_archive")]


@pytest.mark.parametrize("integrity", sorted(NEEDS_ATTENTION))
def test_a_copy_in_trouble_is_not_replicated(world: World, integrity: str) -> None:
    world.archived()
    PhysicalCopy.objects.at(world.archive).update(integrity=integrity)
    world.third_site()
    assert ArchiveManager().run_once() == 0


def test_an_archive_that_is_off_neither_gives_nor_takes(world: World) -> None:
    _, _, replica = world.third_site()
    world.archived()
    change(replica, active=False)
    assert ArchiveManager().run_once() == 0
    change(replica, active=True)
    change(world.archive, active=False)
    assert ArchiveManager().run_once() == 0


def test_what_is_not_archived_anywhere_is_no_history(world: World) -> None:
    world.third_site()
    package = world.package(state=PackageState.FAILED)
    world.copy(package, world.archive)
    assert ArchiveManager().run_once() == 0


# Bundles on their way


def bundled(world: World, package: RawDataPackage) -> Any:
    """A bundle that brings a package to the third site."""
    us, far, replica = world.third_site()
    bundle = world.bundle(package, destination_site=us)
    return bundle, far, replica


def test_what_a_bundle_is_bringing_is_not_fetched_a_second_way(world: World) -> None:
    package = world.archived()
    bundle, far, _ = bundled(world, package)
    manager = ArchiveManager()
    assert manager.run_once() == 0
    transfer = world.sent(bundle, destination_location=far, completed=False, unpack_status=Status.PENDING)
    for status, unpack_status in ((Status.COMPLETED, Status.PENDING), (Status.COMPLETED, Status.SCHEDULED)):
        Operation.objects.non_polymorphic().filter(pk=transfer.pk).update(status=status)
        type(transfer)._base_manager.filter(pk=transfer.pk).update(unpack_status=unpack_status)
        assert ArchiveManager().run_once() == 0


@pytest.mark.parametrize("where", ["bundle", "transfer", "unpacking"])
def test_what_a_bundle_failed_to_bring_comes_from_the_other_archive(world: World, where: str) -> None:
    package = world.archived()
    bundle, far, _ = bundled(world, package)
    if where == "bundle":
        type(bundle).objects.update(status=Status.FAILED)
    elif where == "transfer":
        world.sent(bundle, destination_location=far, completed=False, failed=True)
    else:
        world.sent(bundle, destination_location=far, unpack_status=Status.FAILED)
    assert ArchiveManager().run_once() == 1


def test_a_bundle_to_another_site_does_not_matter(world: World) -> None:
    world.third_site()
    package = world.archived()
    world.bundle(package, destination_site=world.cologne)
    assert ArchiveManager().run_once() == 1


def test_of_two_bundles_the_failed_one_does_not_hide_the_one_under_way(world: World) -> None:
    package = world.archived()
    first, far, _ = bundled(world, package)
    world.sent(first, destination_location=far, completed=False, failed=True)
    world.bundle(package, destination_site=far.site)
    assert ArchiveManager().run_once() == 0


def test_what_a_relay_will_send_on_is_not_fetched_a_second_way(world: World) -> None:
    us, far, _ = world.third_site()
    hub = world.site("hub")
    hub_buffer = world.buffer(hub, "hub_buffer")
    package = world.archived(hub_buffer)
    first = world.bundle(package, destination_site=hub, final_site=us)
    assert ArchiveManager().run_once() == 0, "the first hop"
    world.sent(first, destination_location=hub_buffer)
    assert ArchiveManager().run_once() == 0, "at the relay"
    onward = world.bundle(package, origin_location=hub_buffer, destination_site=us)
    assert ArchiveManager().run_once() == 0, "the second hop"
    world.sent(onward, destination_location=far, completed=False, failed=True)
    assert ArchiveManager().run_once() == 1, "the second hop failed"


def test_what_the_relay_has_lost_is_fetched_from_the_archive(world: World) -> None:
    us, _, _ = world.third_site()
    hub_buffer = world.buffer(world.site("hub"), "hub_buffer")
    package = world.archived()
    first = world.bundle(package, destination_site=hub_buffer.site, final_site=us)
    world.sent(first, destination_location=hub_buffer)
    assert ArchiveManager().run_once() == 1


# Portions


def test_history_comes_in_portions_and_new_data_before_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s50_archive, "PASS_LIMIT", 3)
    for number in range(5):
        world.archived(name=f"old{number}")
    _, far, _ = world.third_site()
    world.package(far, name="new")
    manager = ArchiveManager()
    assert manager.run_once() == 3
    assert [name for name, _, _ in planned()] == ["new", "old0", "old1"]
    assert manager.run_once() == 0, "three are open"
    Operation.objects.non_polymorphic().update(status=Status.COMPLETED)
    for transfer in LongTermArchiveTransfer.objects.all():
        world.copy(transfer.raw_data_package, transfer.destination_location)
    world.package(far, name="newer")
    assert manager.run_once() == 3
    assert [name for name, _, _ in planned()[3:]] == ["newer", "old2", "old3"]


def test_all_history_is_asked_for_now_and_then_and_what_is_recent_always(world: World) -> None:
    _, _, replica = world.third_site()
    manager = ArchiveManager()
    assert manager.run_once() == 0
    world.archived(name="old", days=1)
    world.archived(name="recent", days=0)
    assert manager.run_once() == 1
    assert planned()[0][0] == "recent"
    manager._walks.clear()
    assert manager.run_once() == 1
    assert planned()[1][0] == "old"
    assert replica.full_name in planned()[1]


# What work waits for


def test_an_archive_that_is_not_registered_waits_once_and_not_for_each_package(world: World) -> None:
    change(world.archive, registered_at=None)
    for name in ("a", "b", "c"):
        world.package(world.input_buffer, name=name)
    manager = ArchiveManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["location.unregistered"]
    assert manager.waiting[0]["what"] == "package a and 2 more"
    assert "register_location cologne_long_term_archive" in manager.waiting[0]["remedy"]
    change(world.archive, registered_at=timezone.now())
    assert manager.run_once() == 3
    assert manager.waiting == []


def test_a_full_archive_waits_and_stops_no_other(world: World) -> None:
    world.lta(world.cologne, "second")
    world.package(world.input_buffer)
    change(world.archive, capacity_bytes=100, used_bytes=96)
    manager = ArchiveManager()
    assert manager.run_once() == 1
    assert codes(manager) == ["location.full"]


def test_an_archive_that_lacks_nothing_waits_for_nothing(world: World) -> None:
    change(world.archive, registered_at=None)
    manager = ArchiveManager()
    manager.run_once()
    assert manager.waiting == []


# Several managers


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_plan_each_transfer_once(world: World) -> None:
    world.lta(world.cologne, "second")
    for _ in range(4):
        world.package(world.input_buffer)
    managers = race(ArchiveManager)
    assert len(planned()) == len(set(planned())) == 8
    assert [manager.waiting for manager in managers] == [[], []]


@pytest.mark.django_db(transaction=True)
def test_what_was_archived_between_look_and_plan_is_not_planned_again(world: World) -> None:
    world.package(world.input_buffer)
    slow = ArchiveManager()
    found = list(slow.find_work())
    at_once(ArchiveManager().run_once)
    operation = LongTermArchiveTransfer.objects.get()
    Operation.objects.non_polymorphic().update(status=Status.COMPLETED, finished_at=Now())
    world.copy(operation.raw_data_package, world.archive)
    with transaction.atomic():
        assert [slow.plan(work) for work in found] == [0]


def test_a_package_names_itself_and_where_it_should_go(world: World) -> None:
    world.package(world.input_buffer, name="orion")
    (missing,) = ArchiveManager().find_work()
    assert str(missing) == "package orion for cologne_long_term_archive"
