"""The state of the flow in numbers: what each stage has to do, what failed, what waits longest.

Cheap although operations are many: only those that are open or failed are counted, which indexes of their own hold.
What is completed is history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from accounts.models import User
from ccatdc.common.states import OPEN_STATUSES, Status
from ccatdc.common.visibility import visible
from datamgmt.models import DataLocation, RawDataPackage
from datamgmt.states import PackageState
from transfer.models import OPEN_OPERATION, Operation, ServiceHeartbeat
from transfer.pipeline import PIPELINE

COUNTED = (*OPEN_STATUSES, Status.FAILED)


@dataclass(frozen=True, slots=True)
class StageCounts:
    """One stage: operations by status, and since when the oldest of them waits for a worker."""

    stage: str
    operation_type: str
    counts: dict[str, int]
    oldest_waiting: datetime | None


def stage_counts(user: User | None = None) -> list[StageCounts]:
    """Every stage in the order of the flow, also one that has nothing to do; of the work that the person may see, or of
    all. One query.
    """
    waiting = Q(status__in=(Status.PENDING, Status.SCHEDULED))
    rows: dict[str, dict[str, Any]] = {}
    # Two conditions and not one list: each is that of a partial index.
    counted = OPEN_OPERATION | Q(status=Status.FAILED)
    operations = Operation.objects.non_polymorphic().filter(counted).order_by()
    if user is not None:
        operations = visible(operations, user)
    grouped = operations.values("operation_type", "status").annotate(
        count=Count("pk"), oldest=Min("created_at", filter=waiting)
    )
    for row in grouped:
        rows.setdefault(row["operation_type"], {})[row["status"]] = row
    return [_of_stage(stage.name, stage.operation_type, rows) for stage in PIPELINE]


def _of_stage(name: str, operation_type: str, rows: dict[str, dict[str, Any]]) -> StageCounts:
    found = rows.get(operation_type, {})
    oldest = [row["oldest"] for row in found.values() if row["oldest"] is not None]
    return StageCounts(
        stage=name,
        operation_type=operation_type,
        counts={str(s): found[s]["count"] if s in found else 0 for s in COUNTED},
        oldest_waiting=min(oldest, default=None),
    )


def packages_on_the_way(user: User | None = None) -> dict[str, int]:
    """Packages by state, without those that arrived; those that the person may see, or all. One query on an index of
    its own.
    """
    rows: QuerySet[RawDataPackage] = RawDataPackage.objects.not_archived().order_by()
    if user is not None:
        rows = visible(rows, user)
    found = dict(rows.values_list("state").annotate(Count("pk")))
    states = [state for state in PackageState.values if state != PackageState.ARCHIVED]
    return {state: found.get(state, 0) for state in states}


def locations() -> list[DataLocation]:
    """All locations with their site and usage. One query."""
    return list(DataLocation.objects.non_polymorphic().select_related("site", "instrument"))


def silent_services() -> list[ServiceHeartbeat]:
    """Who was not heard in time. One query."""
    return list(ServiceHeartbeat.objects.silent())
