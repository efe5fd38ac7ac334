"""Stage 60, the request: what a scientist asks for, extends, cancels and retries.

Called by the web pages and by the API; permission is the caller's business. What is asked for here is planned by the
staging manager (s60), and protected from deletion while the job is active.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import User, record
from ccatdc.common.db.notify import notify_managers
from ccatdc.common.errors import ConflictError, InvalidTransition, RequestError
from ccatdc.common.states import Status, transition
from ccatdc.common.visibility import visible
from datamgmt.models import DataLocation, LocationType, PhysicalCopy, RawDataFile, RawDataPackage, StorageType
from datamgmt.packaging.naming import job_link_key
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit
from transfer.engine import dispatch
from transfer.models import Staging, StagingJob, StagingJobLog
from transfer.models.jobs import MAX_KEEP_DAYS
from transfer.staging.quotas import require_quota

#: Packages of one job.
MAX_PACKAGES: Final = 1000
#: Executions of one job.
MAX_EXECUTIONS: Final = 100
#: Packages that an error names; the rest is counted.
NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class PackageProgress:
    """One package of a job: how far it is, and where it is once it is there."""

    package: RawDataPackage
    staging: Staging | None
    status: str
    path: str


def request_staging(
    user: User, packages: Collection[UUID], location: DataLocation, name: str = "", *, executions: Collection[UUID] = ()
) -> StagingJob:
    """Ask for archived packages at a PROCESSING location, or for whole observations; the job is served from now on.

    ``packages`` and ``executions`` are ids; one that is named twice counts once. An observation is its own packages and
    what data streams wrote meanwhile. Raises RequestError: none or too many packages, both kinds, unknown ones (for the
    user: those that they may not see too), not archived ones, no good archive copy, a location that is not for this,
    inactive, or without room below its critical threshold; a quota that would be exceeded.
    """
    if packages and executions:
        raise RequestError("Name packages or executions, not both.", code="staging.packages_and_executions")
    observations = _observations(set(executions), user)
    wanted = set(packages) or _packages_of(observations, user)
    if not wanted:
        raise RequestError("Name at least one package that exists.", code="staging.no_packages")
    if len(wanted) > MAX_PACKAGES:
        raise RequestError(
            f"{len(wanted)} packages are too many for one job: at most {MAX_PACKAGES}.",
            code="staging.too_many_packages",
            remedy="Ask for them in several jobs.",
        )
    with transaction.atomic():
        place = _locked_place(location)
        rows = _stageable(wanted, user)
        if not executions:
            require_all_files_visible(rows, user)
        _require_room(place, rows)
        require_quota(user, rows)
        job = StagingJob.objects.create(
            name=name, requested_by=user, destination_location=place, total_bytes=_bytes_of(rows)
        )
        job.raw_data_packages.set(rows)
        job.executions.set(observations)
        _log(job, f"{user} asks for {len(rows)} packages at {place.full_name}.", user)
        notify_managers()
    return job


def cancel_job(job: StagingJob, *, user: User) -> StagingJob:
    """Give up a job: nothing more is staged for it, and what is there may go.

    Raises ConflictError when the job is over already (cancelled or expired).
    """
    with transaction.atomic():
        job = _locked_active(job)
        StagingJob.objects.filter(pk=job.pk).update(cancelled_at=timezone.now())
        job.refresh_from_db()
        for operation in Staging.objects.open().filter(staging_job=job):
            _cancel_quietly(operation, user)
        _log(job, f"Cancelled by {user}.", user)
        notify_managers()
    return job


def extend_job(job: StagingJob, until: datetime, *, user: User) -> StagingJob:
    """Keep the data of an active job until ``until``, at most MAX_KEEP_DAYS after the request.

    Raises ConflictError (the job is over), RequestError (too long, or not longer than now).
    """
    with transaction.atomic():
        job = _locked_active(job)
        latest = job.created_at + timedelta(days=MAX_KEEP_DAYS)
        if until > latest:
            raise RequestError(
                f"Data is kept for {MAX_KEEP_DAYS} days at most: until {latest:%Y-%m-%d %H:%M} UTC.",
                code="staging.kept_too_long",
                remedy="Ask for the packages again later; they stay in the archive.",
            )
        if until <= job.expires_at:
            raise RequestError(
                f"The job is kept until {job.expires_at:%Y-%m-%d %H:%M} UTC already.", code="staging.not_longer"
            )
        StagingJob.objects.filter(pk=job.pk).update(expires_at=until)
        job.refresh_from_db()
        _log(job, f"Extended by {user} until {until:%Y-%m-%d %H:%M} UTC.", user)
    return job


def retry_job(job: StagingJob, *, user: User) -> StagingJob:
    """Try the failed packages of a FAILED job again.

    Raises ConflictError when the job is over, has not failed, or another job stages one of its packages at this moment.
    """
    with transaction.atomic():
        job = _locked_active(job)
        failed = Q(status=Status.FAILED)
        fields: dict[str, Any] = {"finished_at": None, "failure_error_message": ""}
        transition(job, Status.IN_PROGRESS, where=failed, **fields)
        for operation in Staging.objects.failed().filter(staging_job=job):
            _retry(operation, job, user)
        _log(job, f"Tried again by {user}.", user)
        notify_managers()
    return job


def ask_again(job: StagingJob, *, user: User) -> StagingJob:
    """A new job for what one that is over had asked for, at the same place. ConflictError while it is active; else as
    :func:`request_staging`.
    """
    if job.active:
        raise ConflictError(f"{job} is active still.", code="staging.job_active", remedy="Extend it.")
    executions = list(job.executions.values_list("pk", flat=True))
    packages = [] if executions else list(job.raw_data_packages.values_list("pk", flat=True))
    place = DataLocation.objects.non_polymorphic().with_site().get(pk=job.destination_location_id)
    return request_staging(user, packages, place, job.name, executions=executions)


def progress_of(job: StagingJob) -> list[PackageProgress]:
    """Every package of a job that who asked for it may see still: seven queries, however many there are."""
    location = DataLocation.objects.with_site().get(pk=job.destination_location_id)
    root = location.path.rstrip("/")
    operations = {
        operation.raw_data_package_id: operation
        for operation in Staging.objects.filter(staging_job=job).select_related("location__site")
    }
    found = []
    packages = visible(job.raw_data_packages.for_listing().oldest_first(), job.requested_by)
    for package in packages:
        operation = operations.get(package.pk)
        status = operation.status if operation is not None else Status.PENDING
        done = status == Status.COMPLETED and job.active
        path = f"{root}/{job_link_key(job.folder_key, package)}" if done else ""
        found.append(PackageProgress(package, operation, status, path))
    return found


def _locked_place(location: DataLocation) -> DataLocation:
    """The location, locked, so that two requests do not both take its last room."""
    rows = DataLocation.objects.non_polymorphic().with_site()
    place: DataLocation = rows.select_for_update(of=("self",), no_key=True).get(pk=location.pk)
    is_folder = place.storage_type == StorageType.DISK
    if place.location_type != LocationType.PROCESSING or not is_folder:
        raise RequestError(f"{place.full_name} is no PROCESSING location on a disk.", code="staging.not_processing")
    if not (place.active and place.site.active):
        raise RequestError(
            f"{place.full_name} is switched off.", code="staging.location_inactive", remedy="Choose another location."
        )
    return place


def _observations(wanted: set[UUID], user: User) -> list[ExecutedObsUnit]:
    if len(wanted) > MAX_EXECUTIONS:
        raise RequestError(
            f"{len(wanted)} executions are too many for one job: at most {MAX_EXECUTIONS}.",
            code="staging.too_many_packages",
            remedy="Ask for them in several jobs.",
        )
    rows = visible(ExecutedObsUnit.objects.filter(pk__in=wanted), user).select_related("obs_unit__obs_mode")
    found = list(rows.order_by("pk"))
    missing = wanted - {row.pk for row in found}
    if missing:
        raise RequestError(f"There is no execution {_some(map(str, missing))}.", code="staging.unknown_execution")
    return found


def _packages_of(executions: Sequence[ExecutedObsUnit], user: User) -> set[UUID]:
    """Their own packages, and those of data streams. RequestError while files of them are in no package yet."""
    found: set[UUID] = set()
    for execution in executions:
        files = RawDataFile.objects.unpackaged().usable().belonging_to(execution)
        waiting = visible(files, user).count()
        if waiting or not execution.is_over:
            raise RequestError(
                f"{execution} is not complete: {waiting} files of it are in no package yet.",
                code="staging.not_archived",
                remedy="Ask again when they are.",
            )
        packages = visible(RawDataPackage.objects.belonging_to(execution), user)
        found.update(packages.order_by().values_list("pk", flat=True))
    return found


def _stageable(wanted: set[UUID], user: User) -> list[RawDataPackage]:
    rows = list(visible(RawDataPackage.objects.filter(pk__in=wanted), user))
    missing = wanted - {row.pk for row in rows}
    if missing:
        raise RequestError(f"There is no package {_some(map(str, missing))}.", code="staging.unknown_package")
    early = [row.name for row in rows if row.state != PackageState.ARCHIVED]
    if early:
        raise RequestError(
            f"Not archived: {_some(early)}.", code="staging.not_archived", remedy="Ask again when they are."
        )
    good = set(RawDataPackage.objects.filter(pk__in=wanted).present_in_archive().values_list("pk", flat=True))
    bad = [row.name for row in rows if row.pk not in good]
    if bad:
        raise RequestError(
            f"Without a good archive copy now: {_some(bad)}.",
            code="staging.no_good_copy",
            remedy="An operator has to look at their archive copies.",
        )
    return rows


def require_all_files_visible(rows: Sequence[RawDataPackage], user: User) -> None:
    """A package of a data stream may hold files of the time of observations that the person may not see."""
    for package in rows:
        if package.data_stream_id is None:
            continue
        files = package.raw_data_files.all()
        if visible(files, user).count() < files.count():
            raise RequestError(
                f"{package} holds files of the time of observations that you may not see.",
                code="staging.not_all_visible",
                remedy="Ask for your executions: their jobs show the files that overlap them.",
            )


def _require_room(place: DataLocation, rows: Sequence[RawDataPackage]) -> None:
    """What is there, what other jobs wait for, and this: below the critical threshold."""
    if not place.capacity_bytes or place.used_bytes is None:
        return
    here = PhysicalCopy.objects.non_polymorphic().at(place).existing()
    of_package = here.filter(raw_data_package=OuterRef("pk"))
    absent = RawDataPackage.objects.filter(~Exists(of_package))
    waiting = absent.filter(
        staging_jobs__in=StagingJob.objects.unfinished().filter(destination_location=place)
    ).distinct()
    expected = set(waiting.values_list("pk", "size"))
    asked = absent.filter(pk__in=[row.pk for row in rows]).values_list("pk", "size")
    needed = sum(size or 0 for _, size in expected | set(asked))
    limit = int(place.capacity_bytes * place.critical_pct / 100)
    if place.used_bytes + needed > limit:
        free = max(0, limit - place.used_bytes - sum(size or 0 for _, size in expected))
        raise RequestError(
            f"{place.full_name} has room for {free} bytes more, these need {_bytes_of(rows)}.",
            code="staging.no_room",
            remedy="Ask for less, cancel jobs that you do not need, or choose another location.",
        )


def _bytes_of(rows: Sequence[RawDataPackage]) -> int:
    return sum(row.size or 0 for row in rows)


def _locked_active(job: StagingJob) -> StagingJob:
    locked = StagingJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
    if not locked.active:
        how = "was cancelled" if locked.cancelled_at else "has expired"
        raise ConflictError(
            f"{locked} is over: it {how}.",
            code="staging.job_over",
            remedy="Ask for the packages again; they stay in the archive.",
        )
    return locked


def _cancel_quietly(operation: Staging, user: User) -> None:
    """An operation that ended in this moment needs no cancelling."""
    try:
        dispatch.cancel(operation, user=user, reason="Its staging job was cancelled.")
    except InvalidTransition:
        operation.refresh_from_db()


def _retry(operation: Staging, job: StagingJob, user: User) -> None:
    try:
        dispatch.retry(operation, user=user, reason=f"{job} is tried again.")
    except ConflictError as error:
        if error.code != "operation.superseded":
            raise
        raise ConflictError(
            f"Another job stages {operation.raw_data_package} at this moment.",
            code="staging.busy",
            remedy="Try again when it is done.",
            retryable=True,
        ) from error


def _log(job: StagingJob, message: str, user: User) -> None:
    StagingJobLog.objects.create(staging_job=job, status=job.status, message=message)
    record("staging", message, about=job, user=user)


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more
