"""Stage 70, the manager: copies that nothing needs any more go; marks say what the others wait for."""

from __future__ import annotations

from typing import Any

import pytest

from ccatdc.common.states import Status
from datamgmt.copies.recording import note_good
from datamgmt.models import DeletionMode, PhysicalCopy
from datamgmt.states import Integrity, PhysicalCopyStatus
from tests.factories.accounts import UserFactory
from tests.factories.transfer import StagingJobFactory
from tests.transfer.parallel import race
from tests.transfer.world import World, change, days_ago, fill
from transfer.engine import dispatch
from transfer.managers import s70_delete
from transfer.managers.s70_delete import DeletionManager
from transfer.models import Deletion, DeletionItem
from transfer.retention.deletions import approve, schedule

pytestmark = pytest.mark.django_db
Copy = PhysicalCopyStatus


@pytest.fixture
def world(world: World) -> World:
    """Whose archive copies are read regularly: what is kept is kept for another reason."""
    world.is_scrubbed = True
    return world


def status_of(copy: PhysicalCopy) -> str:
    """As the database has it."""
    rows = PhysicalCopy.objects.non_polymorphic().filter(pk=copy.pk)
    (status,) = rows.values_list("status", flat=True)
    return str(status)


def tar_at(location: Any) -> PhysicalCopy:
    """The only package copy at a location."""
    copy: PhysicalCopy = PhysicalCopy.objects.at(location).get(raw_data_package__isnull=False)
    return copy


# What goes


def test_files_of_an_archived_package_go_in_one_batch(world: World) -> None:
    package = world.archived()
    files = [world.source_file(package) for _ in range(3)]
    manager = DeletionManager()
    assert manager.run_once() == 1
    deletion = Deletion.objects.get()
    assert (deletion.location, deletion.status) == (world.source, Status.SCHEDULED)
    assert deletion.items.count() == 3
    assert {status_of(file) for file in files} == {Copy.DELETION_SCHEDULED}
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    world.source_file(world.archived())
    manager = DeletionManager()
    assert [manager.run_once(), manager.run_once(), DeletionManager().run_once()] == [1, 0, 0]


def test_packages_bundles_and_trees_go_too_each_location_in_its_own_batch(world: World) -> None:
    package = world.archived(world.output_buffer, world.input_buffer, world.processing)
    bundle = world.bundle(package)
    world.sent(bundle)
    world.bundle_copy(bundle, world.output_buffer)
    world.bundle_copy(bundle, world.input_buffer)
    assert DeletionManager().run_once() == 3
    counts = {deletion.location.full_name: deletion.items.count() for deletion in Deletion.objects.all()}
    assert counts == {"ccat_output_buffer": 2, "cologne_input_buffer": 2, "cologne_ramses_processing": 1}


def test_the_bundle_of_a_failed_transfer_goes_when_its_packages_are_archived(world: World) -> None:
    bundle = world.bundle(world.archived())
    world.sent(bundle, completed=False, failed=True, unpack_status=Status.PENDING)
    copy = world.bundle_copy(bundle, world.output_buffer)
    DeletionManager().run_once()
    assert status_of(copy) == Copy.DELETION_SCHEDULED


def test_archives_are_never_touched(world: World) -> None:
    world.archived()
    assert DeletionManager().run_once() == 0
    assert tar_at(world.archive).status == Copy.PRESENT


def test_many_copies_become_several_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s70_delete, "BATCH", 2)
    package = world.archived()
    for _ in range(5):
        world.source_file(package)
    assert DeletionManager().run_once() == 3
    counts = [deletion.items.count() for deletion in Deletion.objects.order_by("pk")]
    assert counts == [2, 2, 1]


# What stays


def test_nothing_goes_before_its_package_is_archived(world: World) -> None:
    package = world.package(world.output_buffer)
    file = world.source_file(package)
    assert DeletionManager().run_once() == 0
    assert status_of(file) == Copy.PRESENT
    assert tar_at(world.output_buffer).status == Copy.PRESENT


