"""Stage 20, the manager: packages become bundles, closed by size, age or priority."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from ccatdc.common.states import Status
from datamgmt.models import BundleFormat, DataLocation, DataTransferPackage, PhysicalCopy, RawDataPackage
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from tests.factories.transfer import DataTransferRouteFactory
from tests.transfer.parallel import at_once, race
from tests.transfer.world import World, change, days_ago
from transfer.managers.s20_bundle import URGENT_PRIORITY, BundleManager, Outgoing, due_bundle
from transfer.models import DataTransferPackageCreation, RouteType
from transfer.routing.routes import BundleLimits, Hop, next_hop

pytestmark = pytest.mark.django_db


def bundles() -> list[list[str]]:
    """The packages of each bundle, in the order in which these were closed."""
    return [
        sorted(bundle.raw_data_packages.values_list("name", flat=True))
        for bundle in DataTransferPackage.objects.order_by("id")
    ]


def ready(world: World, *names: str, days: float = 1, priority: int = 5, **fields: Any) -> None:
    """Packages that have waited so many days in the BUFFER in Chile."""
    fields.setdefault("size", 1000)
    for name in names:
        world.package(
            world.output_buffer,
            name=name,
            finalized_at=days_ago(days),
            executed_obs_unit=world.observation(priority=priority),
            **fields,
        )


def codes(manager: BundleManager) -> list[str]:
    """For what its last pass's work waits."""
    return [entry["code"] for entry in manager.waiting]


def limit(world: World, max_bytes: int = 10**9, max_age_seconds: int = 6 * 3600) -> None:
    """The BUFFER's own limits."""
    change(world.output_buffer, bundle_max_bytes=max_bytes, bundle_max_age_seconds=max_age_seconds)


def test_packages_that_waited_long_enough_become_a_bundle(world: World) -> None:
    ready(world, "a", "b", days=1, priority=4)
    manager = BundleManager()
    assert manager.run_once() == 1

    bundle = DataTransferPackage.objects.get()
    assert bundles() == [["a", "b"]]
    assert (bundle.size, bundle.status) == (2000, Status.SCHEDULED)
    assert bundle.origin_location == world.output_buffer
    assert bundle.destination_site == bundle.final_site == world.cologne
    assert bundle.destination_location is None
    assert bundle.bundle_format == BundleFormat.MANIFEST
    assert set(RawDataPackage.objects.values_list("state", flat=True)) == {PackageState.TRANSFERRING}
    operation = DataTransferPackageCreation.objects.get()
    assert operation.location == world.output_buffer
    assert (operation.priority, operation.total_bytes) == (4, 2000)
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    ready(world, "a")
    assert [BundleManager().run_once(), BundleManager().run_once()] == [1, 0]


@pytest.mark.parametrize(
    "fields",
    [
        {"state": PackageState.TRANSFERRING},
        {"state": PackageState.ARCHIVED},
        {"state": PackageState.FAILED},
        {"status": Status.IN_PROGRESS},
    ],
    ids=str,
)
def test_only_built_packages_that_wait_are_bundled(world: World, fields: dict[str, Any]) -> None:
    ready(world, "a")
    RawDataPackage.objects.update(**fields)
    assert BundleManager().run_once() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"integrity": Integrity.SUSPECT},
        {"integrity": Integrity.MISSING},
        {"status": PhysicalCopyStatus.DELETION_SCHEDULED},
        {"status": PhysicalCopyStatus.DELETED},
    ],
    ids=str,
)
def test_a_package_whose_copy_is_not_good_is_not_sent(world: World, fields: dict[str, Any]) -> None:
    ready(world, "a")
    PhysicalCopy.objects.non_polymorphic().update(**fields)
    assert BundleManager().run_once() == 0


def test_a_copy_that_is_to_be_checked_again_is_sent_and_read_on_the_way(world: World) -> None:
    ready(world, "a")
    PhysicalCopy.objects.non_polymorphic().update(integrity=Integrity.UNVERIFIED)
    assert BundleManager().run_once() == 1


def test_a_buffer_that_is_off_sends_nothing(world: World) -> None:
    ready(world, "a")
    change(world.output_buffer, active=False)
    assert BundleManager().run_once() == 0


def test_each_buffer_has_bundles_of_its_own(world: World) -> None:
    second = world.buffer(world.ccat, "second")
    ready(world, "a")
    world.package(second, name="b")
    assert BundleManager().run_once() == 2
    assert sorted(bundles()) == [["a"], ["b"]]


