"""Totals of hours and days: what is in them, and that they are right however often and late they are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Sum

from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from tests.factories.datamgmt import (
    ArchiveLocationFactory,
    BufferLocationFactory,
    DataTransferPackageFactory,
    RawDataFileFactory,
    RawDataPackageFactory,
    RawDataPackagePhysicalCopyFactory,
    SiteFactory,
    SourceLocationFactory,
)
from tests.factories.transfer import (
    DataTransferFactory,
    DeletionFactory,
    DeletionItemFactory,
    LocationCheckFactory,
    LongTermArchiveTransferFactory,
    RawDataPackageCreationFactory,
    WorkTotalFactory,
)
from tests.transfer.conftest import other_session
from transfer.models import LocationUsage, Operation, WorkTotal
from transfer.models.totals import FILING
from transfer.pipeline import OperationType
from transfer.totals.rolling import EVERY_SECONDS, LATE, MOST_HOURS, RollUp

pytestmark = pytest.mark.django_db
#: Half past six in the evening, UTC.
NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
HOUR = NOW.replace(minute=0)
DAY = NOW.replace(hour=0, minute=0)
GB = 10**9
KEEP = timedelta(days=9)


@pytest.fixture
def kept_for_nine_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours, so that a test need not count ninety days."""
    monkeypatch.setattr("transfer.totals.rolling.KEEP_HOURS", KEEP)


def count(now: datetime = NOW) -> None:
    """What a process does that has just started, until it is up to date."""
    step = RollUp()
    while step.count(now):
        pass


def done(operation: Any, at: datetime, seconds: float = 10, **fields: Any) -> Any:
    """This operation was completed then."""
    Operation.objects.non_polymorphic().filter(pk=operation.pk).update(
        status=Status.COMPLETED, started_at=at - timedelta(seconds=seconds), finished_at=at, created_at=at, **fields
    )
    return operation


def archived(at: datetime, size: int = GB, seconds: float = 10) -> Any:
    """A package was archived then."""
    return done(
        LongTermArchiveTransferFactory.create(
            raw_data_package=RawDataPackageFactory.create(built=True, size=size, file_count=7)
        ),
        at,
        seconds,
    )


def filed(at: datetime, number: int = 1, size: int = GB) -> None:
    for n in range(number):
        RawDataFileFactory.create(
            name=f"{at:%H%M}-{n}", relative_path=f"{at:%d%H%M}/{n}", size=size, registered_at=at,
            source_location=SourceLocationFactory.create(),
        )  # fmt: skip


def the(kind: str, starts_at: datetime = HOUR, period: str = "hour") -> Any:
    """The one row of this kind and time."""
    return WorkTotal.objects.get(kind=kind, starts_at=starts_at, period=period)


def everything() -> list[Any]:
    columns = ("period", "starts_at", "kind", "location", "destination", *WorkTotal.ADDED, *WorkTotal.MOST)
    return sorted(map(repr, WorkTotal.objects.values_list(*columns)))


def test_filed_bytes_and_files_are_counted_by_hour_and_by_day() -> None:
    filed(HOUR - timedelta(minutes=1), 2)
    filed(HOUR, 3)
    count()
    assert (the(FILING).files, the(FILING).bytes) == (3, 3 * GB)
    assert the(FILING, HOUR - timedelta(hours=1)).files == 2
    assert (the(FILING, DAY, "day").files, the(FILING, DAY, "day").bytes) == (5, 5 * GB)


def test_what_was_archived_has_its_bytes_files_and_durations() -> None:
    archived(NOW, size=3 * GB, seconds=30)
    archived(NOW, size=GB, seconds=10)
    count()
    total = the(OperationType.LONG_TERM_ARCHIVE_TRANSFER)
    assert (total.done, total.bytes, total.files) == (2, 4 * GB, 14)
    assert (total.seconds, total.longest_seconds) == (40, 30)
    assert (total.location, total.destination) == (DataLocation.objects.get(name="long_term_archive"), None)