def test_nothing_goes_on_the_word_of_an_archive_copy_that_is_not_proven(world: World) -> None:
    package = world.archived(world.output_buffer)
    file = world.source_file(package)
    PhysicalCopy.objects.at(world.archive).update(integrity=Integrity.SUSPECT)
    assert DeletionManager().run_once() == 0
    assert status_of(file) == Copy.PRESENT


def test_a_bundle_under_way_stays(world: World) -> None:
    bundle = world.bundle(world.archived())
    copy = world.bundle_copy(bundle, world.output_buffer)
    world.sent(bundle, completed=False, unpack_status=Status.PENDING)
    assert DeletionManager().run_once() == 0
    assert status_of(copy) == Copy.PRESENT


def test_what_an_active_job_needs_stays(world: World) -> None:
    package = world.archived(world.processing)
    job = StagingJobFactory.create(packages=[package])
    assert DeletionManager().run_once() == 0
    type(job).objects.update(cancelled_at=days_ago(0))
    assert DeletionManager().run_once() == 1


@pytest.mark.parametrize("fields", [{"active": False}, {"deletion_mode": DeletionMode.OFF}], ids=str)
def test_a_location_that_is_off_or_deletes_nothing_is_left_alone(world: World, fields: dict[str, Any]) -> None:
    file = world.source_file(world.archived())
    change(world.source, **fields)
    assert DeletionManager().run_once() == 0
    assert status_of(file) == Copy.PRESENT


def test_a_copy_whose_deletion_failed_is_left_to_its_batch(world: World) -> None:
    file = world.source_file(world.archived())
    manager = DeletionManager()
    manager.run_once()
    PhysicalCopy.objects.filter(pk=file.pk).update(status=Copy.DELETION_FAILED)
    assert manager.run_once() == 0
    assert DeletionItem.objects.count() == 1


def test_what_a_cancelled_batch_gave_back_is_planned_again(world: World) -> None:
    file = world.source_file(world.archived())
    deletion = schedule(world.source, [file.pk])
    assert deletion is not None
    dispatch.cancel(deletion, user=None)
    assert DeletionManager().run_once() == 1


# Retention, and DELETION_POSSIBLE


def test_a_file_that_only_time_keeps_is_marked_and_goes_in_time(world: World) -> None:
    package = world.archived(days=29)
    file = world.source_file(package)
    manager = DeletionManager()
    assert manager.run_once() == 0
    assert status_of(file) == Copy.DELETION_POSSIBLE
    assert manager.run_once() == 0
    type(package).objects.update(archived_at=days_ago(30))
    assert manager.run_once() == 1
    assert status_of(file) == Copy.DELETION_SCHEDULED


def test_a_file_whose_package_is_in_the_buffer_is_not_marked(world: World) -> None:
    package = world.archived(world.output_buffer, days=1)
    file = world.source_file(package)
    DeletionManager().run_once()
    assert status_of(file) == Copy.PRESENT
    PhysicalCopy.objects.at(world.output_buffer).update(status=Copy.DELETED)
    DeletionManager().run_once()
    assert status_of(file) == Copy.DELETION_POSSIBLE


def test_only_files_are_marked(world: World) -> None:
    world.archived(world.output_buffer, days=1)
    assert DeletionManager().run_once() == 0
    assert tar_at(world.output_buffer).status == Copy.PRESENT


def test_a_full_disk_ends_the_wait(world: World) -> None:
    file = world.source_file(world.archived(days=1))
    manager = DeletionManager()
    manager.run_once()
    assert status_of(file) == Copy.DELETION_POSSIBLE
    fill(world.source, 85)
    assert manager.run_once() == 1
    assert status_of(file) == Copy.DELETION_SCHEDULED


