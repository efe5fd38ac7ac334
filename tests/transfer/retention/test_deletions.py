"""Batches of deletions: a copy is in one of them, whoever schedules; approval is no proof."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import SystemLog
from ccatdc.common.errors import ConflictError
from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy
from datamgmt.states import Integrity, PhysicalCopyStatus
from tests.factories.accounts import UserFactory
from tests.transfer.parallel import PATIENCE, at_once, until_somebody_waits
from tests.transfer.world import World
from transfer.models import Deletion, DeletionItem
from transfer.retention.deletions import approve, put_back, release, schedule

pytestmark = pytest.mark.django_db
Copy = PhysicalCopyStatus


def statuses() -> list[str]:
    """Of all copies outside archives, in the order of their ids."""
    copies = PhysicalCopy.objects.non_polymorphic().outside_archives()
    return list(copies.order_by("pk").values_list("status", flat=True))


def source_files(world: World, count: int, **fields: Any) -> list[PhysicalCopy]:
    """Files at SOURCE of one archived package."""
    package = world.archived()
    return [world.source_file(package, **fields) for _ in range(count)]


def ids(copies: list[PhysicalCopy]) -> list[int]:
    """Their ids."""
    return [copy.pk for copy in copies]


def test_a_batch_has_its_copies_their_bytes_and_a_worker_is_called(world: World) -> None:
    copies = source_files(world, 3)
    deletion = schedule(world.source, ids(copies))
    assert deletion is not None
    assert (deletion.location, deletion.total_bytes) == (world.source, 3000)
    assert deletion.status == Status.SCHEDULED
    assert sorted(deletion.items.values_list("physical_copy_id", flat=True)) == ids(copies)
    assert statuses() == [Copy.DELETION_SCHEDULED] * 3


@pytest.mark.parametrize("status", [Copy.PRESENT, Copy.STAGED, Copy.DELETION_POSSIBLE, Copy.DELETION_PENDING])
def test_a_copy_in_these_states_can_be_scheduled(world: World, status: str) -> None:
    copies = source_files(world, 1, status=status)
    assert schedule(world.source, ids(copies)) is not None


@pytest.mark.parametrize(
    "status", [Copy.DELETION_SCHEDULED, Copy.DELETION_IN_PROGRESS, Copy.DELETION_FAILED, Copy.DELETED]
)
def test_a_copy_that_a_batch_has_or_had_is_not_taken_again(world: World, status: str) -> None:
    copies = source_files(world, 1, status=status)
    assert schedule(world.source, ids(copies)) is None
    assert Deletion.objects.count() == 0
    assert statuses() == [status]


def test_a_batch_takes_only_what_is_at_its_location(world: World) -> None:
    package = world.archived(world.output_buffer)
    copy = PhysicalCopy.objects.at(world.output_buffer).get(raw_data_package=package)
    assert schedule(world.source, [copy.pk]) is None


def test_the_second_of_two_batches_has_what_the_first_left(world: World) -> None:
    copies = source_files(world, 3)
    schedule(world.source, ids(copies[:2]))
    second = schedule(world.source, ids(copies))
    assert second is not None
    assert list(second.items.values_list("physical_copy_id", flat=True)) == [copies[2].pk]
    assert second.total_bytes == 1000


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_at_once_put_each_copy_into_one_batch(world: World) -> None:
    for _ in range(3):
        copies = source_files(world, 40)
        at_once(*[lambda c=copies: schedule(world.source, ids(c)) for _ in range(4)])
    items = DeletionItem.objects.values_list("physical_copy_id", flat=True)
    assert len(items) == len(set(items)) == 120
    assert set(statuses()) == {Copy.DELETION_SCHEDULED}


@pytest.mark.django_db(transaction=True)
def test_schedulers_with_different_halves_do_not_wait_for_each_other(world: World) -> None:
    copies = ids(source_files(world, 60))
    batches = at_once(
        lambda: schedule(world.source, copies[:40]), lambda: schedule(world.source, list(reversed(copies[20:])))
    )
    counted = [batch.items.count() for batch in batches if batch is not None]
    assert sum(counted) == 60
    assert DeletionItem.objects.values("physical_copy").distinct().count() == 60


# Putting back


def test_marks_are_taken_back_to_what_the_copy_was(world: World) -> None:
    package = world.archived(world.output_buffer)
    tree = world.copy(package, world.processing, status=Copy.DELETION_PENDING)
    file = world.source_file(package, status=Copy.DELETION_POSSIBLE)
    tar = PhysicalCopy.objects.at(world.output_buffer).get()
    PhysicalCopy.objects.filter(pk=tar.pk).update(status=Copy.DELETION_PENDING)
    assert put_back([tree.pk, file.pk, tar.pk]) == 3
    assert PhysicalCopy.objects.get(pk=tree.pk).status == Copy.STAGED
    assert PhysicalCopy.objects.get(pk=file.pk).status == Copy.PRESENT
    assert PhysicalCopy.objects.get(pk=tar.pk).status == Copy.PRESENT


@pytest.mark.parametrize("status", [Copy.DELETION_SCHEDULED, Copy.DELETION_IN_PROGRESS, Copy.DELETED])
def test_what_is_being_deleted_is_not_put_back(world: World, status: str) -> None:
    copies = source_files(world, 1, status=status)
    assert put_back(ids(copies)) == 0
    assert statuses() == [status]


def test_a_cancelled_batch_gives_back_what_it_has_not_deleted(world: World) -> None:
    copies = source_files(world, 4)
    deletion = schedule(world.source, ids(copies))
    assert deletion is not None
    rows = PhysicalCopy.objects.non_polymorphic()
    rows.filter(pk=copies[1].pk).update(status=Copy.DELETED)
    rows.filter(pk=copies[2].pk).update(status=Copy.DELETION_IN_PROGRESS)
    rows.filter(pk=copies[3].pk).update(status=Copy.DELETION_FAILED)
    assert release(deletion) == 2
    assert statuses() == [Copy.PRESENT, Copy.DELETED, Copy.DELETION_IN_PROGRESS, Copy.PRESENT]


# Approval


def test_approved_copies_are_scheduled_and_the_diary_says_who(world: World) -> None:
    user = UserFactory.create(username="vera")
    copies = source_files(world, 3, status=Copy.DELETION_PENDING)
    assert approve(copies, user) == 3
    assert Deletion.objects.get().items.count() == 3
    assert statuses() == [Copy.DELETION_SCHEDULED] * 3
    entries = SystemLog.objects.filter(component="deletion")
    assert {entry.user for entry in entries} == {user}
    assert {entry.message for entry in entries} == {f"Approved the deletion of {copy.full_path}." for copy in copies}


def test_copies_of_two_locations_become_two_batches(world: World) -> None:
    package = world.archived()
    file = world.source_file(package, status=Copy.DELETION_PENDING)
    other = world.archived(world.input_buffer)
    tar = PhysicalCopy.objects.at(world.input_buffer).get(raw_data_package=other)
    PhysicalCopy.objects.filter(pk=tar.pk).update(status=Copy.DELETION_PENDING)
    assert approve([file, tar], UserFactory.create()) == 2
    assert {deletion.location for deletion in Deletion.objects.all()} == {world.source, world.input_buffer}


@pytest.mark.parametrize("status", [Copy.PRESENT, Copy.DELETION_SCHEDULED, Copy.DELETED])
def test_only_what_waits_for_approval_can_be_approved(world: World, status: str) -> None:
    copies = source_files(world, 1, status=status)
    with pytest.raises(ConflictError) as raised:
        approve(copies, UserFactory.create())
    assert raised.value.code == "deletion.not_pending"
    assert statuses() == [status]


def test_approval_does_not_replace_proof(world: World) -> None:
    copies = source_files(world, 2, status=Copy.DELETION_PENDING)
    PhysicalCopy.objects.at(world.archive).update(integrity=Integrity.SUSPECT)
    with pytest.raises(ConflictError) as raised:
        approve(copies, UserFactory.create())
    assert raised.value.code == "deletion.reasons_to_keep"
    assert "archive copies are proven" in raised.value.message
    assert statuses() == [Copy.DELETION_PENDING] * 2
    assert Deletion.objects.count() == 0


def test_one_copy_with_a_reason_to_keep_stops_the_approval_of_all(world: World) -> None:
    free = source_files(world, 1, status=Copy.DELETION_PENDING)
    kept = world.source_file(world.package(), status=Copy.DELETION_PENDING)
    with pytest.raises(ConflictError):
        approve([*free, kept], UserFactory.create())
    assert statuses() == [Copy.DELETION_PENDING] * 2
    assert SystemLog.objects.filter(component="deletion").count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_approvals_at_once_delete_once(world: World) -> None:
    user = UserFactory.create()
    copies = source_files(world, 5, status=Copy.DELETION_PENDING)

    def try_to_approve() -> int:
        try:
            return approve(copies, user)
        except ConflictError:
            return 0

    assert sorted(at_once(try_to_approve, try_to_approve)) == [0, 5]
    assert Deletion.objects.count() == 1
    assert SystemLog.objects.filter(component="deletion").count() == 5


@pytest.mark.django_db(transaction=True)
def test_an_approval_waits_for_whoever_changes_the_copy(world: World) -> None:
    (copy,) = source_files(world, 1, status=Copy.DELETION_PENDING)
    user = UserFactory.create()
    locked = threading.Event()

    def take_it_back() -> None:
        try:
            with transaction.atomic():
                PhysicalCopy.objects.filter(pk=copy.pk).update(status=Copy.PRESENT)
                locked.set()
                until_somebody_waits()
        finally:
            connection.close()

    other = threading.Thread(target=take_it_back)
    other.start()
    assert locked.wait(PATIENCE)
    with pytest.raises(ConflictError) as raised:
        approve([copy], user)
    other.join(PATIENCE)
    assert raised.value.code == "deletion.not_pending"
    assert statuses() == [Copy.PRESENT]
