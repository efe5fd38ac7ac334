"""Stage 95, the plan: each location in its interval, one inventory at a time; what people decided sooner."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from datamgmt.models import DataLocation, Decision
from tests.factories.datamgmt import UnrecordedFileFactory
from tests.transfer.world import World, change, days_ago
from transfer.managers.s95_inventory import InventoryManager
from transfer.models import Inventory

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(world: World) -> World:
    """Every location was compared an hour ago."""
    DataLocation.objects.non_polymorphic().update(inventory_at=timezone.now() - timedelta(hours=1))
    return world


def planned() -> list[tuple[str, bool]]:
    InventoryManager().run_once()
    found = Inventory.objects.select_related("location__site").order_by("pk")
    return [(each.location.full_name, each.is_full) for each in found]


def test_what_was_compared_longer_ago_than_its_interval_is_due_and_planned_once(world: World) -> None:
    assert planned() == []
    change(world.archive, inventory_at=days_ago(1.1))
    change(world.input_buffer, inventory_at=days_ago(0.9))
    assert planned() == [(world.archive.full_name, True)]
    assert len(planned()) == 1


def test_a_new_location_has_its_first_inventory_an_interval_after_it_was_registered(world: World) -> None:
    change(world.archive, inventory_at=None, registered_at=days_ago(0.5))
    assert planned() == []
    change(world.archive, registered_at=days_ago(1.1))
    assert planned() == [(world.archive.full_name, True)]


@pytest.mark.parametrize("fields", [{"inventory_hours": 0}, {"active": False}, {"registered_at": None}])
def test_these_have_none(world: World, fields: dict[str, object]) -> None:
    change(world.archive, inventory_at=days_ago(9), **fields)
    assert planned() == []


def test_what_a_person_decided_is_done_without_a_listing(world: World) -> None:
    UnrecordedFileFactory.create(location=world.archive, decision=Decision.KEEP)
    assert planned() == []
    UnrecordedFileFactory.create(location=world.archive, decision=Decision.REMOVE)
    assert planned() == [(world.archive.full_name, False)]
