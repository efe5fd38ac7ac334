"""Where a package is, what happened to it, and why work waits: what people miss most elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from datamgmt.states import Integrity, PhysicalCopyStatus
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    DataTransferPackageFactory,
    RawDataFileFactory,
    RawDataFilePhysicalCopyFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    archive_package,
)
from tests.factories.planning import END, ExecutedObsUnitFactory
from tests.factories.transfer import (
    DataTransferFactory,
    DataTransferUnpackingFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    ServiceHeartbeatFactory,
    StagingFactory,
)
from tests.portal.test_actions import open_breaker
from transfer.models import Operation
from transfer.operators.timeline import timeline_of
from transfer.operators.wait_reasons import Waiting

pytestmark = pytest.mark.django_db


def test_copies_in_archives_stand_beside_what_is_wanted(operator: Client) -> None:
    package = RawDataPackageFactory.create(archived=True)
    archive_package(package)
    lacking = ArchiveLocationFactory.create(name="second_archive")
    ArchiveLocationFactory.create(name="old_archive", active=False)
    damaged = RawDataPackagePhysicalCopyFactory.create(
        raw_data_package=package,
        data_location=ArchiveLocationFactory.create(name="third_archive"),
        integrity=Integrity.DAMAGED,
    )
    retired = ArchiveLocationFactory.create(name="retired_archive", active=False)
    RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=retired)

    timeline = timeline_of(package)

    assert {replica.archive.name: replica.word for replica in timeline.replicas} == {
        "long_term_archive": "Good",
        lacking.name: "Not yet",
        damaged.data_location.name: "Damaged",
        retired.name: "Archive is off",
    }
    assert (timeline.good_replicas, timeline.wanted_replicas) == (1, 3)
    page = operator.get(reverse("admin:datamgmt_rawdatapackage_change", args=[package.pk])).content.decode()
    assert "1 of 3 wanted" in page


def test_the_page_of_an_execution_has_its_files_packages_and_times(operator: Client) -> None:
    package = RawDataPackageFactory.create(name="orion_archived", archived=True)
    archive_package(package)
    execution = package.executed_obs_unit
    assert execution is not None
    RawDataPackageFactory.create(name="orion_waits", executed_obs_unit=execution, built=True)
    RawDataFileFactory.create(executed_obs_unit=execution, raw_data_package=package)
    bad = RawDataFileFactory.create(executed_obs_unit=execution)
    RawDataFilePhysicalCopyFactory.create(raw_data_file=bad, integrity=Integrity.MISSING)
    RawDataFileFactory.create()

    page = operator.get(reverse("admin:planning_executedobsunit_change", args=[execution.pk])).content.decode()

    assert "1 of 2 packages archived. 1 of 2 files are in no package yet: they are packaged after" in page
    assert "1 files are set aside" in page
    assert "orion_waits</a>" in page
    assert "cologne_long_term_archive" in page
    assert page.index("Observation began") < page.index("Observation ended") < page.index("Archived: orion_archived")


def test_the_page_of_an_execution_without_files_says_so(operator: Client) -> None:
    execution = ExecutedObsUnitFactory.create()

    page = operator.get(reverse("admin:planning_executedobsunit_change", args=[execution.pk])).content.decode()

    assert "No file of it was filed yet." in page


def test_the_story_of_a_package_is_told_in_order() -> None:
    package = RawDataPackageFactory.create(archived=True)
    RawDataPackageCreationFactory.create(raw_data_package=package, completed=True, started_at=END)
    gone = RawDataPackagePhysicalCopyFactory.create(
        raw_data_package=package,
        created_at=END + timedelta(seconds=1),
        status=PhysicalCopyStatus.DELETED,
        deleted_at=END + timedelta(days=8),
        evidence={"archive_copies": [{"location": "cologne_long_term_archive"}]},
    )
    bundle = DataTransferPackageFactory.create(built=True, packages=[package])
    transfer = DataTransferFactory.create(
        data_transfer_package=bundle, completed=True, started_at=END + timedelta(hours=1)
    )
    DataTransferUnpackingFactory.create(data_transfer=transfer, completed=True, started_at=END + timedelta(hours=2))
    LongTermArchiveTransferFactory.create(raw_data_package=package, completed=True, started_at=END + timedelta(hours=3))
    kept = archive_package(package)
    type(kept).objects.filter(pk=kept.pk).update(created_at=END + timedelta(hours=3, seconds=1))
    another = RawDataPackageFactory.create(archived=True)
    archive_package(another)
    LongTermArchiveTransferFactory.create(raw_data_package=another)

    timeline = timeline_of(package)

    assert [copy.pk for copy in timeline.now] == [kept.pk]
    assert [event.what for event in timeline.events] == [
        "Raw data package creation",
        "Copy written",
        "Data transfer",
        "Data transfer unpacking",
        "Long-term archive transfer",
        "Copy written",
        "Copy deleted",
    ]
    assert timeline.events[2].where == "ccat_output_buffer → cologne_input_buffer"
    assert timeline.events[-1].note == "Because verified copies exist at cologne_long_term_archive."
    assert timeline.events[-1].key == gone.pk
    assert timeline.events[5].path.startswith("s3://cologne-long-term-archive/")


def test_the_page_of_a_package_shows_places_paths_digests_and_errors(operator: Client) -> None:
    package = RawDataPackageFactory.create(built=True)
    RawDataPackagePhysicalCopyFactory.create(
        raw_data_package=package, integrity=Integrity.DAMAGED, error_message="Half of it is gone."
    )
    LongTermArchiveTransferFactory.create(raw_data_package=package, failed=True)

    page = reverse("admin:datamgmt_rawdatapackage_change", args=[package.pk])
    content = operator.get(page).content.decode()

    assert "/nonexistent/ccat/output_buffer/packages/" in content
    assert package.digest in content
    assert "Half of it is gone." in content
    assert "There is no such file." in content
    assert "storage.key_missing" in content


def test_a_long_history_costs_no_more_questions() -> None:
    package = RawDataPackageFactory.create(archived=True)
    archive_package(package)
    LongTermArchiveTransferFactory.create(raw_data_package=package, completed=True)
    timeline_of(package)
    with CaptureQueriesContext(connection) as short:
        timeline_of(package)
    for number in range(9):
        place = ArchiveLocationFactory.create(name=f"archive_{number}")
        LongTermArchiveTransferFactory.create(raw_data_package=package, completed=True, location=place)
        RawDataPackagePhysicalCopyFactory.create(raw_data_package=package, data_location=place)

    with CaptureQueriesContext(connection) as long:
        timeline = timeline_of(package)

    assert len(timeline.events) == 20
    assert len(long) == len(short)


def why(operation: Operation) -> str:
    row = Operation.objects.non_polymorphic().select_related("location__site").get(pk=operation.pk)
    return Waiting().why(row)


def with_worker() -> Operation:
    operation = StagingFactory.create()
    ServiceHeartbeatFactory.create(service_type="location", name=operation.location.full_name)
    return operation


def change(operation: Operation, **fields: object) -> Operation:
    Operation.objects.non_polymorphic().filter(pk=operation.pk).update(**fields)
    return operation


def test_work_that_runs_or_is_over_waits_for_nothing() -> None:
    assert why(StagingFactory.create(in_progress=True)) == ""
    assert why(StagingFactory.create(completed=True)) == ""
    assert why(StagingFactory.create(failed=True)) == ""


def test_work_waits_for_its_turn_and_in_its_queue() -> None:
    operation = with_worker()
    assert why(operation) == "Waits for its turn at cologne_ramses_processing."

    change(operation, status=Status.SCHEDULED)
    assert "its workers are busy" in why(operation)


def test_work_waits_for_its_next_attempt_and_says_what_went_wrong() -> None:
    later = timezone.now() + timedelta(minutes=5, seconds=30)
    operation = change(with_worker(), attempts=2, run_after=later, error_message="The disk did not answer.")

    assert why(operation).startswith("Attempt 3 in 5 min")
    assert why(operation).endswith("after: The disk did not answer.")


def test_work_waits_for_a_worker_that_is_not_there() -> None:
    assert why(StagingFactory.create()) == "No worker runs for cologne_ramses_processing."


def test_work_waits_for_a_place_that_is_switched_off() -> None:
    operation = with_worker()
    DataLocation.objects.non_polymorphic().filter(pk=operation.location_id).update(active=False)

    assert why(operation) == "cologne_ramses_processing is switched off."


def test_work_waits_for_a_place_that_is_held_back() -> None:
    breaker = open_breaker()
    operation = DataTransferFactory.create(location=breaker.location)
    ServiceHeartbeatFactory.create(service_type="location", name=breaker.location.full_name)

    assert "is held back after 6 failures in a row" in why(operation)


def test_paused_work_says_why() -> None:
    operation = change(with_worker(), paused_at=timezone.now(), lost_leases=8)

    assert why(operation).startswith("Paused: 8 workers died in it")


def test_stalled_work_is_called_so() -> None:
    hours_ago = timezone.now() - timedelta(hours=3)

    assert "No byte has moved" in why(StagingFactory.create(in_progress=True, started_at=hours_ago))


def test_the_page_of_an_operation_says_why_it_waits(operator: Client) -> None:
    operation = StagingFactory.create()

    page = reverse("admin:transfer_staging_change", args=[operation.pk])

    assert "No worker runs for cologne_ramses_processing." in operator.get(page).content.decode()
