"""What the portal refuses about a route before packages wait for it: ends of the wrong kind, and relays that lead in a circle."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tests.transfer.world import World
from transfer.models import DataTransferRoute, RouteType
from transfer.models.transport_parameters import METHODS
from transfer.transports import TRANSPORTS

pytestmark = pytest.mark.django_db


def route(world: World, **fields: Any) -> DataTransferRoute:
    """A route from Chile to Cologne, as it stands in the form."""
    fields.setdefault("name", "route")
    fields.setdefault("origin_site", world.ccat)
    fields.setdefault("destination_site", world.cologne)
    return DataTransferRoute(**fields)


def refused(made: DataTransferRoute) -> str:
    """The field that is wrong; empty when it is the whole."""
    with pytest.raises(ValidationError) as caught:
        made.full_clean()
    (field,) = caught.value.message_dict
    return "" if field == "__all__" else field


@pytest.mark.parametrize("destination", ["input_buffer", "archive"])
def test_a_custom_route_from_a_buffer_to_a_buffer_or_an_archive_is_right(world: World, destination: str) -> None:
    route(
        world,
        route_type=RouteType.CUSTOM,
        origin_location=world.output_buffer,
        destination_location=getattr(world, destination),
    ).full_clean()


def test_a_custom_route_needs_both_its_ends(world: World) -> None:
    made = route(world, route_type=RouteType.CUSTOM, origin_location=world.output_buffer)
    assert refused(made) == ""


def test_a_custom_route_begins_in_a_buffer(world: World) -> None:
    made = route(
        world, route_type=RouteType.CUSTOM, origin_location=world.source, destination_location=world.input_buffer
    )
    assert refused(made) == "origin_location"


def test_a_custom_route_does_not_end_where_data_is_processed(world: World) -> None:
    made = route(
        world, route_type=RouteType.CUSTOM, origin_location=world.output_buffer, destination_location=world.processing
    )
    assert refused(made) == "destination_location"


def test_a_location_must_be_at_the_site_of_its_end(world: World) -> None:
    made = route(
        world,
        route_type=RouteType.CUSTOM,
        origin_location=world.output_buffer,
        destination_location=world.buffer(world.ccat, "second"),
    )
    assert refused(made) == "destination_location"


def test_a_direct_route_ends_in_an_archive_or_says_nothing(world: World) -> None:
    route(world, route_type=RouteType.DIRECT).full_clean()
    route(world, route_type=RouteType.DIRECT, destination_location=world.archive).full_clean()
    made = route(world, route_type=RouteType.DIRECT, destination_location=world.input_buffer)
    assert refused(made) == "destination_location"


@pytest.mark.parametrize("route_type", [RouteType.DIRECT, RouteType.RELAY])
def test_only_a_custom_route_begins_at_a_location(world: World, route_type: str) -> None:
    made = route(
        world,
        route_type=route_type,
        relay_site=world.site("us") if route_type == RouteType.RELAY else None,
        origin_location=world.output_buffer,
    )
    assert refused(made) == "origin_location"


def test_a_relay_needs_a_third_site(world: World) -> None:
    route(world, route_type=RouteType.RELAY, relay_site=world.site("us")).full_clean()
    for site in (None, world.ccat, world.cologne):
        assert refused(route(world, route_type=RouteType.RELAY, relay_site=site)) == "relay_site"


def test_a_relay_names_no_location(world: World) -> None:
    made = route(
        world, route_type=RouteType.RELAY, relay_site=world.site("us"), destination_location=world.input_buffer
    )
    assert refused(made) == "destination_location"


def test_relays_do_not_lead_in_a_circle(world: World) -> None:
    us, japan = world.site("us"), world.site("japan")
    relay = {"route_type": RouteType.RELAY, "destination_site": world.cologne}
    onward = route(world, name="b", origin_site=us, relay_site=japan, **relay)
    onward.full_clean()
    onward.save()
    route(world, name="a", relay_site=us, **relay).save()
    back = route(world, name="c", origin_site=japan, relay_site=world.ccat, **relay)
    assert refused(back) == "relay_site"
    back.active = False
    back.full_clean()
    to_another = route(
        world, name="d", route_type=RouteType.RELAY, origin_site=japan, relay_site=world.ccat, destination_site=us
    )
    to_another.full_clean()


def test_a_relay_that_is_saved_again_is_no_circle(world: World) -> None:
    made = route(world, route_type=RouteType.RELAY, relay_site=world.site("us"))
    made.save()
    made.full_clean()


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("", {}),
        ("cp", {}),
        ("rsync", {"streams": 8, "limit_bytes_per_second": 10**8}),
        ("rsync", {"ssh_options": {"Port": "2222", "IPQoS": "af11", "Ciphers": "aes128-gcm@openssh.com"}}),
        ("bbcp", {"streams": 16, "window_bytes": 8 << 20, "ports": "5031:5090"}),
    ],
)
def test_parameters_of_its_transport_are_right(world: World, method: str, parameters: dict[str, Any]) -> None:
    made = route(
        world,
        route_type=RouteType.CUSTOM,
        origin_location=world.output_buffer,
        destination_location=world.input_buffer,
        method=method,
        parameters=parameters,
    )
    made.full_clean()


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("rsync", ["streams", 8]),
        ("rsync", {"stream": 8}),
        ("rsync", {"streams": 0}),
        ("rsync", {"streams": 65}),
        ("rsync", {"streams": True}),
        ("rsync", {"streams": "8"}),
        ("rsync", {"window_bytes": 1 << 20}),
        ("cp", {"streams": 2}),
        ("bbcp", {"limit_bytes_per_second": 10}),
        ("bbcp", {"ports": "80:90"}),
        ("bbcp", {"ports": "6000:5000"}),
        ("bbcp", {"ports": "5000:5001; reboot"}),
        ("rsync", {"ssh_options": ["-oProxyCommand=id"]}),
        ("rsync", {"ssh_options": {"ProxyCommand": "id"}}),
        ("rsync", {"ssh_options": {"proxycommand": "id"}}),
        ("rsync", {"ssh_options": {"StrictHostKeyChecking": "no"}}),
        ("rsync", {"ssh_options": {"Port": 22}}),
        ("rsync", {"ssh_options": {"Port": "22 -oProxyCommand=id"}}),
        ("rsync", {"ssh_options": {"Port": "22\n"}}),
        ("rsync", {"ssh_options": {"Ciphers": "aes$(id)"}}),
    ],
    ids=str,
)
def test_other_parameters_are_refused_when_the_route_is_saved(world: World, method: str, parameters: Any) -> None:
    made = route(
        world,
        route_type=RouteType.CUSTOM,
        origin_location=world.output_buffer,
        destination_location=world.input_buffer,
        method=method,
        parameters=parameters,
    )
    with pytest.raises(ValidationError) as caught:
        made.full_clean()

    (error,) = caught.value.error_dict["parameters"]
    assert error.code == "route.parameters"


def test_a_method_that_is_no_transport_is_refused(world: World) -> None:
    assert refused(route(world, route_type=RouteType.DIRECT, method="pigeon")) == "method"


def test_a_direct_route_has_no_transport_to_another_host(world: World) -> None:
    assert refused(route(world, route_type=RouteType.DIRECT, method="bbcp")) == "method"


def test_a_route_may_name_every_transport_that_there_is() -> None:
    assert set(METHODS) == {transport.name for transport in TRANSPORTS}