# Size and age


def test_young_packages_wait_for_company(world: World) -> None:
    ready(world, "a", days=5 / 24)
    manager = BundleManager()
    assert manager.run_once() == 0
    assert manager.waiting == []
    ready(world, "b", days=7 / 24)
    assert manager.run_once() == 1
    assert bundles() == [["a", "b"]]


def test_a_full_bundle_is_closed_however_young_it_is(world: World) -> None:
    limit(world, max_bytes=3000)
    ready(world, "a", "b", "c", "d", days=0)
    assert BundleManager().run_once() == 1
    assert bundles() == [["a", "b", "c"]]
    assert RawDataPackage.objects.get(name="d").state == PackageState.WAITING


def test_a_bundle_is_never_larger_than_its_limit_unless_one_package_is(world: World) -> None:
    limit(world, max_bytes=2500)
    ready(world, "a", "b", "c", days=1)
    ready(world, "d", days=1, size=9000)
    BundleManager().run_once()
    assert bundles() == [["a", "b"], ["c"], ["d"]]
    assert list(DataTransferPackage.objects.order_by("id").values_list("size", flat=True)) == [2000, 1000, 9000]


def test_the_limits_of_the_route_come_before_those_of_the_buffer(world: World) -> None:
    DataTransferRouteFactory.create(
        origin_site=world.ccat, destination_site=world.cologne, bundle_max_bytes=1000, bundle_format=BundleFormat.TAR
    )
    ready(world, "a", "b", days=0)
    assert BundleManager().run_once() == 2
    assert bundles() == [["a"], ["b"]]
    assert DataTransferPackage.objects.filter(bundle_format=BundleFormat.TAR).count() == 2


def test_another_pairs_limits_do_not_matter(world: World) -> None:
    DataTransferRouteFactory.create(origin_site=world.ccat, destination_site=world.site("us"), bundle_max_bytes=1000)
    ready(world, "a", "b", days=0)
    assert BundleManager().run_once() == 0


# Priority


def test_an_urgent_package_travels_at_once_and_alone(world: World) -> None:
    ready(world, "a", "b", days=0)
    ready(world, "urgent", days=0, priority=URGENT_PRIORITY)
    assert BundleManager().run_once() == 1
    assert bundles() == [["urgent"]]
    assert DataTransferPackageCreation.objects.get().priority == URGENT_PRIORITY


def test_urgent_packages_travel_together_and_before_the_others(world: World) -> None:
    ready(world, "a", days=1)
    ready(world, "u1", "u2", days=0, priority=URGENT_PRIORITY)
    BundleManager().run_once()
    assert bundles() == [["u1", "u2"], ["a"]]


def test_more_important_packages_are_in_the_earlier_bundle(world: World) -> None:
    limit(world, max_bytes=1000)
    ready(world, "late", priority=7)
    ready(world, "early", priority=3)
    BundleManager().run_once()
    assert bundles() == [["early"], ["late"]]


def test_one_old_package_closes_the_bundle_of_all(world: World) -> None:
    ready(world, "old", days=1, priority=9)
    ready(world, "young", days=0, priority=3)
    BundleManager().run_once()
    assert bundles() == [["old", "young"]]


def test_what_is_left_over_waits_for_its_own_time(world: World) -> None:
    packages = [RawDataPackage(size=400, finalized_at=days_ago(0)) for _ in range(3)]
    for package in packages:
        package.executed_obs_unit = world.observation()
    limits = BundleLimits(max_bytes=1000, max_age_seconds=3600)
    assert due_bundle(packages, limits) == packages[:2]
    assert due_bundle(packages[2:], limits) == []


# Routes


def test_bundles_take_turns_between_archive_sites(world: World) -> None:
    us, _, _ = world.third_site()
    limit(world, max_bytes=1000)
    ready(world, "a", "b", "c")
    BundleManager().run_once()
    sites = DataTransferPackage.objects.order_by("id").values_list("destination_site", flat=True)
    assert list(sites) == [world.cologne.pk, us.pk, world.cologne.pk]


def test_a_pass_in_which_nothing_is_due_uses_up_no_turn(world: World) -> None:
    world.third_site()
    ready(world, "a", days=0)
    for _ in range(3):
        BundleManager().run_once()
    ready(world, "b", days=1)
    BundleManager().run_once()
    assert DataTransferPackage.objects.get().destination_site == world.cologne


