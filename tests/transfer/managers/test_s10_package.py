"""Stage 10, the manager: files of finished observations become packages."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.packaging.tarballs import tar_size
from datamgmt.states import Integrity, PackageState, PhysicalCopyStatus
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import SourceLocationFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.transfer.parallel import PATIENCE, race, until_somebody_waits
from tests.transfer.world import World, change, days_ago, fill
from transfer.managers import s10_package
from transfer.managers.s10_package import FiledFile, PackageManager, split
from transfer.models import Operation, RawDataPackageCreation

pytestmark = pytest.mark.django_db


def packages() -> list[list[str]]:
    """The files of each package, in the order in which these were made."""
    return [
        sorted(package.raw_data_files.values_list("relative_path", flat=True))
        for package in RawDataPackage.objects.order_by("created_at", "name")
    ]


def codes(manager: PackageManager) -> list[str]:
    """For what its last pass's work waits."""
    return [entry["code"] for entry in manager.waiting]


def test_the_files_of_an_observation_become_a_package(world: World) -> None:
    execution = world.observation(priority=3)
    world.files(execution, "run/a", "run/b", size=700)
    manager = PackageManager()
    assert manager.run_once() == 1

    package = RawDataPackage.objects.get()
    assert packages() == [["run/a", "run/b"]]
    assert (package.status, package.state) == (Status.SCHEDULED, PackageState.WAITING)
    assert (package.file_count, package.size, package.is_late) == (2, None, False)
    assert package.executed_obs_unit == execution
    assert package.instrument_module == world.module
    assert package.source_location == world.source
    operation = RawDataPackageCreation.objects.get()
    assert operation.status == Status.SCHEDULED
    assert (operation.location, operation.destination_location) == (world.source, world.output_buffer)
    assert (operation.priority, operation.total_bytes) == (3, 1400)
    assert manager.waiting == []


def test_a_second_pass_plans_nothing(world: World) -> None:
    world.files(world.observation(), "a")
    assert [PackageManager().run_once(), PackageManager().run_once()] == [1, 0]
    assert RawDataPackage.objects.count() == 1


def test_without_files_there_is_nothing_to_do(world: World) -> None:
    world.observation()
    manager = PackageManager()
    assert manager.run_once() == 0
    assert manager.waiting == []


def test_a_running_observation_is_left_alone(world: World) -> None:
    execution = world.observation(finished=None)
    world.files(execution, "a")
    assert PackageManager().run_once() == 0
    ExecutedObsUnit.objects.update(finished_at=days_ago(1))
    assert PackageManager().run_once() == 1


def test_each_module_has_packages_of_its_own(world: World) -> None:
    execution = world.observation()
    other = InstrumentModuleFactory.create(short_name="f350")
    world.files(execution, "a")
    world.files(execution, "b", instrument_module=other)
    assert PackageManager().run_once() == 2
    assert sorted(packages()) == [["a"], ["b"]]
    assert RawDataPackage.objects.filter(is_late=True).count() == 0


def test_each_source_has_packages_of_its_own_and_none_is_late(world: World) -> None:
    execution = world.observation()
    other = SourceLocationFactory.create(site=world.ccat, name="chai_raw_data")
    world.files(execution, "a")
    world.files(execution, "b", location=other)
    assert PackageManager().run_once() == 2
    assert set(RawDataPackageCreation.objects.values_list("location", flat=True)) == {world.source.pk, other.pk}
    assert RawDataPackage.objects.filter(is_late=True).count() == 0


def test_each_observation_has_packages_of_its_own_the_oldest_first(world: World) -> None:
    young, old = world.observation(finished=1), world.observation(finished=3)
    world.files(young, "young")
    world.files(old, "old", filed=5)
    PackageManager().run_once()
    assert packages() == [["old"], ["young"]]


# Settling


