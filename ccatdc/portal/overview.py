"""The first page of the portal: one look says whether all is well, and if not, what and why.

Everything here is counted on partial indexes (open and failed operations, packages that are not archived, copies that
need attention), so that its price follows the work under way and not the history: with a million finished operations it
reads as many rows as with none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from ccatdc.common.admin.badges import list_url
from ccatdc.common.states import Status
from ccatdc.portal.attention.conditions import attention_groups, look
from ccatdc.portal.attention.lines import AttentionGroup
from datamgmt.models import DataLocation, RawDataPackage
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit
from transfer.admin.locations import usage_bar
from transfer.admin.operations import named
from transfer.models import Operation, ServiceHeartbeat
from transfer.operators.wait_reasons import why_waiting
from transfer.pipeline import PIPELINE, Stage

#: What the telescope writes at most in a day, in bytes (seeds: 8 TB/day).
DAILY_BYTES = 8e12
RUNNING_SHOWN = 12
EXECUTIONS_SHOWN = 8
WAITS_SHOWN = 20
#: Of the operations that wait, the oldest: they stand for what the others wait for.
OLDEST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class StageLine:
    """One stage of the flow: how much of its work is where, and since when the oldest waits."""

    label: str
    counts: dict[str, int]
    oldest: datetime | None
    url: str

    @property
    def idle(self) -> bool:
        return not any(self.counts.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """What the template shows, all of it read."""

    at: datetime
    may_operate: bool
    attention: list[AttentionGroup]
    stages: list[StageLine]
    running: list[Any]
    waits: list[dict[str, str]]
    oldest: list[tuple[Any, str]]
    locations: list[tuple[DataLocation, Any]]
    services: list[ServiceHeartbeat]
    packages: dict[str, int]
    archived_bytes: int
    archived_count: int
    executions: list[ExecutedObsUnit]
    urls: dict[str, str] = field(default_factory=dict)

    @property
    def all_well(self) -> bool:
        return not self.attention

    @property
    def attention_count(self) -> int:
        """Lines, also those that are not shown."""
        return sum(group.count for group in self.attention)

    @property
    def open_count(self) -> int:
        return sum(line.counts[name] for line in self.stages for name in ("pending", "scheduled", "in_progress"))

    @property
    def daily_percent(self) -> float:
        """Archived in 24 hours, of what the telescope may write in a day."""
        return min(100.0, 100 * self.archived_bytes / DAILY_BYTES)


def overview(user: Any) -> Overview:
    """Everything on the first page, in about a dozen and a half queries."""
    now = timezone.now()
    seen = look()
    archived = RawDataPackage.objects.filter(archived_at__gte=now - timedelta(days=1)).aggregate(
        bytes=Sum("size"), count=Count("pk")
    )
    return Overview(
        at=now,
        may_operate=isinstance(user, User) and user.may("write:transfers"),
        attention=attention_groups(seen),
        stages=_stage_lines(),
        running=seen.running[:RUNNING_SHOWN],
        waits=_waits(seen.services),
        oldest=_oldest(seen.services),
        locations=[(location, usage_bar(location)) for location in seen.locations],
        services=seen.services,
        packages=_packages(),
        archived_bytes=archived["bytes"] or 0,
        archived_count=archived["count"],
        executions=_executions(),
        urls={
            "packages": list_url("datamgmt", "rawdatapackage"),
            "operations": list_url("transfer", "operation"),
            "locations": list_url("datamgmt", "datalocation"),
            "services": list_url("transfer", "serviceheartbeat"),
            "executions": list_url("planning", "executedobsunit"),
        },
    )


def _stage_lines() -> list[StageLine]:
    """In the order of the flow. Two queries: what is open, and what failed and nobody acknowledged."""
    rows = Operation.objects.non_polymorphic().order_by()
    # Two conditions instead of one list of three: each is a partial index (pending; held).
    is_open = Q(status=Status.PENDING) | Q(status__in=(Status.SCHEDULED, Status.IN_PROGRESS))
    found: dict[str, dict[str, Any]] = {
        row["operation_type"]: row
        for row in rows.filter(is_open)
        .values("operation_type")
        .annotate(
            pending=Count("pk", filter=Q(status=Status.PENDING, paused_at=None)),
            paused=Count("pk", filter=Q(paused_at__isnull=False)),
            scheduled=Count("pk", filter=Q(status=Status.SCHEDULED)),
            in_progress=Count("pk", filter=Q(status=Status.IN_PROGRESS)),
            oldest=Min("created_at", filter=~Q(status=Status.IN_PROGRESS)),
        )
    }
    failed = dict(
        rows.failed_unseen()
        .values_list("operation_type")
        .annotate(Count("pk"))
        .values_list("operation_type", "pk__count")
    )
    return [_stage_line(stage, found.get(stage.operation_type, {}), failed) for stage in PIPELINE]


def _stage_line(stage: Stage, found: dict[str, Any], failed: dict[str, int]) -> StageLine:
    names = ("pending", "scheduled", "in_progress", "paused")
    counts = {name: found.get(name, 0) for name in names}
    counts["failed"] = failed.get(stage.operation_type, 0)
    url = list_url("transfer", "operation", operation_type__exact=str(stage.operation_type.value))
    return StageLine(str(stage.operation_type.label), counts, found.get("oldest"), url)


def _waits(services: list[ServiceHeartbeat]) -> list[dict[str, str]]:
    """What the managers could not plan in their last pass, each thing once."""
    seen: dict[tuple[str, str, str], dict[str, str]] = {}
    for service in services:
        if service.is_silent or service.stopped_at:
            continue
        for entry in service.waiting:
            key = (entry.get("stage", ""), entry.get("what", ""), entry.get("why", ""))
            seen.setdefault(key, entry)
    return list(seen.values())[:WAITS_SHOWN]


def _oldest(services: list[ServiceHeartbeat]) -> list[tuple[Any, str]]:
    """The operations that have waited longest for a worker, each with the reason."""
    rows = named(Operation.objects.non_polymorphic()).select_related("location__site")
    pending = rows.filter(status=Status.PENDING, paused_at=None).order_by("created_at")
    operations = list(pending[:OLDEST_SHOWN])
    reasons = why_waiting(operations, services) if operations else {}
    return [(operation, reasons.get(operation.pk, "")) for operation in operations]


def _packages() -> dict[str, int]:
    """Packages that are not archived, by state."""
    counts = dict(
        RawDataPackage.objects.not_archived()
        .order_by()
        .values_list("state")
        .annotate(Count("pk"))
        .values_list("state", "pk__count")
    )
    states = (PackageState.WAITING, PackageState.TRANSFERRING, PackageState.FAILED)
    return {str(state): counts.get(state, 0) for state in states}


def _executions() -> list[ExecutedObsUnit]:
    """The last ones, with how many packages they have and how many of these are archived."""
    packages = RawDataPackage.objects.filter(executed_obs_unit=OuterRef("pk")).order_by().values("executed_obs_unit")
    rows = ExecutedObsUnit.objects.select_related("obs_unit__observing_program", "obs_unit__source").annotate(
        packages=Coalesce(Subquery(packages.annotate(n=Count("pk")).values("n")), 0),
        archived=Coalesce(
            Subquery(packages.annotate(n=Count("pk", filter=Q(state=PackageState.ARCHIVED))).values("n")), 0
        ),
        bytes=Subquery(packages.annotate(n=Sum(F("size"))).values("n")),
    )
    return list(rows.order_by("-start_time")[:EXECUTIONS_SHOWN])