def test_without_an_archive_packages_wait_and_go_on_when_there_is_one(world: World) -> None:
    change(world.archive, active=False)
    ready(world, "a")
    manager = BundleManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["route.no_archive_site"]
    assert manager.waiting[0]["what"] == "packages in ccat_output_buffer"
    assert RawDataPackage.objects.get().state == PackageState.WAITING
    change(world.archive, active=True)
    assert manager.run_once() == 1
    assert manager.waiting == []


def test_without_a_buffer_at_the_other_end_packages_wait(world: World) -> None:
    change(world.input_buffer, active=False)
    ready(world, "a")
    manager = BundleManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["route.no_buffer"]
    change(world.input_buffer, active=True)
    assert manager.run_once() == 1


def test_with_nothing_to_send_nobody_minds_that_there_is_no_archive(world: World) -> None:
    change(world.archive, active=False)
    manager = BundleManager()
    manager.run_once()
    assert manager.waiting == []


def test_a_site_with_an_archive_of_its_own_sends_nothing_by_itself(world: World) -> None:
    world.lta(world.ccat)
    ready(world, "a")
    manager = BundleManager()
    assert manager.run_once() == 0
    assert manager.waiting == []


def test_an_operators_route_sends_also_from_a_site_with_an_archive(world: World) -> None:
    world.lta(world.ccat)
    DataTransferRouteFactory.create(
        route_type=RouteType.CUSTOM,
        origin_site=world.ccat,
        destination_site=world.cologne,
        origin_location=world.output_buffer,
        destination_location=world.input_buffer,
    )
    ready(world, "a")
    assert BundleManager().run_once() == 1
    assert DataTransferPackage.objects.get().destination_location == world.input_buffer


def test_a_direct_route_names_the_archive(world: World) -> None:
    DataTransferRouteFactory.create(origin_site=world.ccat, destination_site=world.cologne)
    ready(world, "a")
    BundleManager().run_once()
    assert DataTransferPackage.objects.get().destination_location == world.archive


# Relay


@pytest.fixture
def hub(world: World) -> DataLocation:
    """The BUFFER of a site half-way, through which an operator's route leads."""
    site = world.site("hub")
    buffer = world.buffer(site, "hub_buffer")
    DataTransferRouteFactory.create(
        route_type=RouteType.RELAY, origin_site=world.ccat, relay_site=site, destination_site=world.cologne
    )
    return buffer


def arrive(world: World, hub: DataLocation, package: RawDataPackage) -> None:
    """The first hop is over."""
    bundle = world.bundle(package, destination_site=hub.site, final_site=world.cologne)
    world.sent(bundle, destination_location=hub)
    world.copy(package, hub)


def test_a_relays_first_hop_knows_the_end_of_the_way(world: World, hub: DataLocation) -> None:
    ready(world, "a")
    BundleManager().run_once()
    bundle = DataTransferPackage.objects.get()
    assert (bundle.destination_site, bundle.final_site) == (hub.site, world.cologne)


def test_what_arrived_at_the_relay_is_sent_on_at_once_and_once(world: World, hub: DataLocation) -> None:
    package = world.package(state=PackageState.TRANSFERRING, finalized_at=days_ago(1))
    arrive(world, hub, package)
    assert [BundleManager().run_once(), BundleManager().run_once()] == [1, 0]
    onward = DataTransferPackage.objects.latest("id")
    assert onward.origin_location == hub
    assert onward.destination_site == onward.final_site == world.cologne
    assert list(onward.raw_data_packages.all()) == [package]
    package.refresh_from_db()
    assert package.state == PackageState.TRANSFERRING


def test_what_the_relays_own_archive_has_already_is_sent_on_and_stays_archived(world: World, hub: DataLocation) -> None:
    own = world.lta(hub.site)
    package = world.package(own, state=PackageState.ARCHIVED, finalized_at=days_ago(1), archived_at=days_ago(1))
    arrive(world, hub, package)
    assert BundleManager().run_once() == 1
    package.refresh_from_db()
    assert package.state == PackageState.ARCHIVED


def test_what_failed_on_its_way_on_waits_at_the_relay_until_it_is_sent_again(world: World, hub: DataLocation) -> None:
    package = world.package(state=PackageState.TRANSFERRING, finalized_at=days_ago(1))
    arrive(world, hub, package)
    RawDataPackage.objects.update(state=PackageState.FAILED)
    assert BundleManager().run_once() == 0
    RawDataPackage.objects.update(state=PackageState.WAITING)
    assert BundleManager().run_once() == 1


