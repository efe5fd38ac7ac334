"""Work in figures, by kind of work, location and destination: what was done today, what waits and runs; how old the evidence
is, and messages.

What was done comes from the totals of the day (transfer/models/totals.py). These are counters that begin anew at midnight
UTC, as those of a program that is started again do: ``rate()`` and ``increase()`` of Prometheus know that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, OuterRef, Subquery
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ccatdc.common.states import Status
from datamgmt.models import DataLocation, PhysicalCopy
from datamgmt.models.copies import CopyType
from datamgmt.states import PhysicalCopyStatus
from notifications.models import NotificationChannel, OutgoingMessage
from transfer.models import Operation, WorkTotal
from transfer.pipeline import OperationType
from transfer.totals.counting import count_waiting

#: Columns of a total that are counters: their names here, and what they are.
_COUNTERS: Final = {
    "done": ("ccatdc_work_done", "Operations that were completed today; of filing, files."),
    "failed": ("ccatdc_work_failed", "Operations that failed at least once today."),
    "files": ("ccatdc_work_files", "Files that were filed, packaged, archived, staged or deleted today."),
    "bytes": ("ccatdc_work_bytes", "Bytes that were filed, packaged, moved, archived, staged, deleted or read today."),
    "seconds": ("ccatdc_work_seconds", "Durations of operations that were completed today, added up."),
}
_OF_WORK: Final = ["kind", "location", "destination"]


def families(names: Mapping[int, str], now: datetime) -> Iterator[Metric]:
    """``names`` are those of the locations, by key."""
    yield from _today(names, now)
    yield from _queues(names, now)
    yield _running(names)
    yield from _evidence(names, now)
    yield from _messages()
    size = GaugeMetricFamily("ccatdc_database_bytes", "Size of the database.", value=_database_bytes())
    yield size


def _labels(names: Mapping[int, str], kind: str, location: int, destination: int | None) -> list[str]:
    return [kind, names.get(location, ""), names.get(destination or 0, "")]


def _today(names: Mapping[int, str], now: datetime) -> Iterator[Metric]:
    """What was done yesterday and not yet today is 0: a counter that was gone over night would lose its first step."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found: dict[tuple[str, ...], WorkTotal | None] = {}
    for row in WorkTotal.objects.days().between(midnight - timedelta(days=1), now).order_by("starts_at"):
        labels = tuple(_labels(names, row.kind, row.location_id, row.destination_id))
        found[labels] = row if row.starts_at == midnight else None
    for column, (name, text) in _COUNTERS.items():
        family = CounterMetricFamily(name, text, labels=_OF_WORK)
        for labels, total in found.items():
            family.add_metric(labels, getattr(total, column) if total else 0)
        yield family


def _queues(names: Mapping[int, str], now: datetime) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("ccatdc_queue_operations", "Operations that wait.", labels=_OF_WORK)
    oldest = GaugeMetricFamily("ccatdc_queue_oldest_seconds", "Age of the oldest that waits.", labels=_OF_WORK)
    for each in count_waiting(now):
        labels = _labels(names, each.key.kind, each.key.location_id, each.key.destination_id)
        waiting.add_metric(labels, each.columns["waiting"])
        oldest.add_metric(labels, each.columns["oldest_wait_seconds"])
    yield from (waiting, oldest)


def _running(names: Mapping[int, str]) -> Metric:
    running = GaugeMetricFamily("ccatdc_running_operations", "Operations that run.", labels=["kind", "location"])
    rows: Any = Operation.objects.non_polymorphic().filter(status=Status.IN_PROGRESS).order_by()
    rows = rows.exclude(operation_type=OperationType.MONITORING)
    for kind, location, count in rows.values_list("operation_type", "location_id").annotate(n=Count("pk")):
        running.add_metric([kind, names.get(location, "")], count)
    return running


def _evidence(names: Mapping[int, str], now: datetime) -> Iterator[Metric]:
    """When the copy was read that nobody has read for longest, at each location; and copies set aside."""
    oldest = GaugeMetricFamily(
        "ccatdc_evidence_oldest_seconds", "Since the copy was read that was not read for longest.", labels=["location"]
    )
    copies: Any = PhysicalCopy.objects.non_polymorphic()
    there = copies.filter(
        data_location=OuterRef("pk"),
        type=CopyType.RAW_DATA_PACKAGE,
        status=PhysicalCopyStatus.PRESENT,
        verified_at__isnull=False,
    )
    first = Subquery(there.order_by("verified_at").values("verified_at")[:1])
    locations = DataLocation.objects.non_polymorphic().order_by().annotate(first=first)
    for key, moment in locations.values_list("pk", "first"):
        if moment is not None:
            oldest.add_metric([names.get(key, "")], max(0.0, (now - moment).total_seconds()))
    bad = GaugeMetricFamily(
        "ccatdc_copies_set_aside", "Copies that are suspect, damaged or missing.", labels=["location", "integrity"]
    )
    counted = copies.needing_attention().order_by().values_list("data_location_id", "integrity")
    for key, integrity, count in counted.annotate(n=Count("pk")):
        bad.add_metric([names.get(key, ""), integrity], count)
    yield from (oldest, bad)


def _messages() -> Iterator[Metric]:
    waiting = GaugeMetricFamily("ccatdc_messages_waiting", "Mails and webhooks that wait.", labels=["channel"])
    failures = GaugeMetricFamily("ccatdc_channel_failures", "Failures of a channel in a row.", labels=["channel"])
    counts = dict(OutgoingMessage.objects.waiting().order_by().values_list("channel").annotate(n=Count("pk")))
    for channel in NotificationChannel.objects.all():
        waiting.add_metric([channel.name], counts.get(channel.pk, 0))
        failures.add_metric([channel.name], channel.failures)
    yield from (waiting, failures)


def _database_bytes() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (size,) = cursor.fetchone()
    return int(size)