def test_a_full_disk_does_not_end_the_wait_for_proof(world: World) -> None:
    file = world.source_file(world.archived(days=1))
    PhysicalCopy.objects.at(world.archive).update(verified_how="written")
    fill(world.source, 99)
    assert DeletionManager().run_once() == 0
    assert status_of(file) == Copy.PRESENT


def test_the_mark_goes_when_a_reason_to_keep_appears(world: World) -> None:
    package = world.archived(days=1)
    file = world.source_file(package)
    manager = DeletionManager()
    manager.run_once()
    assert status_of(file) == Copy.DELETION_POSSIBLE
    PhysicalCopy.objects.at(world.archive).update(integrity=Integrity.DAMAGED)
    type(package).objects.update(archived_at=days_ago(31))
    manager.run_once()
    assert status_of(file) == Copy.PRESENT


# Old evidence


def wanted(world: World) -> dict[str, str]:
    """What stage 90 is asked to do, by archive."""
    copies = PhysicalCopy.objects.in_archives().exclude(wanted_check="")
    return {copy.data_location.full_name: copy.wanted_check for copy in copies}


def test_what_waits_for_a_read_of_the_archive_asks_for_it_and_goes_afterwards(world: World) -> None:
    file = world.source_file(world.archived())
    PhysicalCopy.objects.at(world.archive).update(verified_at=days_ago(100))
    manager = DeletionManager()
    assert manager.run_once() == 0
    assert wanted(world) == {"cologne_long_term_archive": "read"}
    assert status_of(file) == Copy.PRESENT
    note_good(PhysicalCopy.objects.at(world.archive))
    assert wanted(world) == {}
    assert manager.run_once() == 1


def test_one_of_several_archives_is_read(world: World) -> None:
    package = world.archived()
    world.source_file(package)
    second = world.lta(world.cologne, "second_archive")
    world.copy(package, second)
    PhysicalCopy.objects.at(world.archive).update(verified_at=days_ago(100))
    PhysicalCopy.objects.at(second).update(verified_at=days_ago(101))
    DeletionManager().run_once()
    assert wanted(world) == {"cologne_second_archive": "read"}


def test_evidence_that_is_too_old_to_count_is_read_again(world: World) -> None:
    world.source_file(world.archived())
    PhysicalCopy.objects.at(world.archive).update(verified_at=days_ago(1000))
    DeletionManager().run_once()
    assert wanted(world) == {"cologne_long_term_archive": "read"}


def test_nothing_is_read_where_reading_does_not_help(world: World) -> None:
    world.archived(world.input_buffer)
    world.lta(world.cologne, "second_archive")  # has no copy yet
    world.source_file(world.archived())
    change(world.source, min_archive_copies=2)
    assert DeletionManager().run_once() == 0
    assert wanted(world) == {}


def test_nothing_is_read_before_its_time(world: World) -> None:
    file = world.source_file(world.archived(days=20))
    PhysicalCopy.objects.at(world.archive).update(verified_at=days_ago(20), seen_at=days_ago(20))
    DeletionManager().run_once()
    assert wanted(world) == {}
    assert status_of(file) == Copy.DELETION_POSSIBLE


def test_what_waits_for_approval_stays_so_when_the_evidence_grows_old(world: World) -> None:
    change(world.source, deletion_mode=DeletionMode.APPROVAL)
    file = world.source_file(world.archived())
    manager = DeletionManager()
    manager.run_once()
    PhysicalCopy.objects.at(world.archive).update(verified_at=days_ago(9), seen_at=days_ago(9))
    manager.run_once()
    assert status_of(file) == Copy.DELETION_PENDING
    assert wanted(world) == {}
    assert approve([file], UserFactory.create()) == 1


# Approval


def test_where_an_operator_decides_copies_wait_for_approval(world: World) -> None:
    change(world.source, deletion_mode=DeletionMode.APPROVAL)
    file = world.source_file(world.archived())
    manager = DeletionManager()
    assert [manager.run_once(), manager.run_once()] == [0, 0]
    assert status_of(file) == Copy.DELETION_PENDING
    assert Deletion.objects.count() == 0


