"""The questions that the flow asks about data, by name: each with what it finds and what it leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import (
    DataLocation,
    DataTransferPackage,
    DiskDataLocation,
    LocationType,
    PhysicalCopy,
    RawDataFile,
    RawDataPackage,
    S3DataLocation,
    Site,
)
from datamgmt.states import READABLE, Integrity, PackageState, PhysicalCopyStatus
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    DataTransferPackageFactory,
    DataTransferPackagePhysicalCopyFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
    SourceLocationFactory,
)
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


# Locations


def test_active_is_the_location_and_its_site() -> None:
    on = BufferLocationFactory.create()
    BufferLocationFactory.create(name="off", active=False)
    elsewhere = SiteFactory.create(short_name="closed", active=False)
    BufferLocationFactory.create(site=elsewhere)
    assert list(DataLocation.objects.active()) == [on]


def test_registered_locations_have_a_marker() -> None:
    marked = BufferLocationFactory.create()
    BufferLocationFactory.create(name="new", registered_at=None)
    assert list(DataLocation.objects.registered()) == [marked]


def test_by_priority_is_the_same_order_for_every_process() -> None:
    second = BufferLocationFactory.create(name="z", priority=2)
    also_second = BufferLocationFactory.create(name="a", priority=2)
    first = BufferLocationFactory.create(name="m", priority=1)
    assert list(DataLocation.objects.by_priority()) == [first, second, also_second]


def test_locations_are_found_by_type_and_site() -> None:
    buffer, archive = BufferLocationFactory.create(), ArchiveLocationFactory.create()
    source = SourceLocationFactory.create()
    found = DataLocation.objects.of_type(LocationType.SOURCE, LocationType.LONG_TERM_ARCHIVE)
    assert set(found) == {source, archive}
    assert set(DataLocation.objects.at_site(buffer.site)) == {buffer, source}


def test_locations_come_as_their_own_kind() -> None:
    BufferLocationFactory.create()
    ArchiveLocationFactory.create()
    kinds = {type(location) for location in DataLocation.objects.with_site()}
    assert kinds == {DiskDataLocation, S3DataLocation}


@pytest.mark.parametrize(("site", "name"), [("a", "b_c"), ("a_b", "c"), ("ccat", "buffer")], ids=str)
def test_a_full_name_is_found_however_it_is_cut(site: str, name: str) -> None:
    location = BufferLocationFactory.create(site=SiteFactory.create(short_name=site), name=name)
    assert list(DataLocation.objects.named(f"{site}_{name}")) == [location]


@pytest.mark.parametrize("name", ["", "ccat", "ccat_", "_buffer", "ccat_buffer_x", "buffer_ccat"])
def test_another_name_finds_nothing(name: str) -> None:
    BufferLocationFactory.create(name="buffer")
    assert not DataLocation.objects.named(name).exists()


def test_two_locations_may_share_a_full_name_and_both_are_found() -> None:
    BufferLocationFactory.create(site=SiteFactory.create(short_name="a"), name="b_c")
    BufferLocationFactory.create(site=SiteFactory.create(short_name="a_b"), name="c")
    assert DataLocation.objects.named("a_b_c").count() == 2


def test_a_check_is_due_when_there_was_none_or_its_interval_is_over() -> None:
    now = timezone.now()
    never = BufferLocationFactory.create(name="never")
    old = BufferLocationFactory.create(name="old", check_interval_seconds=60, checked_at=now - timedelta(seconds=60))
    BufferLocationFactory.create(name="fresh", check_interval_seconds=60, checked_at=now - timedelta(seconds=59))
    BufferLocationFactory.create(name="unmarked", registered_at=None)
    assert set(DataLocation.objects.due_for_check(now)) == {never, old}


# Files


def file(*copies: dict[str, Any], **fields: Any) -> RawDataFile:
    """A file with copies that have these fields."""
    made: RawDataFile = RawDataFileFactory.create(**fields)
    for copy in copies:
        RawDataFilePhysicalCopyFactory.create(raw_data_file=made, **copy)
    return made


DELETED = {"status": PhysicalCopyStatus.DELETED}


def test_unpackaged_files_are_in_no_package() -> None:
    free = file()
    file(raw_data_package=RawDataPackageFactory.create())
    assert list(RawDataFile.objects.unpackaged()) == [free]


def test_a_usable_file_has_a_copy_that_is_there_and_in_no_trouble() -> None:
    new, verified = file({}), file({"integrity": Integrity.OK})
    for integrity in (Integrity.MISSING, Integrity.DAMAGED, Integrity.SUSPECT):
        file({"integrity": integrity})
    file(DELETED)
    file({"status": PhysicalCopyStatus.DELETION_SCHEDULED})
    file()
    assert set(RawDataFile.objects.usable()) == {new, verified}


def test_a_file_is_usable_once_however_many_copies_it_had() -> None:
    again = file(DELETED, DELETED, {})
    assert list(RawDataFile.objects.usable()) == [again]


def test_a_file_set_aside_is_in_trouble_now_and_told_once() -> None:
    bad = file({"integrity": Integrity.DAMAGED} | DELETED, {"integrity": Integrity.MISSING})
    file({"integrity": Integrity.DAMAGED} | DELETED, {})
    file({"integrity": Integrity.DAMAGED} | DELETED)
    assert list(RawDataFile.objects.set_aside()) == [bad]


def test_finished_executions_and_their_ids() -> None:
    done = ExecutedObsUnitFactory.create(finished=True)
    running = ExecutedObsUnitFactory.create()
    first, _ = file(executed_obs_unit=done), file(executed_obs_unit=running)
    second = file(executed_obs_unit=done)
    assert set(RawDataFile.objects.of_finished_executions()) == {first, second}
    assert set(RawDataFile.objects.executions()) == {done.pk, running.pk}
    assert len(RawDataFile.objects.executions()) == 2
    assert set(RawDataFile.objects.of_executions([done.pk])) == {first, second}


def test_groups_count_each_file_once_and_know_when_the_last_became_known() -> None:
    done = ExecutedObsUnitFactory.create(finished=True)
    moments = [timezone.now() - timedelta(hours=hours) for hours in (3, 1, 2)]
    files = [file({}, DELETED, executed_obs_unit=done, registered_at=at) for at in moments]
    other = file({}, executed_obs_unit=ExecutedObsUnitFactory.create(finished=True))
    groups = RawDataFile.objects.usable().packaging_groups()
    assert len(groups) == 2
    (group,) = [row for row in groups if row["executed_obs_unit_id"] == done.pk]
    assert group["files"] == 3
    assert group["last_registered_at"] == moments[1]
    assert group["finished_at"] == done.finished_at
    keys = ("executed_obs_unit_id", "instrument_module_id", "source_location_id")
    inside = RawDataFile.objects.in_group(**{key: group[key] for key in keys})
    assert set(inside) == set(files)
    assert other not in inside


# Packages


def package(*copies: dict[str, Any], **fields: Any) -> RawDataPackage:
    """A built package with copies that have these fields."""
    fields.setdefault("built", True)
    made: RawDataPackage = RawDataPackageFactory.create(**fields)
    for copy in copies:
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=made, **copy)
    return made


def test_packages_by_what_has_become_of_them() -> None:
    waiting = package()
    archived = package(archived=True)
    unbuilt = package(built=False)
    moving = package(state=PackageState.TRANSFERRING)
    assert set(RawDataPackage.objects.waiting()) == {waiting}
    assert set(RawDataPackage.objects.built()) == {waiting, archived, moving}
    assert set(RawDataPackage.objects.archived()) == {archived}
    assert set(RawDataPackage.objects.not_archived()) == {waiting, unbuilt, moving}


def test_archived_since_a_moment() -> None:
    now = timezone.now()
    late = package(archived=True, archived_at=now)
    package(archived=True, archived_at=now - timedelta(hours=2))
    package(archived_at=now)
    assert list(RawDataPackage.objects.archived_since(now - timedelta(hours=1))) == [late]


def test_a_usable_copy_is_readable_and_not_in_trouble_and_counted_once() -> None:
    first, second = BufferLocationFactory.create(), BufferLocationFactory.create(name="second")
    both = package({"data_location": first}, {"data_location": second})
    again = package({"data_location": first, "integrity": Integrity.UNVERIFIED})
    package({"data_location": first, "integrity": Integrity.SUSPECT})
    package({"data_location": first, "status": PhysicalCopyStatus.DELETION_SCHEDULED})
    package({"data_location": first} | DELETED)
    package()
    assert set(RawDataPackage.objects.with_usable_copy_at(first, second)) == {both, again}
    assert RawDataPackage.objects.with_usable_copy_at(first, second).count() == 2
    assert list(RawDataPackage.objects.with_usable_copy_at()) == []


def test_without_copy_means_without_any_that_exists() -> None:
    archive = ArchiveLocationFactory.create()
    package({"data_location": archive, "integrity": Integrity.DAMAGED})
    package({"data_location": archive, "status": PhysicalCopyStatus.DELETION_FAILED})
    gone = package({"data_location": archive} | DELETED)
    elsewhere = package({})
    assert set(RawDataPackage.objects.without_copy_at(archive)) == {gone, elsewhere}


def test_present_in_an_archive_is_a_usable_copy_in_some_archive() -> None:
    there = package({"archived": True})
    again = package({"archived": True, "integrity": Integrity.UNVERIFIED})
    package({})
    package({"archived": True, "integrity": Integrity.DAMAGED})
    assert set(RawDataPackage.objects.present_in_archive()) == {there, again}


def test_oldest_first_and_the_bytes_of_all() -> None:
    packages = [package(size=size) for size in (1, 2, 3)]
    assert list(RawDataPackage.objects.oldest_first()) == packages
    assert RawDataPackage.objects.all().total_size() == 6
    assert RawDataPackage.objects.none().total_size() == 0


def test_a_listing_needs_one_query(django_assert_num_queries: Any) -> None:
    package()
    with django_assert_num_queries(1):
        (row,) = RawDataPackage.objects.for_listing()
        assert row.executed_obs_unit.obs_unit.observing_program.short_name
        assert row.instrument_module.instrument.short_name


def test_built_bundles() -> None:
    ready = DataTransferPackageFactory.create(built=True)
    DataTransferPackageFactory.create(status=Status.FAILED)
    assert list(DataTransferPackage.objects.built()) == [ready]


# Copies


def copy_in(status: str, integrity: str = Integrity.OK) -> PhysicalCopy:
    """A package's copy in a BUFFER."""
    made: PhysicalCopy = RawDataPackagePhysicalCopyFactory.create(status=status, integrity=integrity)
    return made


