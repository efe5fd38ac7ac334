"""Keeps the totals of hours and days up to date: once a minute the last hours are counted again, so that what came late is
counted too.

A step of the managers' loop. Nothing is added to a row: it is counted anew from the rows of the flow, so that a pass may
run twice, in several processes, or not at all for days. Where it stands follows from the totals themselves. Each pass takes
at most MOST_HOURS, so that a history of years is counted bit by bit between the other work of the managers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Max, Min
from django.db.models.functions import TruncDay
from django.utils import timezone

from datamgmt.models import DataLocation
from transfer.models import LocationUsage, Operation, WorkTotal
from transfer.models.totals import KEEP_HOURS, Period
from transfer.totals.counting import Key, count_flow, count_waiting, together

#: Seconds between two passes.
EVERY_SECONDS: Final = 60.0
#: So far back each pass counts again: what a transaction says of a time is seen when it has been committed.
LATE: Final = timedelta(hours=3)
#: Hours that one pass counts at most.
MOST_HOURS: Final = 48
#: The first files are filed before the first operation is planned.
_BEFORE_FIRST_OPERATION: Final = timedelta(days=2)
#: Columns of a row that are the most of what was ever seen: a failure that was retried since stays one.
_NEVER_LESS: Final = ("failed", "waiting", "oldest_wait_seconds")
#: One process counts at a time: the key of its advisory lock.
_LOCK: Final = 6_027_735


class RollUp:
    """The step of one process. ``reached``: what is before it was counted."""

    def __init__(self) -> None:
        self._next = 0.0
        self._reached: datetime | None = None

    def run(self) -> int:
        """If it is time. It plans no work, so that it returns 0."""
        if time.monotonic() >= self._next:
            is_behind = self.count(timezone.now())
            self._next = 0.0 if is_behind else time.monotonic() + EVERY_SECONDS
        return 0

    def count(self, now: datetime) -> bool:
        """One pass; whether there is more to count."""
        with transaction.atomic():
            if not _is_ours():
                return False
            begin = min(_hour(self._reached - LATE) if self._reached else _where_to_begin(now), _hour(now))
            end = min(begin + timedelta(hours=MOST_HOURS), _hour(now) + timedelta(hours=1))
            count_again(begin, end, now)
            is_behind = end <= now
        self._reached = end if is_behind else now
        return is_behind


def count_again(begin: datetime, end: datetime, now: datetime) -> None:
    """The hours from ``begin`` until before ``end``, both full hours, and their days. In a transaction."""
    counted = [*count_flow(begin, end)]
    if begin <= now < end:
        counted += count_waiting(now)
        _note_usage(now)
    _write_hours(together(counted), begin, end)
    first_day = _day(begin)
    _write_days(first_day, _day(end - timedelta(hours=1)) + timedelta(days=1))
    # A day has all of its hours or none, and those for which something may come late have theirs.
    kept_from = min(_day(now - KEEP_HOURS), first_day - timedelta(days=1))
    for model in (WorkTotal, LocationUsage):
        model.objects.hours_before(kept_from).delete()


def _is_ours() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        (is_ours,) = cursor.fetchone()
    return bool(is_ours)


def _where_to_begin(now: datetime) -> datetime:
    """What a process that has just started counts first: the last hours that have totals, and of these none of a day whose
    hours are not kept any more; else the first work there is.
    """
    hours = WorkTotal.objects.hours().aggregate(first=Min("starts_at"), last=Max("starts_at"))
    if hours["last"] is not None:
        last: datetime = hours["last"]
        return max(last - LATE, _day(hours["first"]))
    last_day: datetime | None = WorkTotal.objects.days().aggregate(last=Max("starts_at"))["last"]
    if last_day is not None:
        return last_day + timedelta(days=1)
    first: datetime | None = Operation.objects.non_polymorphic().aggregate(first=Min("created_at"))["first"]
    return _hour(now) - LATE if first is None else _day(first - _BEFORE_FIRST_OPERATION)


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> datetime:
    return _hour(moment).replace(hour=0)


def _write_hours(counted: dict[Key, dict[str, Any]], begin: datetime, end: datetime) -> None:
    """Every column that the rows say, and never less of what they forget."""
    before = {
        Key(row.starts_at, row.kind, row.location_id, row.destination_id): row
        for row in WorkTotal.objects.hours().between(begin, end)
    }
    rows = []
    for key in counted.keys() | before.keys():
        columns = dict(counted.get(key, {}))
        if (known := before.get(key)) is not None:
            for name in _NEVER_LESS:
                columns[name] = max(columns.get(name, 0), getattr(known, name))
        rows.append(WorkTotal(period=Period.HOUR, **key._asdict(), **columns))
    _upsert(rows)


def _write_days(begin: datetime, end: datetime) -> None:
    """From all hours of each day, also those that were counted before."""
    hours = WorkTotal.objects.hours().between(begin, end).annotate(day=TruncDay("starts_at", tzinfo=UTC))
    rows = []
    for row in hours.summed("day", "kind", "location_id", "destination_id"):
        columns = {name: row[f"all_{name}"] for name in (*WorkTotal.ADDED, *WorkTotal.MOST)}
        key = Key(row["day"], row["kind"], row["location_id"], row["destination_id"])
        rows.append(WorkTotal(period=Period.DAY, **key._asdict(), **columns))
    _upsert(rows)


def _upsert(rows: Iterable[WorkTotal]) -> None:
    WorkTotal.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["period", "starts_at", "kind", "location", "destination"],
        update_fields=[*WorkTotal.ADDED, *WorkTotal.MOST],
    )


def _note_usage(now: datetime) -> None:
    """The most so far, of what the checks of this hour found."""
    hour = _hour(now)
    checked = DataLocation.objects.non_polymorphic().filter(checked_at__gte=hour, used_bytes__isnull=False)
    found = list(checked.values_list("pk", "used_bytes", "capacity_bytes"))
    for period, starts_at in ((Period.HOUR, hour), (Period.DAY, _day(now))):
        known = LocationUsage.objects.filter(period=period, starts_at=starts_at)
        before = dict(known.values_list("location_id", "used_bytes"))
        LocationUsage.objects.bulk_create(
            [
                LocationUsage(
                    period=period,
                    starts_at=starts_at,
                    location_id=key,
                    used_bytes=max(used, before.get(key, 0)),
                    capacity_bytes=capacity,
                )
                for key, used, capacity in found
            ],
            update_conflicts=True,
            unique_fields=["period", "starts_at", "location"],
            update_fields=["used_bytes", "capacity_bytes"],
        )
