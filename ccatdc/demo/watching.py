"""How far a night has come, and what holds it up: questions to the database, nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q, Sum

from ccatdc.common.states import OPEN_STATUSES, Status
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import PackageState
from transfer.models import Operation, ServiceHeartbeat, StagingJob
from transfer.pipeline import PIPELINE
from transfer.waiting import why_waiting

_MOST = 20


@dataclass(frozen=True, slots=True)
class StageCount:
    """Work of one stage. ``moved`` counts bytes."""

    name: str
    waiting: int
    running: int
    done: int
    failed: int
    moved: int


@dataclass(frozen=True, slots=True)
class PlaceCount:
    """What a location holds, in things and bytes; ``used_pct`` of its disk at the last check."""

    name: str
    location_type: str
    copies: int
    size: int
    used_pct: float | None


@dataclass(frozen=True, slots=True)
class NightState:
    """How far the observations of a night have come. ``left`` are copies still to be cleaned up."""

    files: int
    packaged: int
    packages: int
    archived: int
    failed: int
    set_aside: int
    left: int
    job: str

    @property
    def all_archived(self) -> bool:
        """Every file is in a package and every package in an archive."""
        return 0 < self.packages == self.archived and self.files == self.packaged

    def __str__(self) -> str:
        if not self.all_archived:
            return (
                f"{self.packaged} of {self.files} files packaged, "
                f"{self.archived} of {self.packages} packages archived"
            )
        if self.job != Status.COMPLETED:
            return f"All archived; staging {self.job.replace('_', ' ') or 'not asked for yet'}"
        return f"All archived and staged; {self.left} copies left at SOURCE and BUFFER"


def night_state(executions: Sequence[UUID], job: int | None) -> NightState:
    """The state of these executions and of the staging job that asks for their packages."""
    files = RawDataFile.objects.filter(executed_obs_unit__in=executions)
    packages = RawDataPackage.objects.filter(executed_obs_unit__in=executions)
    of_files = files.aggregate(
        all=Count("id"), packaged=Count("id", filter=Q(raw_data_package__isnull=False))
    )
    of_packages = packages.aggregate(
        all=Count("id"),
        archived=Count("id", filter=Q(state=PackageState.ARCHIVED)),
        failed=Count("id", filter=Q(state=PackageState.FAILED)),
    )
    status = _status_of(job) if job is not None else None
    return NightState(
        files=of_files["all"],
        packaged=of_files["packaged"],
        packages=of_packages["all"],
        archived=of_packages["archived"],
        failed=of_packages["failed"] + (status == Status.FAILED),
        set_aside=files.set_aside().distinct().count(),
        left=_copies_to_clean(executions),
        job=status or "",
    )


def _status_of(job: int) -> str | None:
    return StagingJob.objects.filter(pk=job).values_list("status", flat=True).first()


def _copies_to_clean(executions: Sequence[UUID]) -> int:
    """How many copies of these executions' data still exist at SOURCE and BUFFER.

    One question for each kind of copy: each has its index, all in one would have none.
    """
    places = (LocationType.SOURCE, LocationType.BUFFER)
    existing = (
        PhysicalCopy.objects.non_polymorphic()
        .existing()
        .filter(data_location__location_type__in=places)
    )
    of_files = existing.filter(raw_data_file__executed_obs_unit__in=executions)
    of_packages = existing.filter(raw_data_package__executed_obs_unit__in=executions)
    of_bundles = existing.filter(
        data_transfer_package__raw_data_packages__executed_obs_unit__in=executions
    ).distinct()
    return sum(copies.count() for copies in (of_files, of_packages, of_bundles))


def stage_counts() -> list[StageCount]:
    """Work by stage, in the order of the flow."""
    rows = (
        Operation.objects.non_polymorphic()
        .order_by()
        .values_list("operation_type", "status")
        .annotate(Count("id"), Sum("progress_bytes"))
    )
    counts: dict[tuple[str, str], tuple[int, int]] = {
        (kind, status): (count, moved or 0) for kind, status, count, moved in rows
    }

    def number(kind: str, *statuses: str) -> int:
        return sum(counts.get((kind, status), (0, 0))[0] for status in statuses)

    return [
        StageCount(
            name=stage.name,
            waiting=number(stage.operation_type, Status.PENDING, Status.SCHEDULED),
            running=number(stage.operation_type, Status.IN_PROGRESS),
            done=number(stage.operation_type, Status.COMPLETED),
            failed=number(stage.operation_type, Status.FAILED),
            moved=sum(
                counts.get((stage.operation_type, status), (0, 0))[1] for status in Status.values
            ),
        )
        for stage in PIPELINE
    ]


def place_counts() -> list[PlaceCount]:
    """Active locations and what they hold."""
    held = {
        place: (count, size or 0)
        for place, count, size in PhysicalCopy.objects.non_polymorphic()
        .existing()
        .order_by()
        .values_list("data_location")
        .annotate(Count("id"), Sum("size"))
    }
    return [
        PlaceCount(
            name=place.full_name,
            location_type=place.get_location_type_display(),
            copies=held.get(place.pk, (0, 0))[0],
            size=held.get(place.pk, (0, 0))[1],
            used_pct=place.used_pct,
        )
        for place in DataLocation.objects.active().with_site()
    ]


def look() -> tuple[list[StageCount], list[PlaceCount]]:
    """What the tables show."""
    return stage_counts(), place_counts()


def obstacles() -> list[str]:
    """What holds work up: failed and waiting operations, and what managers could not plan."""
    operations = Operation.objects.non_polymorphic().select_related("location__site")
    failed = operations.failed().order_by("-finished_at")[:_MOST]
    lines = [
        f"{operation} at {operation.location} failed: {operation.error_message} "
        f"[{operation.error_code}]"
        for operation in failed
    ]
    waiting = list(operations.filter(status__in=OPEN_STATUSES).order_by("created_at")[:_MOST])
    reasons = why_waiting(waiting)
    lines += [
        f"{operation} at {operation.location} is {operation.get_status_display().lower()}. "
        f"{reasons.get(operation.pk, '')}".rstrip()
        for operation in waiting
    ]
    for pulse in ServiceHeartbeat.objects.exclude(waiting=[]):
        lines += [f"{pulse.name} waits: {_words(reason)}" for reason in pulse.waiting[:_MOST]]
    lines += [f"{pulse} has fallen silent" for pulse in ServiceHeartbeat.objects.silent()]
    return lines


def _words(reason: object) -> str:
    return " ".join(str(v) for v in reason.values()) if isinstance(reason, dict) else str(reason)


def files_set_aside(executions: Sequence[UUID]) -> list[str]:
    """Files that packaging refused, with the reason."""
    copies = (
        PhysicalCopy.objects.non_polymorphic()
        .in_trouble()
        .filter(raw_data_file__executed_obs_unit__in=executions)
        .select_related("raw_data_file")[:_MOST]
    )
    return [f"{copy.location_key}: {copy.integrity}, {copy.error_message}" for copy in copies]
