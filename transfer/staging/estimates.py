"""What a request would cost, before it is made: bytes, how long it takes by what was measured, and which quotas it needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Sum

from accounts.models import User
from ccatdc.common.states import Status
from ccatdc.common.visibility import visible
from datamgmt.models import DataLocation, PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState, PhysicalCopyStatus
from planning.models import ExecutedObsUnit
from transfer.models import Staging
from transfer.staging.quotas import Allowance, allowances

#: So many of the last operations at a location say how fast it is.
MEASURED: Final = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes and packages of a request; those that are at the location already; bytes that others wait for there; the
    measured rate in bytes/s, None where nothing was staged yet.
    """

    packages: int
    not_archived: int
    total_bytes: int
    there_bytes: int
    ahead_bytes: int
    bytes_per_s: float | None
    quotas: list[Allowance]

    @property
    def missing_bytes(self) -> int:
        return self.total_bytes - self.there_bytes

    @property
    def seconds(self) -> float | None:
        """Until all is there, if nothing else comes and nothing fails."""
        if not self.missing_bytes:
            return 0.0
        if not self.bytes_per_s:
            return None
        return (self.ahead_bytes + self.missing_bytes) / self.bytes_per_s


def packages_of(
    user: User, *, packages: Collection[UUID] = (), executions: Collection[UUID] = ()
) -> list[RawDataPackage]:
    """The packages that the person may see: these, and those that belong to observations."""
    found = {row.pk: row for row in visible(RawDataPackage.objects.filter(pk__in=packages), user)}
    rows = visible(ExecutedObsUnit.objects.filter(pk__in=executions), user).select_related("obs_unit__obs_mode")
    for execution in rows:
        found.update({row.pk: row for row in visible(RawDataPackage.objects.belonging_to(execution), user)})
    return list(found.values())


def estimate(user: User, wanted: Iterable[RawDataPackage], location: DataLocation) -> Estimate:
    """What it would cost to stage these packages there. What is not archived counts as missing."""
    rows = list(wanted)
    archived = [row for row in rows if row.state == PackageState.ARCHIVED]
    copies = PhysicalCopy.objects.non_polymorphic().at(location).good().filter(status=PhysicalCopyStatus.STAGED)
    there = copies.filter(raw_data_package__in=[row.pk for row in archived])
    open_here = Staging.objects.non_polymorphic().open().filter(location=location)
    return Estimate(
        packages=len(archived),
        not_archived=len(rows) - len(archived),
        total_bytes=sum(row.size or 0 for row in archived),
        there_bytes=there.aggregate(total=Sum("size"))["total"] or 0,
        ahead_bytes=open_here.aggregate(total=Sum("total_bytes"))["total"] or 0,
        bytes_per_s=rate_at(location),
        quotas=allowances(user, archived),
    )


def rate_at(location: DataLocation) -> float | None:
    """Bytes/s of the last operations there that moved data, by the time in which at least one of them ran."""
    written = (
        PhysicalCopy.objects.non_polymorphic()
        .at(location)
        .filter(raw_data_package=OuterRef("raw_data_package"), created_at__gte=OuterRef("started_at"))
    )
    # One that only linked what was there says nothing.
    done: Any = Staging.objects.non_polymorphic().filter(
        Exists(written), location=location, status=Status.COMPLETED, progress_bytes__gt=0
    )
    last = done.order_by("-finished_at").values_list("started_at", "finished_at", "progress_bytes")[:MEASURED]
    rows = [(began, ended, count) for began, ended, count in last if ended is not None]
    seconds = busy_seconds([(began, ended) for began, ended, _ in rows])
    return sum(count for _, _, count in rows) / seconds if seconds > 0 else None


def busy_seconds(times: Iterable[tuple[datetime, datetime]]) -> float:
    """How long at least one of these spans lasted: workers stage side by side."""
    total, until = 0.0, None
    for began, ended in sorted(times):
        begin = began if until is None else max(began, until)
        if ended > begin:
            total += (ended - begin).total_seconds()
            until = ended
    return total
