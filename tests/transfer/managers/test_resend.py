"""What failed is sent again by itself, at growing waits, and never what a person ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from datamgmt.models import RawDataPackage
from datamgmt.states import PackageState
from tests.factories.transfer import LongTermArchiveTransferFactory
from tests.transfer.world import World
from transfer.managers.resend import LONGEST_WAIT_SECONDS, ResendManager

pytestmark = pytest.mark.django_db


def failed(world: World, *places: Any) -> RawDataPackage:
    """Failed, with good copies there."""
    return world.package(*places, state=PackageState.FAILED)


def seconds_left(package: RawDataPackage) -> float:
    """Until it is tried again."""
    package.refresh_from_db()
    assert package.resend_after is not None
    return (package.resend_after - timezone.now()).total_seconds()


def test_a_package_with_a_good_copy_goes_on_by_itself(world: World) -> None:
    package = failed(world, world.output_buffer)
    assert ResendManager().run_once() == 1
    package.refresh_from_db()
    assert package.state == PackageState.WAITING


def test_what_is_not_due_is_left_alone(world: World) -> None:
    package = failed(world, world.output_buffer)
    RawDataPackage.objects.update(resend_after=timezone.now() + timedelta(minutes=1))
    assert ResendManager().run_once() == 0
    package.refresh_from_db()
    assert package.state == PackageState.FAILED


def test_of_what_cannot_be_sent_the_reason_is_shown_and_it_is_tried_again(world: World) -> None:
    package = failed(world)
    manager = ResendManager()
    assert manager.run_once() == 0
    (waits,) = manager.waiting
    assert waits["code"] == "package.nothing_left"
    assert 4 < seconds_left(package) <= 5
    RawDataPackage.objects.update(resend_after=None)
    manager.run_once()
    assert 9 < seconds_left(package) <= 10


def test_the_wait_grows_to_an_hour(world: World) -> None:
    package = failed(world)
    RawDataPackage.objects.update(resends=50)
    ResendManager().run_once()
    assert LONGEST_WAIT_SECONDS - 1 < seconds_left(package) <= LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("ended", [{"error_code": "operation.cancelled"}, {"acknowledged_at": timezone.now()}])
def test_what_a_person_ended_stays_ended(world: World, ended: dict[str, Any]) -> None:
    package = failed(world, world.input_buffer)
    LongTermArchiveTransferFactory.create(
        raw_data_package=package, location=world.archive, origin_location=world.input_buffer, failed=True, **ended
    )
    assert ResendManager().run_once() == 0
    package.refresh_from_db()
    assert package.state == PackageState.FAILED