def test_a_link_is_from_where_to_where() -> None:
    transfer = DataTransferFactory.create(bytes_transferred=5 * GB)
    done(transfer, NOW, seconds=50)
    elsewhere = BufferLocationFactory.create(site=SiteFactory.create(short_name="bonn"))
    done(
        DataTransferFactory.create(
            data_transfer_package=DataTransferPackageFactory.create(name="another", built=True),
            bytes_transferred=GB,
            destination_location=elsewhere,
        ),
        NOW,
    )
    count()
    rows = WorkTotal.objects.hours().filter(kind=OperationType.DATA_TRANSFER)
    assert {(row.location_id, row.destination_id): row.bytes for row in rows} == {
        (transfer.location_id, transfer.destination_location_id): 5 * GB,
        (transfer.location_id, elsewhere.pk): GB,
    }


def test_deleted_copies_are_counted_and_kept_ones_are_not() -> None:
    deletion = done(DeletionFactory.create(), NOW)
    for outcome, name in (("deleted", "gone"), ("kept", "stays")):
        copy = RawDataPackagePhysicalCopyFactory.create(
            raw_data_package=RawDataPackageFactory.create(name=name, built=True), size=2 * GB
        )
        DeletionItemFactory.create(deletion=deletion, physical_copy=copy, outcome=outcome)
    count()
    total = the(OperationType.DELETION)
    assert (total.done, total.files, total.bytes) == (1, 1, 2 * GB)


def test_a_failure_stays_one_when_it_was_retried_since() -> None:
    operation = LongTermArchiveTransferFactory.create(failed=True, finished_at=NOW, created_at=NOW)
    LongTermArchiveTransferFactory.create(
        raw_data_package=RawDataPackageFactory.create(name="cancelled", built=True), failed=True,
        finished_at=NOW, error_code="operation.cancelled",
    )  # fmt: skip
    count()
    assert the(operation.operation_type).failed == 1
    done(operation, NOW + timedelta(minutes=1), error_code="")
    count(NOW + timedelta(minutes=2))
    assert (the(operation.operation_type).failed, the(operation.operation_type).done) == (1, 1)
    assert the(operation.operation_type, DAY, "day").failed == 1


def test_the_most_that_waited_in_the_hour_is_kept() -> None:
    for name in ("one", "two"):
        RawDataPackageCreationFactory.create(
            raw_data_package=RawDataPackageFactory.create(name=name), created_at=NOW - timedelta(hours=2)
        )
    LocationCheckFactory.create()
    count()
    Operation.objects.non_polymorphic().update(status=Status.COMPLETED, finished_at=NOW - timedelta(days=3))
    count(NOW + timedelta(minutes=5))
    total = the(OperationType.RAW_DATA_PACKAGE_CREATION)
    assert (total.waiting, total.oldest_wait_seconds) == (2, 7200)
    assert total.destination == DataLocation.objects.get(name="output_buffer")
    assert not WorkTotal.objects.filter(kind=OperationType.MONITORING).exists()


def test_counting_again_changes_nothing() -> None:
    filed(HOUR, 2)
    archived(NOW)
    LongTermArchiveTransferFactory.create(failed=True, finished_at=NOW, created_at=NOW)
    count()
    once = everything()
    count()
    count()
    assert everything() == once
    assert once


def test_what_comes_late_is_counted_too() -> None:
    archived(NOW - LATE)
    step = RollUp()
    step.count(NOW)
    archived(NOW - LATE, size=4 * GB)
    step.count(NOW + timedelta(seconds=EVERY_SECONDS))
    hour = HOUR - LATE
    assert the(OperationType.LONG_TERM_ARCHIVE_TRANSFER, hour).bytes == 5 * GB
    assert the(OperationType.LONG_TERM_ARCHIVE_TRANSFER, DAY, "day").bytes == 5 * GB


