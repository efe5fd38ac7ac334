"""What happened in each hour and each day: totals of work, and how full locations were.

Written by the managers' loop (transfer/totals/rolling.py), read by the portal's page *Over time* and by ``/metrics``. Rows
of hours are kept for KEEP_HOURS, rows of days for ever: about a hundred a day.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from django.db import models
from django.db.models import F, Max, Q, Sum
from django.db.models.functions import TruncMonth

from ccatdc.common.states import known_values
from datamgmt.models import DataLocation
from transfer.pipeline import OperationType

#: How long rows of hours are kept.
KEEP_HOURS: Final = timedelta(days=90)


class Period(models.TextChoices):
    """How long a time a row is of. Both begin on the clock, UTC."""

    HOUR = "hour", "Hour"
    DAY = "day", "Day"


#: Beside the periods: days of a month together.
MONTH: Final = "month"
#: What is counted: filing, and the operations. Checks of locations are not: they come every ten seconds.
FILING: Final = "filing"
KINDS: Final = [(FILING, "Filing"), *(each for each in OperationType.choices if each[0] != OperationType.MONITORING)]


class OfPeriodQuerySet(models.QuerySet[Any]):
    """Rows of hours or days."""

    def hours(self) -> OfPeriodQuerySet:
        return self.filter(period=Period.HOUR)

    def days(self) -> OfPeriodQuerySet:
        return self.filter(period=Period.DAY)

    def between(self, begin: datetime, end: datetime) -> OfPeriodQuerySet:
        """Of periods that begin in this time, the end excluded."""
        return self.filter(starts_at__gte=begin, starts_at__lt=end)

    def by_step(self, step: str) -> OfPeriodQuerySet:
        """With ``step``: the beginning of the hour, day or month. Days are there for months."""
        rows = self.hours() if step == Period.HOUR else self.days()
        step_of: Any = TruncMonth("starts_at", tzinfo=UTC) if step == MONTH else F("starts_at")
        stepped: OfPeriodQuerySet = rows.annotate(step=step_of)
        return stepped

    def hours_before(self, moment: datetime) -> OfPeriodQuerySet:
        """Rows of hours that nobody keeps any more."""
        return self.hours().filter(starts_at__lt=moment)


class WorkTotalQuerySet(OfPeriodQuerySet):
    def that_waited(self) -> WorkTotalQuerySet:
        """With work that was open and not running."""
        return self.filter(waiting__gt=0)

    def over_links(self) -> WorkTotalQuerySet:
        """Of transfers that moved bytes."""
        return self.filter(kind=OperationType.DATA_TRANSFER, bytes__gt=0, destination__isnull=False)

    def summed(self, *by: str) -> Any:
        """Added up by these columns, and the most of what cannot be added: as ``all_done``, ``all_bytes`` and so on."""
        added = {f"all_{name}": Sum(name) for name in WorkTotal.ADDED}
        most = {f"all_{name}": Max(name) for name in WorkTotal.MOST}
        return self.order_by().values(*by).annotate(**added, **most)


class WorkTotal(models.Model):
    """What was done of one kind at one location in an hour or a day.

    ``destination`` is where bytes went to, where that is another location: with the location it is a link. ``done`` are
    operations that were completed, ``failed`` those that failed at least once, ``files`` and ``bytes`` what they moved.
    ``seconds`` is the sum of their durations, from the last start to the end. ``waiting`` and ``oldest_wait_seconds``
    are the most of what was open and not running, looked at once a minute.
    """

    #: Of many hours: what is added up, and of what the most counts.
    ADDED: ClassVar = ("done", "failed", "files", "bytes", "seconds")
    MOST: ClassVar = ("longest_seconds", "waiting", "oldest_wait_seconds")

    period = models.CharField(max_length=4, choices=Period.choices)
    starts_at = models.DateTimeField()
    kind = models.CharField(max_length=40, choices=KINDS)
    # Measurements belong to their location: they go with one that was made by mistake.
    location = models.ForeignKey(DataLocation, models.CASCADE, related_name="work_totals", db_index=False)
    destination = models.ForeignKey(DataLocation, models.CASCADE, null=True, related_name="+", db_index=False)
    done = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    files = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    longest_seconds = models.FloatField(default=0)
    waiting = models.BigIntegerField(default=0)
    oldest_wait_seconds = models.FloatField(default=0)

    objects: ClassVar[Any] = WorkTotalQuerySet.as_manager()

    class Meta:
        db_table = "work_total"
        verbose_name = "total of work"
        verbose_name_plural = "totals of work"
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["period", "starts_at", "kind", "location", "destination"],
                name="work_total_unique",
                nulls_distinct=False,
            ),
            known_values("period", Period, "work_total_period_known"),
            models.CheckConstraint(condition=Q(kind__in=[kind for kind, _ in KINDS]), name="work_total_kind_known"),
            models.CheckConstraint(
                condition=Q(done__gte=0, failed__gte=0, files__gte=0, bytes__gte=0, seconds__gte=0, waiting__gte=0),
                name="work_total_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["-starts_at", "-id"], name="work_total_newest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} in the {self.period} from {self.starts_at:%Y-%m-%d %H:%M}"


class LocationUsage(models.Model):
    """The most that was in use at a location in an hour or a day, of what its checks found, and its capacity then."""

    period = models.CharField(max_length=4, choices=Period.choices)
    starts_at = models.DateTimeField()
    location = models.ForeignKey(DataLocation, models.CASCADE, related_name="usages", db_index=False)
    used_bytes = models.BigIntegerField()
    capacity_bytes = models.BigIntegerField(null=True)

    objects: ClassVar[Any] = OfPeriodQuerySet.as_manager()

    class Meta:
        db_table = "location_usage"
        verbose_name = "usage of a location"
        verbose_name_plural = "usages of locations"
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["period", "starts_at", "location"], name="location_usage_unique"),
            known_values("period", Period, "location_usage_period_known"),
        ]
        indexes = [models.Index(fields=["-starts_at", "-id"], name="location_usage_newest")]

    def __str__(self) -> str:
        return f"{self.location} in the {self.period} from {self.starts_at:%Y-%m-%d %H:%M}"
