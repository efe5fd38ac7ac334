"""Runs that reduce data: with which software, of what, by whom, where and when.

A run is to its products what an execution is to raw files: they are filed for it, and packaged when it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import ApiToken
from ccatdc.common.models import TimeStamped, UuidPrimaryKey
from ccatdc.common.states import Moves, known_values
from datamgmt.models.locations import DataLocation
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit, ObservingProgram


class ReductionSoftware(models.Model):
    """A program or pipeline that reduces data. Its versions are made when a run first names them."""

    name = models.SlugField(max_length=64, unique=True)
    description = models.CharField(max_length=255, blank=True)
    repository_url = models.URLField(blank=True)
    active = models.BooleanField(default=True, help_text="Whether runs of it are accepted.")

    class Meta:
        verbose_name = verbose_name_plural = "reduction software"
        db_table = "reduction_software"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ReductionSoftwareVersion(models.Model):
    """One version of it: a release, a commit or the digest of a container."""

    reduction_software = models.ForeignKey(ReductionSoftware, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=128, help_text="A release, a commit, or the digest of a container.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "version of reduction software"
        verbose_name_plural = "versions of reduction software"
        db_table = "reduction_software_version"
        ordering = ["reduction_software", "-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["reduction_software", "version"], name="software_version_unique"),
            models.CheckConstraint(condition=~Q(version=""), name="software_version_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.reduction_software} {self.version}"


class RunStatus(models.TextChoices):
    """How a run fares."""

    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


RUN_MOVES: Moves = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.RUNNING: frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
}
RUN_COLOURS: Mapping[str, str] = {
    RunStatus.PENDING: "warning",
    RunStatus.RUNNING: "primary",
    RunStatus.COMPLETED: "success",
    RunStatus.FAILED: "danger",
    RunStatus.CANCELLED: "default",
}
#: However it ended: what a failed run wrote (its logs) is kept too.
ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED)


class ProcessingRunQuerySet(models.QuerySet["ProcessingRun"]):
    def visible_to(self, user: Any) -> ProcessingRunQuerySet:
        """One's own, and those of one's programs."""
        return self.filter(runs_for(user))

    def all_for_update(self, pks: Any) -> ProcessingRunQuerySet:
        """Several runs, locked in the order of their ids, so that two callers never wait for each other."""
        return self.select_for_update(of=("self",)).filter(pk__in=list(pks)).order_by("pk")

    def that_read(
        self, *, packages: Iterable[UUID] = (), observations: Iterable[UUID] = (), products: Iterable[UUID] = ()
    ) -> ProcessingRunQuerySet:
        """Runs with one of these among their inputs."""
        links = (
            ProcessingRun.input_packages.through.objects.filter(rawdatapackage__in=list(packages)),
            ProcessingRun.input_observations.through.objects.filter(executedobsunit__in=list(observations)),
            ProcessingRun.input_products.through.objects.filter(dataproduct__in=list(products)),
        )
        reading = [Q(pk__in=rows.values("processingrun")) for rows in links]
        return self.filter(reading[0] | reading[1] | reading[2])

    def that_read_observation(self, execution: UUID) -> ProcessingRunQuerySet:
        """Runs with the observation, or some of its own packages, among their inputs."""
        packages = ProcessingRun.input_packages.through.objects.filter(rawdatapackage__executed_obs_unit=execution)
        observations = ProcessingRun.input_observations.through.objects.filter(executedobsunit=execution)
        return self.filter(Q(pk__in=packages.values("processingrun")) | Q(pk__in=observations.values("processingrun")))

    def for_listing(self) -> ProcessingRunQuerySet:
        """With what pages and names of packages show; who submitted it is not for every process to read."""
        return self.select_related(
            "observing_program",
            "instrument_module__instrument",
            "software_version__reduction_software",
            "location__site",
        )


def runs_for(user: Any, run: str = "") -> Q:
    """Runs that a person may see; ``run`` is the way to them, as ``processing_run__``."""
    programs = ObservingProgram.objects.order_by().of(user).values("pk")
    return Q(**{f"{run}submitted_by": user}) | Q(**{f"{run}observing_program__in": programs})


class ProcessingRun(UuidPrimaryKey, TimeStamped):
    """One run of a version of reduction software over some inputs; its UUID may be made by who files it.

    ``name`` says what is made, for people. Its products are of ``instrument_module`` and of ``observing_program``, whose
    members see them. ``location`` is where it ran. ``start_time`` and ``end_time`` are by the clock of the cluster;
    ``finished_at`` is ours, from which the settle delay counts. ``filed`` holds what start and finish were called with,
    the ids of the inputs among it: a call that comes again is compared with it, and links that a rebuilt catalogue
    lacks are made from it.
    """

    machines = {"status": RUN_MOVES}

    name = models.CharField(max_length=255)
    observing_program = models.ForeignKey(ObservingProgram, models.PROTECT, related_name="processing_runs")
    instrument_module = models.ForeignKey(InstrumentModule, models.PROTECT, related_name="processing_runs")
    software_version = models.ForeignKey(ReductionSoftwareVersion, models.PROTECT, related_name="processing_runs")
    location = models.ForeignKey(DataLocation, models.PROTECT, null=True, blank=True, related_name="processing_runs")
    host = models.CharField(max_length=255, blank=True)
    command = models.TextField(blank=True)
    configuration = models.JSONField(default=dict, blank=True)
    input_packages = models.ManyToManyField(
        "datamgmt.RawDataPackage", db_table="processing_run_input_package", related_name="used_by_runs", blank=True
    )
    input_observations = models.ManyToManyField(
        ExecutedObsUnit, db_table="processing_run_input_observation", related_name="used_by_runs", blank=True
    )
    input_products = models.ManyToManyField(
        "datamgmt.DataProduct", db_table="processing_run_input_product", related_name="used_by_runs", blank=True
    )
    priority = models.SmallIntegerField(default=5, help_text="Lower is sooner.")
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    reported_by_token = models.ForeignKey(
        ApiToken, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    status = models.CharField(max_length=16, choices=RunStatus.choices, default=RunStatus.PENDING, editable=False)
    start_time = models.DateTimeField(null=True, blank=True)
    end_time = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    exit_code = models.IntegerField(null=True, blank=True)
    message = models.TextField(blank=True, help_text="Why it failed.")
    filed = models.JSONField(default=dict, blank=True, editable=False)

    objects = ProcessingRunQuerySet.as_manager()

    class Meta:
        verbose_name = "processing run"
        db_table = "processing_run"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"], name="run_by_creation"),
            models.Index(fields=["status", "-created_at"], name="run_by_status"),
            models.Index(fields=["observing_program", "-created_at"], name="run_by_program"),
        ]
        constraints = [
            known_values("status", RunStatus, "run_status_known"),
            models.CheckConstraint(
                condition=Q(end_time__isnull=True) | Q(end_time__gte=F("start_time")), name="run_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(status__in=[RunStatus.PENDING, RunStatus.FAILED, RunStatus.CANCELLED])
                | Q(start_time__isnull=False),
                name="run_has_start",
            ),
            models.CheckConstraint(
                condition=Q(status__in=ENDED, finished_at__isnull=False)
                | (~Q(status__in=ENDED) & Q(finished_at__isnull=True)),
                name="run_ended_is_finished",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_over(self) -> bool:
        """However it ended."""
        return self.status in ENDED
