"""What the rows of the flow say of the hours of some time: filed, done, failed, moved; and what waits now.

Each question is one query on an index of time. What it counts is added to the totals of an hour, by key: kind, location,
destination.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Case, Count, DurationField, ExpressionWrapper, F, Max, Min, Q, Sum, When
from django.db.models.functions import TruncHour

from ccatdc.common.states import Status
from datamgmt.models import RawDataFile
from transfer.models import (
    DataTransfer,
    DataTransferPackageCreation,
    DataTransferUnpacking,
    DeletionItem,
    LongTermArchiveTransfer,
    Operation,
    RawDataPackageCreation,
    Staging,
    Verification,
)
from transfer.models.operations import CANCELLED
from transfer.models.totals import FILING
from transfer.models.work import DeletionOutcome
from transfer.pipeline import OperationType

#: Operations that move bytes: the paths of how many, and of how many files (None: it is not known).
_MOVED: Final[tuple[tuple[type[Operation], str, str | None], ...]] = (
    (RawDataPackageCreation, "raw_data_package__size", "raw_data_package__file_count"),
    (DataTransferPackageCreation, "data_transfer_package__size", None),
    (DataTransfer, "bytes_transferred", None),
    (DataTransferUnpacking, "data_transfer__data_transfer_package__size", None),
    (LongTermArchiveTransfer, "raw_data_package__size", "raw_data_package__file_count"),
    (Staging, "raw_data_package__size", "raw_data_package__file_count"),
    (Verification, "progress_bytes", None),
)


class Key(NamedTuple):
    """What is counted together: one row of an hour."""

    starts_at: datetime
    kind: str
    location_id: int
    destination_id: int | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Some columns of one row."""

    key: Key
    columns: dict[str, Any]


def count_flow(begin: datetime, end: datetime) -> Iterator[Counted]:
    """What was done from ``begin`` until before ``end``. The same rows give the same, however often it is asked."""
    yield from _filed(begin, end)
    yield from _done(begin, end)
    yield from _moved(begin, end)
    yield from _deleted(begin, end)
    yield from _failed(begin, end)


def count_waiting(now: datetime) -> Iterator[Counted]:
    """What is open and not running now."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    waits = _operations().filter(Q(status=Status.PENDING) | Q(status=Status.SCHEDULED))
    rows = waits.values("operation_type", "location_id", "writes_to_id")
    for row in rows.annotate(waiting=Count("pk"), oldest=Min("created_at")):
        waited = max(timedelta(0), now - row["oldest"])
        yield Counted(
            _key(row | {"hour": hour}), {"waiting": row["waiting"], "oldest_wait_seconds": waited.total_seconds()}
        )


def _filed(begin: datetime, end: datetime) -> Iterator[Counted]:
    rows = RawDataFile.objects.filter(registered_at__gte=begin, registered_at__lt=end).order_by()
    hours = rows.annotate(hour=TruncHour("registered_at", tzinfo=UTC)).values("hour", "source_location_id")
    for row in hours.annotate(files=Count("pk"), bytes=Sum("size")):
        key = Key(row["hour"], FILING, row["source_location_id"], None)
        yield Counted(key, {"files": row["files"], "bytes": row["bytes"], "done": row["files"]})


def _done(begin: datetime, end: datetime) -> Iterator[Counted]:
    # One that never started was over when it was planned.
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    rows = _by_hour(_completed(_operations(), begin, end), "finished_at")
    for row in rows.annotate(done=Count("pk"), total=Sum(took), longest=Max(took)):
        columns = {"done": row["done"], "seconds": _seconds(row["total"]), "longest_seconds": _seconds(row["longest"])}
        yield Counted(_key(row), columns)


def _moved(begin: datetime, end: datetime) -> Iterator[Counted]:
    for model, size, files in _MOVED:
        rows: Any = model._default_manager
        found = _by_hour(_completed(rows.non_polymorphic().order_by(), begin, end), "finished_at")
        sums = {"bytes_moved": Sum(size)} | ({"files_moved": Sum(files)} if files else {})
        for row in found.annotate(**sums):
            yield Counted(_key(row), {"bytes": row["bytes_moved"] or 0, "files": row.get("files_moved") or 0})


def _deleted(begin: datetime, end: datetime) -> Iterator[Counted]:
    rows = DeletionItem.objects.filter(
        outcome=DeletionOutcome.DELETED,
        deletion__status=Status.COMPLETED,
        deletion__finished_at__gte=begin,
        deletion__finished_at__lt=end,
    ).order_by()
    hours = rows.annotate(hour=TruncHour("deletion__finished_at", tzinfo=UTC)).values("hour", "deletion__location_id")
    for row in hours.annotate(copies=Count("pk"), bytes=Sum("physical_copy__size")):
        key = Key(row["hour"], OperationType.DELETION, row["deletion__location_id"], None)
        yield Counted(key, {"files": row["copies"], "bytes": row["bytes"]})


def _failed(begin: datetime, end: datetime) -> Iterator[Counted]:
    """By when an operation failed last; what a person cancelled did not fail."""
    moment = Case(When(status=Status.FAILED, then=F("finished_at")), default=F("failed_at"))
    failed_once = Q(failed_at__gte=begin, failed_at__lt=end)
    is_failed = Q(status=Status.FAILED, finished_at__gte=begin, finished_at__lt=end)
    rows = _operations().filter(failed_once | is_failed).exclude(error_code=CANCELLED)
    for row in _by_hour(rows.annotate(moment=moment), "moment").annotate(failed=Count("pk")):
        if begin <= row["hour"] < end:
            yield Counted(_key(row), {"failed": row["failed"]})


def _operations() -> Any:
    return Operation.objects.non_polymorphic().order_by().exclude(operation_type=OperationType.MONITORING)


def _completed(rows: Any, begin: datetime, end: datetime) -> Any:
    return rows.filter(status=Status.COMPLETED, finished_at__gte=begin, finished_at__lt=end)


def _by_hour(rows: Any, moment: str) -> Any:
    by_hour = rows.annotate(hour=TruncHour(moment, tzinfo=UTC))
    return by_hour.values("hour", "operation_type", "location_id", "writes_to_id")


def _key(row: dict[str, Any]) -> Key:
    there = row["writes_to_id"]
    return Key(row["hour"], row["operation_type"], row["location_id"], None if there == row["location_id"] else there)


def _seconds(took: timedelta | None) -> float:
    return max(0.0, took.total_seconds()) if took is not None else 0.0


def together(counted: Iterable[Counted]) -> dict[Key, dict[str, Any]]:
    """Columns by key."""
    rows: dict[Key, dict[str, Any]] = {}
    for each in counted:
        rows.setdefault(each.key, {}).update(each.columns)
    return rows