def test_what_waits_for_approval_is_put_back_when_a_reason_to_keep_appears(world: World) -> None:
    change(world.source, deletion_mode=DeletionMode.APPROVAL)
    change(world.processing, deletion_mode=DeletionMode.APPROVAL)
    package = world.archived(world.processing)
    file, tree = world.source_file(package), tar_at(world.processing)
    manager = DeletionManager()
    manager.run_once()
    assert (status_of(file), status_of(tree)) == (Copy.DELETION_PENDING, Copy.DELETION_PENDING)
    StagingJobFactory.create(packages=[package])
    change(world.source, retention_days=10_000)
    manager.run_once()
    assert status_of(tree) == Copy.STAGED
    assert status_of(file) == Copy.PRESENT
    manager.run_once()
    assert status_of(file) == Copy.DELETION_POSSIBLE


def test_what_waits_for_approval_goes_when_none_is_wanted_any_more(world: World) -> None:
    change(world.source, deletion_mode=DeletionMode.APPROVAL)
    file = world.source_file(world.archived())
    manager = DeletionManager()
    manager.run_once()
    change(world.source, deletion_mode=DeletionMode.AUTOMATIC)
    assert manager.run_once() == 1
    assert status_of(file) == Copy.DELETION_SCHEDULED


# Large locations


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two copies are a page, and a look ends with its first page."""
    monkeypatch.setattr(s70_delete, "PAGE", 2)
    monkeypatch.setattr(s70_delete, "LOOK_SECONDS", 0)


def test_copies_that_must_stay_do_not_hide_those_behind_them(
    world: World, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s70_delete, "LOOK_AGAIN_SECONDS", 0)
    waiting = world.package()
    for _ in range(5):
        world.source_file(waiting)
    free = world.source_file(world.archived())
    manager = DeletionManager()
    assert [manager.run_once() for _ in range(3)] == [0, 0, 1]
    assert status_of(free) == Copy.DELETION_SCHEDULED


def test_after_the_last_copy_the_walk_begins_again(
    world: World, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s70_delete, "LOOK_AGAIN_SECONDS", 0)
    package = world.package()
    files = [world.source_file(package) for _ in range(3)]
    manager = DeletionManager()
    manager.run_once()
    world.copy(package, world.archive)
    type(package).objects.update(state="archived", archived_at=days_ago(99))
    assert [manager.run_once() for _ in range(3)] == [1, 1, 0]
    assert {status_of(file) for file in files} == {Copy.DELETION_SCHEDULED}


def test_after_a_look_in_vain_a_large_location_is_left_alone_for_a_while(world: World, small_pages: None) -> None:
    for _ in range(5):
        world.source_file(world.package())
    manager = DeletionManager()
    manager.run_once()
    assert world.source not in list(manager.find_work())
    assert world.output_buffer in list(manager.find_work())


def test_a_small_location_is_looked_at_in_every_pass(world: World) -> None:
    world.source_file(world.package())
    manager = DeletionManager()
    manager.run_once()
    assert world.source in list(manager.find_work())


def test_one_look_goes_through_several_pages_as_long_as_there_is_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s70_delete, "PAGE", 2)
    monkeypatch.setattr(s70_delete, "LOOK_SECONDS", 60)
    for _ in range(5):
        world.source_file(world.package())
    world.source_file(world.archived())
    assert DeletionManager().run_once() == 1


# Several managers


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_put_each_copy_into_one_batch(world: World) -> None:
    package = world.archived(world.output_buffer, world.input_buffer)
    other = world.archived()
    for _ in range(20):
        world.source_file(other)
    managers = race(DeletionManager)
    items = DeletionItem.objects.values_list("physical_copy_id", flat=True)
    assert len(items) == len(set(items)) == 22
    assert [manager.waiting for manager in managers] == [[], []]
    assert package.copies.filter(status=Copy.DELETION_SCHEDULED).count() == 2
