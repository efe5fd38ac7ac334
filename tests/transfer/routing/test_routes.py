"""Where data goes next: buffers by priority, archive sites in turn, an operator's routes first."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from ccatdc.common.errors import Blocked
from datamgmt.models import BundleFormat, DataLocation, Site
from datamgmt.states import Integrity, PhysicalCopyStatus
from tests.factories.transfer import DataTransferRouteFactory
from tests.transfer.parallel import at_once
from tests.transfer.world import World, change, days_ago, fill
from transfer.models import DataTransferRoute, RoundRobinCursor, RouteType
from transfer.routing.routes import (
    BundleLimits,
    Hop,
    advance_cursor,
    archive_origin,
    archive_sites,
    hop_to,
    limits_of,
    next_hop,
    require_receiving,
    staging_origin,
    writable_buffer,
)

pytestmark = pytest.mark.django_db


def close(origin: DataLocation) -> Site:
    """What the manager of bundles does: choose a hop, then end the turn."""
    with transaction.atomic():
        hop = next_hop(origin)
        advance_cursor(origin, hop)
    return hop.final_site


def direct(world: World, **fields: object) -> DataTransferRoute:
    """An operator's DIRECT route from Chile to Cologne."""
    return DataTransferRouteFactory.create(origin_site=world.ccat, destination_site=world.cologne, **fields)


def relay(world: World, relay_site: Site, **fields: object) -> DataTransferRoute:
    """An operator's RELAY route from Chile to Cologne."""
    return direct(world, route_type=RouteType.RELAY, relay_site=relay_site, **fields)


def custom(world: World, destination: DataLocation, **fields: object) -> DataTransferRoute:
    """An operator's CUSTOM route from the BUFFER in Chile."""
    return DataTransferRouteFactory.create(
        route_type=RouteType.CUSTOM,
        origin_site=world.ccat,
        destination_site=destination.site,
        origin_location=world.output_buffer,
        destination_location=destination,
        **fields,
    )


def waits(call: object, *arguments: object) -> str:
    """The code of the reason why a call waits."""
    with pytest.raises(Blocked) as raised, transaction.atomic():
        call(*arguments)  # type: ignore[operator]
    assert raised.value.remedy
    return raised.value.code


# Buffers


def test_the_buffer_with_the_smallest_priority_number_is_written_into(world: World) -> None:
    first = world.buffer(world.cologne, "fast", priority=0)
    assert writable_buffer(world.cologne) == first


def test_buffers_of_the_same_priority_are_used_in_the_order_of_their_ids(world: World) -> None:
    world.buffer(world.cologne, "a_second")
    assert writable_buffer(world.cologne) == world.input_buffer


@pytest.mark.parametrize("problem", ["off", "full", "unregistered"])
def test_a_buffer_that_cannot_be_written_into_is_passed_over(world: World, problem: str) -> None:
    spare = world.buffer(world.cologne, "spare", priority=2)
    if problem == "off":
        change(world.input_buffer, active=False)
    elif problem == "full":
        fill(world.input_buffer, 95)
    else:
        change(world.input_buffer, registered_at=None)
    assert writable_buffer(world.cologne) == spare


def test_a_buffer_below_its_emergency_threshold_is_written_into(world: World) -> None:
    world.buffer(world.cologne, "spare", priority=2)
    fill(world.input_buffer, 94)
    assert writable_buffer(world.cologne) == world.input_buffer


def test_without_an_active_buffer_work_waits(world: World) -> None:
    change(world.input_buffer, active=False)
    assert waits(writable_buffer, world.cologne) == "route.no_buffer"


def test_a_site_that_is_off_has_no_buffer(world: World) -> None:
    Site.objects.filter(pk=world.cologne.pk).update(active=False)
    assert waits(writable_buffer, world.cologne) == "route.no_buffer"


def test_when_all_buffers_are_full_work_waits(world: World) -> None:
    fill(world.input_buffer, 99)
    assert waits(writable_buffer, world.cologne) == "route.buffers_full"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"active": False}, "location.inactive"),
        ({"registered_at": None}, "location.unregistered"),
        ({"capacity_bytes": 100, "used_bytes": 96}, "location.full"),
    ],
)
def test_a_place_that_cannot_receive_says_why(world: World, fields: dict[str, object], code: str) -> None:
    assert require_receiving(world.archive) == world.archive
    change(world.archive, **fields)
    assert waits(require_receiving, world.archive) == code