def test_an_observation_settles_before_it_is_packaged(world: World) -> None:
    change(world.source, settle_seconds=3600)
    execution = world.observation(finished=30 / 1440)
    world.files(execution, "a")
    manager = PackageManager()
    assert manager.run_once() == 0
    assert manager.waiting == []
    ExecutedObsUnit.objects.update(finished_at=days_ago(61 / 1440))
    assert manager.run_once() == 1


def test_a_file_that_has_just_been_filed_lets_the_others_wait_for_more(world: World) -> None:
    change(world.source, settle_seconds=3600)
    execution = world.observation(finished=1)
    world.files(execution, "a")
    world.files(execution, "b", filed=30 / 1440)
    assert PackageManager().run_once() == 0
    RawDataFile.objects.update(registered_at=days_ago(61 / 1440))
    assert PackageManager().run_once() == 1


def test_the_clock_of_settling_is_the_databases(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    change(world.source, settle_seconds=60)
    world.files(world.observation(finished=1), "a")
    long_ago = timezone.now() - timedelta(days=9)
    monkeypatch.setattr("django.utils.timezone.now", lambda: long_ago)
    assert PackageManager().run_once() == 1


# Files that are set aside


@pytest.mark.parametrize("integrity", [Integrity.MISSING, Integrity.DAMAGED, Integrity.SUSPECT])
def test_a_file_in_trouble_is_left_out_and_the_others_go_on(world: World, integrity: str) -> None:
    execution = world.observation()
    bad, _ = world.files(execution, "bad", "good")
    PhysicalCopy.objects.filter(raw_data_file=bad).update(integrity=integrity)
    assert PackageManager().run_once() == 1
    assert packages() == [["good"]]
    assert PackageManager().run_once() == 0


def test_a_file_without_a_copy_is_left_out(world: World) -> None:
    gone, _ = world.files(world.observation(), "gone", "good")
    PhysicalCopy.objects.filter(raw_data_file=gone).update(status=PhysicalCopyStatus.DELETED)
    PackageManager().run_once()
    assert packages() == [["good"]]


def test_a_file_that_was_deleted_and_filed_again_is_packaged_once(world: World) -> None:
    (file,) = world.files(world.observation(), "again")
    PhysicalCopy.objects.filter(raw_data_file=file).update(status=PhysicalCopyStatus.DELETED)
    world.files(world.observation(), "other")
    PhysicalCopy.objects.create(
        type="raw_data_file_physical_copy", raw_data_file=file, data_location=world.source, size=file.size
    )
    assert PackageManager().run_once() == 2
    assert sorted(RawDataPackage.objects.values_list("file_count", flat=True)) == [1, 1]
    assert sorted(RawDataPackageCreation._base_manager.values_list("total_bytes", flat=True)) == [1000, 1000]


# Late files


def test_files_filed_after_the_package_was_made_go_into_a_further_one(world: World) -> None:
    execution = world.observation()
    world.files(execution, "a")
    PackageManager().run_once()
    world.files(execution, "late", filed=0.5)
    PackageManager().run_once()
    assert packages() == [["a"], ["late"]]
    first, second = RawDataPackage.objects.order_by("created_at")
    assert (first.is_late, second.is_late) == (False, True)
    assert first.name[:-3] == second.name[:-3]
    assert (first.name[-3:], second.name[-3:]) == ("001", "002")


def test_files_filed_long_after_the_end_are_late_although_nothing_was_packaged(world: World) -> None:
    change(world.source, settle_seconds=3600)
    execution = world.observation(finished=1)
    world.files(execution, "on_time", filed=1.5)
    world.files(execution, "within_the_delay", filed=1 - 30 / 1440)
    world.files(execution, "late", filed=0.5)
    assert PackageManager().run_once() == 2
    found = {package.is_late: package.raw_data_files for package in RawDataPackage.objects.all()}
    assert sorted(found[False].values_list("relative_path", flat=True)) == ["on_time", "within_the_delay"]
    assert list(found[True].values_list("relative_path", flat=True)) == ["late"]


# Splitting


def test_packages_hold_at_most_so_many_bytes_of_tar(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s10_package, "PACKAGE_MAX_BYTES", 20_480)
    world.files(world.observation(), *[f"file{n}" for n in range(9)], size=4000)
    assert PackageManager().run_once() == 3
    assert [len(files) for files in packages()] == [4, 4, 1]
    assert packages()[0] == ["file0", "file1", "file2", "file3"]
    assert RawDataPackage.objects.values("name").distinct().count() == 3


def filed(*files: tuple[str, int]) -> list[FiledFile]:
    """Files of these paths and sizes."""
    return [FiledFile(None, path, size, timezone.now()) for path, size in files]  # type: ignore[arg-type]


def test_a_part_is_filled_to_the_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    files = filed(*[(f"f{n}", 512) for n in range(20)])
    limit = tar_size((file.relative_path, file.size) for file in files[:9])
    monkeypatch.setattr(s10_package, "PACKAGE_MAX_BYTES", limit)
    parts = list(split(files))
    assert [len(part) for part in parts] == [9, 9, 2]
    for part in parts:
        assert tar_size((file.relative_path, file.size) for file in part) <= limit


def test_a_file_larger_than_a_package_is_a_package_of_its_own() -> None:
    files = filed(("a", 10), ("b", 60_000_000_000), ("c", 10))
    assert [[file.relative_path for file in part] for part in split(files)] == [["a"], ["b"], ["c"]]


def test_long_and_foreign_names_take_the_room_that_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    files = filed(*[("ü" * 100 + f"/{n}", 0) for n in range(20)])
    monkeypatch.setattr(s10_package, "PACKAGE_MAX_BYTES", 10_240)
    for part in split(files):
        assert tar_size((file.relative_path, file.size) for file in part) == 10_240


def test_a_name_that_no_tar_may_hold_does_not_stop_the_others(world: World) -> None:
    world.files(world.observation(), "../" * 50 + "passwd", "good")
    assert PackageManager().run_once() == 1
    assert RawDataPackage.objects.get().file_count == 2


def test_nothing_is_split_into_nothing() -> None:
    assert list(split([])) == []


# What work waits for


def test_a_source_that_is_off_waits_and_says_so(world: World) -> None:
    change(world.source, active=False)
    world.files(world.observation(), "a")
    world.files(world.observation(), "b")
    manager = PackageManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["location.inactive"]
    assert manager.waiting[0]["what"] == "2 observations at ccat_primecam_raw_data"
    change(world.source, active=True)
    assert manager.run_once() == 2
    assert manager.waiting == []


def test_a_site_that_is_off_waits(world: World) -> None:
    type(world.ccat).objects.filter(pk=world.ccat.pk).update(active=False)
    world.files(world.observation(), "a")
    manager = PackageManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["location.inactive"]


@pytest.mark.parametrize("problem", ["off", "full"])
def test_without_a_buffer_files_wait_and_go_on_when_there_is_one(world: World, problem: str) -> None:
    if problem == "off":
        change(world.output_buffer, active=False)
    else:
        fill(world.output_buffer, 96)
    world.files(world.observation(), "a")
    manager = PackageManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["route.no_buffer" if problem == "off" else "route.buffers_full"]
    change(world.output_buffer, active=True, used_bytes=0)
    assert manager.run_once() == 1
    assert manager.waiting == []


def test_one_source_that_waits_does_not_stop_another(world: World) -> None:
    lab = SourceLocationFactory.create(site=world.cologne, name="lab")
    change(world.output_buffer, active=False)
    world.files(world.observation(), "a")
    world.files(world.observation(), "b", location=lab)
    manager = PackageManager()
    assert manager.run_once() == 1
    assert RawDataPackageCreation.objects.get().destination_location == world.input_buffer


def test_what_does_not_settle_yet_does_not_wait_for_a_buffer(world: World) -> None:
    change(world.output_buffer, active=False)
    change(world.source, settle_seconds=10**6)
    world.files(world.observation(), "a")
    manager = PackageManager()
    manager.run_once()
    assert manager.waiting == []


# Redirecting


def planned(world: World) -> RawDataPackageCreation:
    """A package planned for the BUFFER in Chile."""
    world.files(world.observation(), "a")
    PackageManager().run_once()
    operation: RawDataPackageCreation = RawDataPackageCreation.objects.get()
    return operation


@pytest.mark.parametrize("status", [Status.PENDING, Status.SCHEDULED])
def test_a_package_is_redirected_when_its_buffer_is_switched_off(world: World, status: str) -> None:
    operation = planned(world)
    Operation.objects.non_polymorphic().update(status=status)
    spare = world.buffer(world.ccat, "spare", priority=9)
    change(world.output_buffer, active=False)
    manager = PackageManager()
    assert manager.run_once() == 1
    operation.refresh_from_db()
    assert operation.destination_location == spare
    assert operation.status == Status.SCHEDULED
    assert operation.claims == 1, "a worker that read the row before must not claim it"
    assert manager.run_once() == 0


def test_without_another_buffer_it_waits(world: World) -> None:
    planned(world)
    change(world.output_buffer, active=False)
    manager = PackageManager()
    assert manager.run_once() == 0
    assert codes(manager) == ["route.no_buffer"]


def test_what_a_worker_holds_is_not_redirected(world: World) -> None:
    operation = planned(world)
    world.buffer(world.ccat, "spare", priority=9)
    Operation.objects.non_polymorphic().update(status=Status.IN_PROGRESS, owner="w", lease_until=timezone.now())
    change(world.output_buffer, active=False)
    assert PackageManager().run_once() == 0
    operation.refresh_from_db()
    assert operation.destination_location == world.output_buffer


# Several managers, and filing


@pytest.mark.django_db(transaction=True)
def test_two_managers_at_once_package_each_file_once(world: World) -> None:
    for number in range(4):
        world.files(world.observation(), f"{number}/a", f"{number}/b")
    managers = race(PackageManager)
    assert RawDataPackage.objects.count() == RawDataPackageCreation.objects.count() == 4
    assert all(len(files) == 2 for files in packages())
    assert [manager.waiting for manager in managers] == [[], []]


@pytest.mark.django_db(transaction=True)
def test_files_that_are_being_filed_at_this_moment_are_waited_for(world: World) -> None:
    execution = world.observation()
    world.files(execution, "a")
    locked = threading.Event()
    waited: list[bool] = []

    def file_one_more() -> None:
        try:
            with transaction.atomic():
                ExecutedObsUnit.objects.for_update(execution.pk)
                locked.set()
                waited.append(until_somebody_waits())
                world.files(execution, "b")
        finally:
            connection.close()

    filing = threading.Thread(target=file_one_more)
    filing.start()
    assert locked.wait(PATIENCE)
    PackageManager().run_once()
    filing.join(PATIENCE)
    assert waited == [True]
    assert packages() == [["a", "b"]]


# Cost


def test_the_files_of_a_running_observation_are_not_even_counted(world: World) -> None:
    world.files(world.observation(finished=None), "a", "b")
    with CaptureQueriesContext(connection) as captured:
        PackageManager().run_once()
    assert not any("COUNT(" in query["sql"] for query in captured)
    assert len(captured) <= 7


def test_a_pass_costs_the_same_for_many_files(world: World) -> None:
    world.files(world.observation(), "a")
    PackageManager().run_once()
    counts = []
    for number in (1, 50):
        world.files(world.observation(), *[f"{number}/{n}" for n in range(number)])
        with CaptureQueriesContext(connection) as captured:
            assert PackageManager().run_once() == 1
        counts.append(len(captured))
    assert counts[0] == counts[1]