def test_days_without_managers_are_counted_bit_by_bit() -> None:
    archived(NOW - timedelta(days=19))
    count(NOW - timedelta(days=19))
    archived(NOW - timedelta(days=16), size=2 * GB)
    archived(NOW - timedelta(days=1), size=3 * GB)
    step = RollUp()
    passes = 1
    while step.count(NOW):
        passes += 1
    assert passes == 1 + 19 * 24 // (MOST_HOURS - LATE.seconds // 3600), (
        "each counts the last hours of the one before again"
    )
    days = WorkTotal.objects.days().order_by("starts_at").values_list("starts_at", "bytes")
    assert list(days) == [(DAY - timedelta(days=ago), size * GB) for ago, size in ((19, 1), (16, 2), (1, 3))]


def test_a_history_from_before_the_totals_is_counted() -> None:
    archived(NOW - timedelta(days=60))
    count()
    assert WorkTotal.objects.days().aggregate(n=Sum("bytes"))["n"] == GB


def test_hours_go_and_their_days_stay_as_they_were(kept_for_nine_days: None) -> None:
    archived(NOW, size=2 * GB)
    LongTermArchiveTransferFactory.create(failed=True, finished_at=NOW, created_at=NOW)
    count()
    count(NOW + KEEP + timedelta(days=2))
    assert not WorkTotal.objects.hours().exists()
    before = everything()
    # A process that starts then must not count half of a day whose hours are gone.
    count(NOW + KEEP + timedelta(days=3))
    assert everything() == before
    assert the(OperationType.LONG_TERM_ARCHIVE_TRANSFER, DAY, "day").failed == 1


def test_the_hours_of_a_day_go_together(kept_for_nine_days: None) -> None:
    for hour in (2, 20):
        WorkTotalFactory.create(starts_at=DAY.replace(hour=hour))
    count(DAY + KEEP + timedelta(hours=10))
    assert WorkTotal.objects.hours().count() == 2
    count(DAY + KEEP + timedelta(hours=25))
    assert not WorkTotal.objects.hours().exists()


def test_the_most_in_use_is_kept_for_hour_and_day(django_assert_max_num_queries: Any) -> None:
    buffer, archive = BufferLocationFactory.create(), ArchiveLocationFactory.create()

    def check(used: int, at: datetime) -> None:
        DataLocation.objects.non_polymorphic().filter(pk=buffer.pk).update(
            used_bytes=used, capacity_bytes=100 * GB, checked_at=at
        )
        with django_assert_max_num_queries(40):
            count(at)

    check(50 * GB, NOW)
    check(40 * GB, NOW + timedelta(minutes=10))
    check(60 * GB, NOW + timedelta(hours=1))
    check(30 * GB, NOW + timedelta(hours=2))
    found = LocationUsage.objects.order_by("period", "starts_at").values_list("period", "used_bytes", "capacity_bytes")
    assert list(found) == [("day", 60 * GB, 100 * GB), *(("hour", n * GB, 100 * GB) for n in (50, 60, 30))]
    assert not LocationUsage.objects.filter(location=archive).exists()


def test_a_step_counts_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[datetime] = []
    step = RollUp()
    behind: list[bool] = [True, False]

    def one(now: datetime) -> bool:
        passes.append(now)
        return behind.pop(0)

    monkeypatch.setattr(step, "count", one)
    assert [step.run() for _ in range(5)] == [0] * 5
    assert len(passes) == 2, "again at once while it is behind, then not for a minute"


@pytest.mark.django_db(transaction=True)
def test_while_another_process_counts_nothing_is_written() -> None:
    archived(NOW)
    with other_session() as session:
        session.execute("SELECT pg_advisory_lock(6027735)")
        assert not RollUp().count(NOW)
        assert not WorkTotal.objects.exists()
        session.execute("SELECT pg_advisory_unlock(6027735)")
    count()
    assert WorkTotal.objects.exists()