# Primary routes


def test_a_bundle_goes_to_the_site_with_an_archive(world: World) -> None:
    with transaction.atomic():
        assert next_hop(world.output_buffer) == Hop(world.cologne, world.cologne)


def test_archive_sites_take_turns_bundle_by_bundle(world: World) -> None:
    us, _, _ = world.third_site()
    turns = [close(world.output_buffer) for _ in range(5)]
    assert turns == [world.cologne, us, world.cologne, us, world.cologne]


def test_looking_does_not_end_the_turn(world: World) -> None:
    world.third_site()
    with transaction.atomic():
        assert next_hop(world.output_buffer) == next_hop(world.output_buffer)


def test_each_site_has_turns_of_its_own(world: World) -> None:
    us, _, _ = world.third_site()
    chile = world.buffer(world.site("ccat2"), "other")
    assert [close(world.output_buffer), close(chile)] == [world.cologne, world.cologne]
    assert close(world.output_buffer) == us


def test_two_archives_of_a_site_are_one_turn(world: World) -> None:
    world.lta(world.cologne, "second_archive")
    us, _, _ = world.third_site()
    assert [close(world.output_buffer) for _ in range(3)] == [world.cologne, us, world.cologne]


def test_the_turn_outlives_a_site_that_goes_and_comes_back(world: World) -> None:
    us, _buffer, archive = world.third_site()
    assert close(world.output_buffer) == world.cologne
    change(archive, active=False)
    assert close(world.output_buffer) == world.cologne
    change(archive, active=True)
    assert [close(world.output_buffer), close(world.output_buffer)] == [us, world.cologne]


def test_a_site_that_cannot_receive_is_passed_over_and_has_its_turn_later(world: World) -> None:
    us, _, _ = world.third_site()
    change(world.input_buffer, active=False)
    assert [close(world.output_buffer), close(world.output_buffer)] == [us, us]
    change(world.input_buffer, active=True)
    assert close(world.output_buffer) == world.cologne


def test_when_no_site_can_receive_the_bundle_waits(world: World) -> None:
    fill(world.input_buffer, 99)
    assert waits(next_hop, world.output_buffer) == "route.buffers_full"


def test_without_an_archive_elsewhere_the_bundle_waits(world: World) -> None:
    change(world.archive, active=False)
    world.lta(world.ccat)
    assert waits(next_hop, world.output_buffer) == "route.no_archive_site"


def test_a_site_that_is_off_is_no_archive_site(world: World) -> None:
    assert archive_sites(other_than=world.ccat) == [world.cologne]
    Site.objects.filter(pk=world.cologne.pk).update(active=False)
    assert archive_sites(other_than=world.ccat) == []


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_never_give_one_site_two_turns(world: World) -> None:
    us, _, _ = world.third_site()
    second = world.buffer(world.ccat, "second_buffer")
    turns: list[Site] = []
    for _ in range(4):
        turns += at_once(lambda: close(world.output_buffer), lambda: close(second))
    assert turns.count(us) == turns.count(world.cologne) == 4
    assert RoundRobinCursor.objects.count() == 1


# Overrides


def test_a_direct_route_ends_in_the_first_archive_of_the_site(world: World) -> None:
    route = direct(world)
    first = world.lta(world.cologne, "first", priority=0)
    with transaction.atomic():
        hop = next_hop(world.output_buffer)
    assert hop == Hop(world.cologne, world.cologne, first, route)


def test_a_direct_route_needs_no_buffer_at_its_end(world: World) -> None:
    direct(world)
    change(world.input_buffer, active=False)
    assert close(world.output_buffer) == world.cologne


def test_a_direct_route_may_name_the_archive(world: World) -> None:
    world.lta(world.cologne, "first", priority=0)
    direct(world, destination_location=world.archive)
    assert hop_to(world.output_buffer, world.cologne).location == world.archive


