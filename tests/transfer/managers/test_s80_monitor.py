"""Stage 80, the manager: every registered location is looked at regularly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from tests.factories.transfer import LocationCheckFactory
from tests.transfer.parallel import race
from tests.transfer.world import World, change, days_ago
from transfer.managers.s80_monitor import MonitorManager
from transfer.models import LocationCheck, Operation

pytestmark = pytest.mark.django_db


def checked() -> set[str]:
    """The locations that have a check under way."""
    return {check.location.full_name for check in LocationCheck.objects.open()}


def all_checked_now() -> None:
    """As after a round of checks."""
    DataLocation.objects.non_polymorphic().update(checked_at=timezone.now())


def test_locations_of_every_type_are_checked(world: World) -> None:
    manager = MonitorManager()
    assert manager.run_once() == 5
    assert checked() == {
        "ccat_primecam_raw_data",
        "ccat_output_buffer",
        "cologne_input_buffer",
        "cologne_long_term_archive",
        "cologne_ramses_processing",
    }
    check = LocationCheck.objects.first()
    assert check is not None
    assert (check.status, check.priority, check.max_attempts) == (Status.SCHEDULED, 1, 1)
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    assert [MonitorManager().run_once(), MonitorManager().run_once()] == [5, 0]


def test_a_location_is_checked_again_when_its_interval_is_over(world: World) -> None:
    all_checked_now()
    manager = MonitorManager()
    assert manager.run_once() == 0
    change(world.archive, check_interval_seconds=60, checked_at=days_ago(61 / 86400))
    change(world.source, check_interval_seconds=60, checked_at=days_ago(50 / 86400))
    assert manager.run_once() == 1
    assert checked() == {"cologne_long_term_archive"}


@pytest.mark.parametrize("fields", [{"active": False}, {"registered_at": None}], ids=str)
def test_what_is_off_or_not_registered_is_not_checked(world: World, fields: dict[str, None]) -> None:
    change(world.archive, **fields)
    MonitorManager().run_once()
    assert "cologne_long_term_archive" not in checked()


def test_a_site_that_is_off_is_not_checked(world: World) -> None:
    type(world.cologne).objects.filter(pk=world.cologne.pk).update(active=False)
    assert MonitorManager().run_once() == 2


@pytest.mark.parametrize("status", [Status.PENDING, Status.SCHEDULED])
def test_a_check_that_nobody_has_begun_is_not_planned_twice(world: World, status: str) -> None:
    all_checked_now()
    change(world.archive, checked_at=None)
    LocationCheckFactory.create(location=world.archive, status=status)
    assert MonitorManager().run_once() == 0


def test_a_failed_check_is_repeated(world: World) -> None:
    all_checked_now()
    change(world.archive, checked_at=None)
    LocationCheckFactory.create(location=world.archive, failed=True)
    assert MonitorManager().run_once() == 1


def test_checks_of_more_than_a_day_ago_are_forgotten(world: World) -> None:
    old, young, open_check, elsewhere = (
        LocationCheckFactory.create(location=world.archive, completed=True),
        LocationCheckFactory.create(location=world.archive, completed=True),
        LocationCheckFactory.create(location=world.source),
        LocationCheckFactory.create(location=world.input_buffer, completed=True),
    )
    rows = Operation.objects.non_polymorphic()
    long_ago = timezone.now() - timedelta(days=1, minutes=1)
    rows.filter(pk__in=[old.pk, open_check.pk, elsewhere.pk]).update(finished_at=long_ago)
    all_checked_now()
    change(world.archive, checked_at=None)
    assert MonitorManager().run_once() == 1
    left = set(rows.values_list("pk", flat=True))
    assert old.pk not in left
    assert {young.pk, open_check.pk, elsewhere.pk} <= left
    assert len(left) == 4


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_plan_each_check_once(world: World) -> None:
    managers = race(MonitorManager)
    assert LocationCheck.objects.count() == 5
    assert [manager.waiting for manager in managers] == [[], []]