def test_what_is_not_unpacked_at_the_relay_is_not_sent_on(world: World, hub: DataLocation) -> None:
    package = world.package(state=PackageState.TRANSFERRING)
    bundle = world.bundle(package, destination_site=hub.site, final_site=world.cologne)
    world.sent(bundle, destination_location=hub, unpack_status=Status.IN_PROGRESS)
    world.copy(package, hub)
    assert BundleManager().run_once() == 0


def test_what_arrived_at_its_end_is_not_sent_on(world: World) -> None:
    package = world.package(world.input_buffer, state=PackageState.TRANSFERRING)
    world.sent(world.bundle(package))
    assert BundleManager().run_once() == 0


def test_a_package_that_came_twice_to_the_relay_is_in_a_bundle_once(world: World, hub: DataLocation) -> None:
    package = world.package(state=PackageState.TRANSFERRING, finalized_at=days_ago(1))
    arrive(world, hub, package)
    again = world.bundle(package, destination_site=hub.site, final_site=world.cologne)
    world.sent(again, destination_location=hub)
    BundleManager().run_once()
    assert bundles()[2:] == [[package.name]]
    assert DataTransferPackage.objects.latest("id").size == package.size


def test_packages_for_two_ends_are_sent_on_in_two_bundles(world: World, hub: DataLocation) -> None:
    us, _, _ = world.third_site()
    for end in (world.cologne, us):
        package = world.package(state=PackageState.TRANSFERRING, finalized_at=days_ago(1))
        bundle = world.bundle(package, destination_site=hub.site, final_site=end)
        world.sent(bundle, destination_location=hub)
        world.copy(package, hub)
    assert BundleManager().run_once() == 2
    assert set(DataTransferPackage.objects.filter(origin_location=hub).values_list("destination_site", flat=True)) == {
        world.cologne.pk,
        us.pk,
    }


def test_a_relay_whose_end_cannot_receive_waits_and_new_packages_go_on(world: World, hub: DataLocation) -> None:
    package = world.package(state=PackageState.TRANSFERRING, finalized_at=days_ago(1))
    arrive(world, hub, package)
    change(world.input_buffer, active=False)
    ready(world, "a")
    manager = BundleManager()
    assert manager.run_once() == 1
    assert codes(manager) == ["route.no_buffer"]
    assert manager.waiting[0]["what"] == "packages in hub_hub_buffer for cologne"
    change(world.input_buffer, active=True)
    assert manager.run_once() == 1
    assert manager.waiting == []


# Several managers


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_bundle_each_package_once(world: World) -> None:
    world.third_site()
    limit(world, max_bytes=2000)
    ready(world, *"abcdef")
    managers = race(BundleManager)
    assert [manager.waiting for manager in managers] == [[], []]
    assert sorted(name for bundle in bundles() for name in bundle) == list("abcdef")
    assert len(bundles()) == 3
    sites = DataTransferPackage.objects.order_by("id").values_list("destination_site__short_name")
    assert [site for (site,) in sites] == ["cologne", "us", "cologne"]


@pytest.mark.django_db(transaction=True)
def test_two_managers_of_two_buffers_bundle_a_package_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have a copy. Each manager has read what waits in its BUFFER before the other closes its bundle."""
    second = world.buffer(world.ccat, "output_buffer_b")
    world.package(world.output_buffer, second, finalized_at=days_ago(1))
    limit(world, max_bytes=1)
    change(second, bundle_max_bytes=1)
    both_have_read = threading.Barrier(2)

    def hop(buffer: DataLocation) -> Hop:
        with suppress(threading.BrokenBarrierError):
            both_have_read.wait(1)
        return next_hop(buffer)

    monkeypatch.setattr("transfer.managers.s20_bundle.next_hop", hop)

    def close(buffer: DataLocation) -> int:
        with transaction.atomic():
            return BundleManager().plan(Outgoing(buffer))

    assert sorted(at_once(partial(close, world.output_buffer), partial(close, second))) == [0, 1]
    assert DataTransferPackage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_relay_each_package_once(world: World, hub: DataLocation) -> None:
    package = world.package(state=PackageState.TRANSFERRING, finalized_at=days_ago(1))
    arrive(world, hub, package)
    race(BundleManager)
    assert DataTransferPackage.objects.filter(origin_location=hub).count() == 1