@pytest.mark.parametrize("status", sorted(PhysicalCopyStatus))
def test_what_each_status_means_for_a_copy(status: str) -> None:
    copy_in(status)
    copies = PhysicalCopy.objects.all()
    is_readable = status in READABLE
    assert copies.existing().exists() == (status != PhysicalCopyStatus.DELETED)
    assert copies.readable().exists() == copies.good().exists() == is_readable
    is_deletable = is_readable or status == PhysicalCopyStatus.DELETION_PENDING
    assert copies.deletable_states().exists() == is_deletable


@pytest.mark.parametrize("integrity", sorted(Integrity))
def test_what_each_verdict_means_for_a_copy(integrity: str) -> None:
    copy_in(PhysicalCopyStatus.PRESENT, integrity)
    copies = PhysicalCopy.objects.all()
    assert copies.good().exists() == (integrity == Integrity.OK)
    assert copies.usable().exists() == (integrity in (Integrity.OK, Integrity.UNVERIFIED))
    in_trouble = integrity in (Integrity.SUSPECT, Integrity.DAMAGED, Integrity.MISSING)
    assert copies.needing_attention().exists() == in_trouble


def test_trouble_with_what_is_deleted_is_over() -> None:
    copy_in(PhysicalCopyStatus.DELETED, Integrity.DAMAGED)
    assert not PhysicalCopy.objects.needing_attention().exists()