def test_a_direct_route_waits_for_its_archive(world: World) -> None:
    direct(world, destination_location=world.archive)
    change(world.archive, active=False)
    assert waits(hop_to, world.output_buffer, world.cologne) == "location.inactive"


def test_a_direct_route_to_a_site_without_an_archive_waits(world: World) -> None:
    direct(world)
    change(world.archive, active=False)
    assert waits(hop_to, world.output_buffer, world.cologne) == "route.no_archive_site"


def test_a_relay_goes_through_its_site(world: World) -> None:
    hub = world.site("hub")
    world.buffer(hub, "hub_buffer")
    route = relay(world, hub)
    with transaction.atomic():
        assert next_hop(world.output_buffer) == Hop(hub, world.cologne, None, route)


def test_from_the_relay_on_the_way_is_the_automatic_one(world: World) -> None:
    hub = world.site("hub")
    buffer = world.buffer(hub, "hub_buffer")
    relay(world, hub)
    assert hop_to(buffer, world.cologne) == Hop(world.cologne, world.cologne)


def test_a_relay_waits_for_a_buffer_at_its_site(world: World) -> None:
    hub = world.site("hub")
    relay(world, hub)
    assert waits(hop_to, world.output_buffer, world.cologne) == "route.no_buffer"


def test_a_relay_has_the_turn_of_its_end_not_of_its_middle(world: World) -> None:
    us, _, _ = world.third_site()
    relay(world, us)
    assert [close(world.output_buffer) for _ in range(3)] == [world.cologne, us, world.cologne]


def test_a_custom_route_comes_before_all_others(world: World) -> None:
    spare = world.buffer(world.cologne, "spare", priority=9)
    direct(world)
    route = custom(world, spare)
    with transaction.atomic():
        hop = next_hop(world.output_buffer)
    assert hop == Hop(world.cologne, world.cologne, spare, route)


def test_a_custom_route_is_for_its_own_buffer_only(world: World) -> None:
    custom(world, world.buffer(world.cologne, "spare", priority=9))
    second = world.buffer(world.ccat, "second_buffer")
    with transaction.atomic():
        assert next_hop(second).location is None


def test_a_custom_route_uses_up_no_turn(world: World) -> None:
    us, _, _ = world.third_site()
    assert close(world.output_buffer) == world.cologne
    route = custom(world, world.input_buffer)
    assert [close(world.output_buffer), close(world.output_buffer)] == [world.cologne] * 2
    DataTransferRoute.objects.filter(pk=route.pk).update(active=False)
    assert close(world.output_buffer) == us


def test_a_custom_route_waits_for_its_place(world: World) -> None:
    custom(world, world.input_buffer)
    change(world.input_buffer, active=False)
    assert waits(next_hop, world.output_buffer) == "location.inactive"


def test_a_custom_route_to_a_site_without_an_archive_leads_nowhere(world: World) -> None:
    custom(world, world.buffer(world.site("hub"), "hub_buffer"))
    assert waits(next_hop, world.output_buffer) == "route.leads_nowhere"


def test_a_route_that_is_off_is_not_followed(world: World) -> None:
    direct(world, active=False)
    custom(world, world.input_buffer, active=False)
    with transaction.atomic():
        assert next_hop(world.output_buffer) == Hop(world.cologne, world.cologne)


def test_of_two_routes_for_a_pair_the_first_by_priority_is_followed(world: World) -> None:
    hub = world.site("hub")
    world.buffer(hub, "hub_buffer")
    relay(world, hub, priority=2)
    direct(world, priority=1)
    assert hop_to(world.output_buffer, world.cologne).location == world.archive


def test_a_route_to_its_own_site_is_refused_by_the_database(world: World) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        DataTransferRouteFactory.create(origin_site=world.ccat, destination_site=world.ccat)


def test_the_format_of_a_bundle_is_that_of_its_route(world: World) -> None:
    assert hop_to(world.output_buffer, world.cologne).bundle_format == BundleFormat.MANIFEST
    direct(world, bundle_format=BundleFormat.TAR)
    assert hop_to(world.output_buffer, world.cologne).bundle_format == BundleFormat.TAR


