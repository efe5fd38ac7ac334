"""Staging jobs: what a scientist asks for. Each package of a job becomes one Staging operation."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from ccatdc.common.states import Moves, Status, known_values
from datamgmt.models import DataLocation, RawDataPackage
from datamgmt.models.streams import in_streams_overlapping
from datamgmt.packaging.naming import job_link_key
from planning.models import ExecutedObsUnit

#: Days that a job keeps its data, and the most to which it can be extended.
DEFAULT_KEEP_DAYS = 14
MAX_KEEP_DAYS = 60
#: So long before its data goes a requester is warned.
WARN_BEFORE = timedelta(days=3)

JOB_MOVES: Moves = {
    Status.PENDING: frozenset({Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED}),
    Status.SCHEDULED: frozenset(),
    Status.IN_PROGRESS: frozenset({Status.COMPLETED, Status.FAILED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset({Status.IN_PROGRESS}),
}


class JobStatus(models.TextChoices):
    """How a job is for who asked for it: cancelled and expired say more than how far it had come."""

    PENDING = Status.PENDING, "Pending"
    IN_PROGRESS = Status.IN_PROGRESS, "In progress"
    COMPLETED = Status.COMPLETED, "Completed"
    FAILED = Status.FAILED, "Failed"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"


def default_expiry() -> datetime:
    return timezone.now() + timedelta(days=DEFAULT_KEEP_DAYS)


class StagingJobQuerySet(models.QuerySet["StagingJob"]):
    def active(self) -> StagingJobQuerySet:
        """Whose data must stay: not cancelled, not expired."""
        return self.filter(cancelled_at__isnull=True, expires_at__gt=timezone.now())

    def with_job_status(self, *wanted: str) -> StagingJobQuerySet:
        """Those whose ``job_status`` is one of these."""
        rows = Q(status__in=wanted, cancelled_at__isnull=True, expires_at__gt=timezone.now())
        if JobStatus.CANCELLED in wanted:
            rows |= Q(cancelled_at__isnull=False)
        if JobStatus.EXPIRED in wanted:
            rows |= Q(cancelled_at__isnull=True, expires_at__lte=timezone.now())
        return self.filter(rows)

    def unfinished(self) -> StagingJobQuerySet:
        """Still to be served or followed."""
        return self.active().exclude(status=Status.COMPLETED)

    def to_be_warned(self) -> StagingJobQuerySet:
        """Whose data goes soon, and whose requester was not told of this end yet."""
        soon = self.active().filter(status=Status.COMPLETED, expires_at__lte=timezone.now() + WARN_BEFORE)
        return soon.filter(Q(warned_of__isnull=True) | ~Q(warned_of=F("expires_at")))

    def needing(self, package_id: object, location: DataLocation) -> StagingJobQuerySet:
        """Active jobs that need this package at this place."""
        return self.active().filter(
            raw_data_packages=package_id,  # type: ignore[misc]
            destination_location=location,
        )

    def of(self, user: User) -> StagingJobQuerySet:
        return self.filter(requested_by=user)

    def visible_to(self, user: User) -> StagingJobQuerySet:
        return self.of(user)


class StagingJob(models.Model):
    """A request for packages at a PROCESSING location. While it is active nothing that it needs is deleted there.

    One for whole observations has ``executions``: of packages of data streams its folder shows the files that overlap
    these.
    """

    machines = {"status": JOB_MOVES}

    name = models.CharField(max_length=128, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="staging_jobs")
    destination_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="staging_jobs")
    raw_data_packages = models.ManyToManyField(
        RawDataPackage, db_table="staging_job_raw_data_package", related_name="staging_jobs"
    )
    executions = models.ManyToManyField(
        ExecutedObsUnit, db_table="staging_job_executed_obs_unit", related_name="staging_jobs", blank=True
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING, editable=False)
    total_bytes = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(default=default_expiry)
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    notified_at = models.DateTimeField(null=True, blank=True, editable=False)
    failure_error_message = models.TextField(blank=True, editable=False)
    warned_of = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The end of which the requester was warned."
    )

    objects = StagingJobQuerySet.as_manager()

    class Meta:
        db_table = "staging_job"
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["expires_at"], condition=Q(cancelled_at__isnull=True), name="job_active")]
        constraints = [known_values("status", Status, "staging_job_status_known")]

    def __str__(self) -> str:
        return self.name or f"Staging job {self.pk}"

    @property
    def job_status(self) -> JobStatus:
        if self.cancelled_at is not None:
            return JobStatus.CANCELLED
        return JobStatus(self.status) if self.active else JobStatus.EXPIRED

    @property
    def active(self) -> bool:
        """Whether its data must stay."""
        return self.cancelled_at is None and self.expires_at > timezone.now()

    def links_to(self, package: RawDataPackage, tree: str) -> dict[str, str]:
        """The links of its folder that show a package: keys, and what they lead to in the unpacked ``tree``. One to the
        whole package; of a data stream in a job for observations one for each file that overlaps them.
        """
        link = job_link_key(self.folder_key, package)
        executions = list(self.executions.select_related("obs_unit__obs_mode")) if package.data_stream_id else []
        if not executions:
            return {link: tree}
        overlaps = reduce(or_, map(in_streams_overlapping, executions))
        paths = package.raw_data_files.filter(overlaps).order_by().values_list("relative_path", flat=True)
        return {f"{link}/{path}": f"{tree}/{path}" for path in paths}

    @property
    def folder_key(self) -> str:
        """The job's folder below the root of its location: what the scientist is told."""
        return f"jobs/{self.pk}"