def test_copies_are_found_by_their_place() -> None:
    buffered = RawDataPackagePhysicalCopyFactory.create()
    archived = RawDataPackagePhysicalCopyFactory.create(archived=True)
    copies = PhysicalCopy.objects.all()
    assert set(copies.at(buffered.data_location)) == {buffered}
    assert set(copies.at_any([buffered.data_location_id])) == {buffered}
    assert set(copies.of_type_of_location(LocationType.BUFFER)) == {buffered}
    assert set(copies.in_archives()) == {archived}
    assert set(copies.outside_archives()) == {buffered}
    assert set(copies.of_package(archived.raw_data_package_id)) == {archived}


def test_what_is_at_a_place_that_is_off_cannot_be_read_now() -> None:
    copy = RawDataPackagePhysicalCopyFactory.create()
    assert list(PhysicalCopy.objects.at_active()) == [copy]
    Site.objects.update(active=False)
    assert not PhysicalCopy.objects.at_active().exists()
    Site.objects.update(active=True)
    DataLocation.objects.non_polymorphic().update(active=False)
    assert not PhysicalCopy.objects.at_active().exists()


def test_copies_with_their_subjects_know_their_paths_in_few_queries(django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        RawDataPackagePhysicalCopyFactory.create()
        RawDataPackagePhysicalCopyFactory.create(archived=True)
        DataTransferPackagePhysicalCopyFactory.create()
        file({})
    with django_assert_max_num_queries(6):
        paths = {copy.full_path for copy in PhysicalCopy.objects.with_subjects()}
    assert len(paths) == 12
    assert any(path.startswith("s3://") for path in paths)