def test_limits_are_the_routes_where_it_has_some_else_the_buffers(world: World) -> None:
    change(world.output_buffer, bundle_max_bytes=1000, bundle_max_age_seconds=60)
    automatic = Hop(world.cologne, world.cologne)
    assert limits_of(world.output_buffer, automatic) == BundleLimits(1000, 60)
    route = direct(world, bundle_max_bytes=7)
    hop = Hop(world.cologne, world.cologne, world.archive, route)
    assert limits_of(world.output_buffer, hop) == BundleLimits(7, 60)
    route.bundle_max_age_seconds = 0
    assert limits_of(world.output_buffer, hop) == BundleLimits(7, 0)


# Where a package is read from


def test_an_archive_is_filled_from_a_buffer_of_its_own_site(world: World) -> None:
    _, _, replica = world.third_site()
    package = world.archived(world.output_buffer, world.input_buffer)
    world.copy(package, replica)
    origin = archive_origin(package.pk, world.archive)
    assert origin is not None
    assert origin.data_location == world.input_buffer


def test_a_buffer_of_another_site_is_no_origin(world: World) -> None:
    package = world.package(world.output_buffer)
    assert archive_origin(package.pk, world.archive) is None


def test_an_archive_is_filled_from_another_archive(world: World) -> None:
    _, _, replica = world.third_site()
    package = world.archived(world.output_buffer)
    origin = archive_origin(package.pk, replica)
    assert origin is not None
    assert origin.data_location == world.archive


def test_an_archive_is_not_filled_from_itself(world: World) -> None:
    package = world.archived()
    assert archive_origin(package.pk, world.archive) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"integrity": Integrity.DAMAGED},
        {"integrity": Integrity.SUSPECT},
        {"integrity": Integrity.MISSING},
        {"status": PhysicalCopyStatus.DELETION_SCHEDULED},
        {"status": PhysicalCopyStatus.DELETED},
    ],
)
def test_a_copy_that_is_not_good_is_no_origin(world: World, fields: dict[str, str]) -> None:
    package = world.package()
    world.copy(package, world.input_buffer, **fields)
    assert archive_origin(package.pk, world.archive) is None


def test_a_copy_to_be_checked_again_is_read_when_there_is_no_verified_one(world: World) -> None:
    package = world.package()
    second = world.buffer(world.cologne, "second_buffer", priority=9)
    again = world.copy(package, world.input_buffer, integrity=Integrity.UNVERIFIED)
    assert archive_origin(package.pk, world.archive) == again
    verified = world.copy(package, second)
    assert archive_origin(package.pk, world.archive) == verified


def test_a_place_that_is_off_is_not_read_from(world: World) -> None:
    package = world.archived(world.input_buffer)
    _, _, replica = world.third_site()
    change(world.input_buffer, active=False)
    assert archive_origin(package.pk, world.archive) is None
    change(world.archive, active=False)
    assert archive_origin(package.pk, replica) is None
    assert staging_origin(package.pk, world.processing) is None


def test_staging_reads_from_the_archive_of_its_own_site_first(world: World) -> None:
    _, _, replica = world.third_site()
    change(replica, priority=0)
    package = world.archived()
    world.copy(package, replica)
    origin = staging_origin(package.pk, world.processing)
    assert origin is not None
    assert origin.data_location == world.archive


def test_staging_reads_from_another_site_when_its_own_copy_is_damaged(world: World) -> None:
    _, _, replica = world.third_site()
    package = world.package()
    world.copy(package, world.archive, integrity=Integrity.DAMAGED)
    world.copy(package, replica)
    origin = staging_origin(package.pk, world.processing)
    assert origin is not None
    assert origin.data_location == replica


def test_of_two_archives_of_the_same_priority_the_copy_verified_last_is_read(world: World) -> None:
    _, _, replica = world.third_site()
    fresh = world.lta(world.site("jp"))
    package = world.package()
    world.copy(package, replica, verified_at=days_ago(20))
    world.copy(package, fresh, verified_at=days_ago(1))
    origin = staging_origin(package.pk, world.processing)
    assert origin is not None
    assert origin.data_location == fresh


def test_staging_never_reads_from_a_buffer(world: World) -> None:
    package = world.package(world.input_buffer)
    assert staging_origin(package.pk, world.processing) is None
