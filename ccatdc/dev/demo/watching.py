"""How far a night has come, and what holds it up: questions to the database, nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q, Sum

from ccatdc.common.states import OPEN_STATUSES, Status
from ccatdc.common.units import size_text
from ccatdc.dev.demo.display import Rows
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataFile, RawDataPackage
from datamgmt.states import PackageState
from transfer.models import Operation, ServiceHeartbeat, StagingJob
from transfer.operators.wait_reasons import why_waiting
from transfer.pipeline import PIPELINE

_MOST = 20


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
                f"{self.packaged} of {self.files} files packaged, {self.archived} of {self.packages} packages archived"
            )
        if self.job != Status.COMPLETED:
            return f"All archived; staging {self.job.replace('_', ' ') or 'not asked for yet'}"
        return f"All archived and staged; {self.left} copies left at SOURCE and BUFFER"


def night_state(executions: Sequence[UUID], job: int | None) -> NightState:
    """The state of these executions and of the staging job that asks for their packages."""
    files = RawDataFile.objects.filter(executed_obs_unit__in=executions)
    packages = RawDataPackage.objects.filter(executed_obs_unit__in=executions)
    of_files = files.aggregate(all=Count("id"), packaged=Count("id", filter=Q(raw_data_package__isnull=False)))
    of_packages = packages.aggregate(
        all=Count("id"),
        archived=Count("id", filter=Q(state=PackageState.ARCHIVED)),
        failed=Count("id", filter=Q(state=PackageState.FAILED)),
    )
    status = StagingJob.objects.filter(pk=job or 0).values_list("status", flat=True).first() or ""
    return NightState(
        files=of_files["all"],
        packaged=of_files["packaged"],
        packages=of_packages["all"],
        archived=of_packages["archived"],
        failed=of_packages["failed"] + (status == Status.FAILED),
        set_aside=files.set_aside().distinct().count(),
        left=_copies_to_clean(executions),
        job=status,
    )


def _copies_to_clean(executions: Sequence[UUID]) -> int:
    """How many copies of these executions' data still exist at SOURCE and BUFFER. One question for each kind of copy:
    each has its index, all in one would have none.
    """
    places = (LocationType.SOURCE, LocationType.BUFFER)
    existing = PhysicalCopy.objects.non_polymorphic().existing().filter(data_location__location_type__in=places)
    owners = ("raw_data_file", "raw_data_package", "data_transfer_package__raw_data_packages")
    return sum(
        existing.filter(**{f"{owner}__executed_obs_unit__in": executions}).distinct().count() for owner in owners
    )


def look() -> list[Rows]:
    """The tables: work by stage in the order of the flow, and what active locations hold."""
    counted = Operation.objects.non_polymorphic().order_by().values_list("operation_type", "status")
    counts = {
        (kind, status): (n, moved or 0)
        for kind, status, n, moved in counted.annotate(Count("id"), Sum("progress_bytes"))
    }

    def number(kind: str, *statuses: str) -> str:
        return str(sum(counts.get((kind, status), (0, 0))[0] for status in statuses))

    stages = [
        (
            stage.name,
            number(stage.operation_type, Status.PENDING, Status.SCHEDULED),
            number(stage.operation_type, Status.IN_PROGRESS),
            number(stage.operation_type, Status.COMPLETED),
            number(stage.operation_type, Status.FAILED),
            size_text(sum(moved for (kind, _), (_, moved) in counts.items() if kind == stage.operation_type)),
        )
        for stage in PIPELINE
    ]
    copies = PhysicalCopy.objects.non_polymorphic().existing().order_by().values_list("data_location")
    held = {place: (n, size or 0) for place, n, size in copies.annotate(Count("id"), Sum("size"))}
    places = [
        (
            place.full_name,
            place.get_location_type_display(),
            str(held.get(place.pk, (0, 0))[0]),
            size_text(held.get(place.pk, (0, 0))[1]),
            "" if place.used_pct is None else f"{place.used_pct:.0f} %",
        )
        for place in DataLocation.objects.active().with_site()
    ]
    return [
        (("stage", "waiting", "running", "done", "failed", "bytes"), stages),
        (("location", "type", "copies", "bytes", "disk used"), places),
    ]


def obstacles() -> list[str]:
    """What holds work up: failed and waiting operations, and what managers could not plan."""
    operations = Operation.objects.non_polymorphic().select_related("location__site")
    failed = operations.failed().order_by("-finished_at")[:_MOST]
    lines = [f"{each} at {each.location} failed: {each.error_message} [{each.error_code}]" for each in failed]
    waiting = list(operations.filter(status__in=OPEN_STATUSES).order_by("created_at")[:_MOST])
    reasons = why_waiting(waiting)
    lines += [
        f"{each} at {each.location} is {each.get_status_display().lower()}. {reasons.get(each.pk, '')}".rstrip()
        for each in waiting
    ]
    for pulse in ServiceHeartbeat.objects.exclude(waiting=[]):
        lines += [f"{pulse.name} waits: {_words(reason)}" for reason in pulse.waiting[:_MOST]]
    return lines + [f"{pulse} has fallen silent" for pulse in ServiceHeartbeat.objects.silent()]


def _words(reason: object) -> str:
    return " ".join(str(v) for v in reason.values()) if isinstance(reason, dict) else str(reason)


def files_set_aside(executions: Sequence[UUID]) -> list[str]:
    """Files that packaging refused, with the reason."""
    copies = PhysicalCopy.objects.non_polymorphic().needing_attention().select_related("raw_data_file")
    found = copies.filter(raw_data_file__executed_obs_unit__in=executions)[:_MOST]
    return [f"{copy.location_key}: {copy.integrity}, {copy.error_message}" for copy in found]
