"""Runs on the cluster: where they are computed, what may be run, and one job for each run that was asked for.

ProcessingRun (datamgmt) is the record of a reduction, wherever it ran. A ProcessingJob is how the data center runs one
itself: it stages the inputs, submits to a backend, follows, takes the results over (stages 62 to 66)::

    PENDING -> STAGING -> READY -> SUBMITTED -> RUNNING -> COLLECTING -> COMPLETED
                            ^---- its node was lost ---+
    each of them but the last two -> FAILED, CANCELLED; COLLECTING -> FAILED
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from ccatdc.common.states import Moves, known_values, transition
from datamgmt.models import (
    DataLocation,
    DiskDataLocation,
    LocationType,
    ProcessingRun,
    ReductionSoftwareVersion,
    RunStatus,
)
from datamgmt.models.runs import runs_for
from observatory.models import InstrumentModule
from planning.models import ObservingProgram, ObsMode, Source
from transfer.models.jobs import StagingJob
from transfer.models.run_parameters import BACKENDS, RunParameterError, RunParameters

#: Words of a command, and characters of each.
MOST_WORDS, LONGEST_WORD = 100, 1000
#: Characters of a configuration, as JSON.
LONGEST_CONFIGURATION: Final = 100_000
#: Submissions of one job: after so many lost nodes it may be what kills them.
MAX_SUBMISSIONS: Final = 3


class JobStatus(models.TextChoices):
    """How far a run on the cluster is."""

    PENDING = "pending", "Pending"
    STAGING = "staging", "Staging"
    READY = "ready", "Ready"
    SUBMITTED = "submitted", "Submitted"
    RUNNING = "running", "Running"
    COLLECTING = "collecting", "Collecting"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


_S = JobStatus
_ENDS: Final = frozenset({_S.FAILED, _S.CANCELLED})
PROCESSING_JOB_MOVES: Moves = {
    _S.PENDING: frozenset({_S.STAGING, _S.READY}) | _ENDS,
    _S.STAGING: frozenset({_S.READY}) | _ENDS,
    _S.READY: frozenset({_S.SUBMITTED}) | _ENDS,
    _S.SUBMITTED: frozenset({_S.RUNNING, _S.COLLECTING, _S.READY}) | _ENDS,
    _S.RUNNING: frozenset({_S.COLLECTING, _S.READY}) | _ENDS,
    _S.COLLECTING: frozenset({_S.COMPLETED, _S.FAILED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}
BEFORE_SUBMISSION: Final = (_S.PENDING, _S.STAGING, _S.READY)
AT_BACKEND: Final = (_S.SUBMITTED, _S.RUNNING)
JOB_ENDED: Final = (_S.COMPLETED, _S.FAILED, _S.CANCELLED)


class RunBackendQuerySet(models.QuerySet["RunBackend"]):
    def due(self, now: datetime) -> RunBackendQuerySet:
        """With jobs to ask about: last asked longer ago than their interval, or somebody cancelled one."""
        at_backend = ProcessingJob.objects.filter(pipeline__run_backend=OuterRef("pk"), status__in=AT_BACKEND)
        cancelled = at_backend.filter(cancel_requested_at__isnull=False)
        waited = Q(followed_at__isnull=True) | Q(followed_at__lte=now - F("follow_seconds") * timedelta(seconds=1))
        return self.filter(Exists(at_backend)).filter(waited | Q(Exists(cancelled)))


class RunBackend(models.Model):
    """Where runs are computed: the data of a PROCESSING location, and the machine or batch system beside it.

    ``results_location`` is the SOURCE at the same site that takes over what runs make, from where it goes to the archives
    as raw data does.
    """

    location = models.OneToOneField(DataLocation, models.PROTECT, related_name="run_backend")
    results_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="+")
    backend = models.CharField(max_length=16, choices=[(name, name.capitalize()) for name in BACKENDS])
    parameters = models.JSONField(
        default=dict, blank=True, help_text="Cores, memory, longest time: docs/operations/runs.md."
    )
    follow_seconds = models.PositiveIntegerField(
        default=15, validators=[MinValueValidator(1)], help_text="Its jobs are asked about so often."
    )
    active = models.BooleanField(default=True, help_text="Off: nothing new is submitted.")
    followed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = RunBackendQuerySet.as_manager()

    class Meta:
        db_table = "run_backend"
        ordering = ["location"]
        constraints = [
            models.CheckConstraint(condition=Q(backend__in=list(BACKENDS)), name="run_backend_known"),
            models.CheckConstraint(condition=~Q(location=F("results_location")), name="run_backend_results_elsewhere"),
        ]

    def __str__(self) -> str:
        return f"{self.location.full_name} ({self.backend})"

    @property
    def run_parameters(self) -> RunParameters:
        """As the backend takes them. Raises RunParameterError when the row has wrong ones."""
        return RunParameters.of(self.backend, self.parameters)

    def clean(self) -> None:
        """A PROCESSING location and a SOURCE, both disks of one site; parameters that the backend knows."""
        try:
            RunParameters.of(self.backend, self.parameters)
        except RunParameterError as error:
            raise ValidationError({"parameters": error.message}) from error
        for field, location_type in (("location", LocationType.PROCESSING), ("results_location", LocationType.SOURCE)):
            place = DataLocation.objects.filter(pk=getattr(self, f"{field}_id")).first()
            if place is None:
                continue  # the form says so
            if place.location_type != location_type or not isinstance(place, DiskDataLocation):
                raise ValidationError({field: f"Choose a {location_type.label} location on a disk."})
        if self.location_id and self.results_location_id and self.location.site_id != self.results_location.site_id:
            raise ValidationError({"results_location": "Choose one at the same site."})


def command_words(value: Any) -> None:
    """A command is a list of words, as a program gets them: no shell reads it."""
    is_list = isinstance(value, list) and 0 < len(value) <= MOST_WORDS
    if not is_list or any(not isinstance(word, str) or len(word) > LONGEST_WORD or "\0" in word for word in value):
        raise ValidationError(f"A list of 1 to {MOST_WORDS} texts of at most {LONGEST_WORD} characters.")


class ReductionPipelineQuerySet(models.QuerySet["ReductionPipeline"]):
    def standing(self) -> ReductionPipelineQuerySet:
        """In use, and run for new observations without being asked."""
        used = self.filter(active=True, run_backend__active=True, run_backend__location__active=True)
        return used.filter(standing=True)


class ReductionPipeline(models.Model):
    """What may be run, as an operator set it up: a version of software, its command, and where it is computed.

    People choose a pipeline and its inputs; the command is never theirs. An image is a file on the cluster that Apptainer
    runs; without one the command runs as it is.

    A *standing* pipeline is run for each observation that began at ``since`` or later, has data of its module and is of
    its program, mode and source as far as these are set, ``cooldown_seconds`` after it was over and when all of it is archived. Another
    software version means all of them anew. It asks with the rights of ``requested_for``.
    """

    name = models.SlugField(max_length=64, unique=True)
    description = models.CharField(max_length=255, blank=True)
    software_version = models.ForeignKey(ReductionSoftwareVersion, models.PROTECT, related_name="pipelines")
    image = models.CharField(
        max_length=1024,
        blank=True,
        validators=[RegexValidator(r"^/[^\x00-\x1f]+$", "Give an absolute path.")],
        help_text="An image file on the cluster, for Apptainer. Empty: the command runs without one.",
    )
    command = models.JSONField(validators=[command_words], help_text='A list of words: ["map-maker", "--fast"].')
    configuration = models.JSONField(
        default=dict, blank=True, help_text="Goes into the manifest; who asks for a run may change values of it."
    )
    run_backend = models.ForeignKey(RunBackend, models.PROTECT, related_name="pipelines")
    instrument_module = models.ForeignKey(
        InstrumentModule,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Its products are of this module. Empty: of that of the inputs.",
    )
    active = models.BooleanField(default=True, help_text="Off: no new runs.")
    standing = models.BooleanField(default=False, help_text="It is run for each new observation that fits.")
    requested_for = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose runs these are, with the rights of whom.",
    )
    since = models.DateTimeField(null=True, blank=True, help_text="Observations that began before are left alone.")
    cooldown_seconds = models.PositiveIntegerField(
        default=600, help_text="An observation is left so long after it was over: files may come late."
    )
    observing_program = models.ForeignKey(ObservingProgram, models.PROTECT, null=True, blank=True, related_name="+")
    obs_mode = models.ForeignKey(ObsMode, models.PROTECT, null=True, blank=True, related_name="+")
    source = models.ForeignKey(Source, models.PROTECT, null=True, blank=True, related_name="+")

    objects = ReductionPipelineQuerySet.as_manager()

    class Meta:
        verbose_name = "reduction pipeline"
        db_table = "reduction_pipeline"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(standing=False)
                | Q(requested_for__isnull=False, since__isnull=False, instrument_module__isnull=False),
                name="reduction_pipeline_standing_is_bounded",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """The configuration is an object; a standing pipeline says for whom, from when on, and of which module."""
        if not isinstance(self.configuration, dict):
            raise ValidationError({"configuration": "Give an object of names and values."})
        if self.standing and None in (self.requested_for_id, self.since, self.instrument_module_id):
            raise ValidationError(
                {"standing": "Say for whom (requested for), from when on (since), and of which instrument module."}
            )


class ProcessingJobQuerySet(models.QuerySet["ProcessingJob"]):
    def visible_to(self, user: Any) -> ProcessingJobQuerySet:
        """Those whose runs the person may see."""
        return self.filter(runs_for(user, "processing_run__"))

    def before_submission(self) -> ProcessingJobQuerySet:
        return self.filter(status__in=BEFORE_SUBMISSION)

    def at_backend(self) -> ProcessingJobQuerySet:
        """With the machine or the batch system, which has to be asked how they are."""
        return self.filter(status__in=AT_BACKEND)

    def collecting(self) -> ProcessingJobQuerySet:
        return self.filter(status=JobStatus.COLLECTING)

    def to_release(self) -> ProcessingJobQuerySet:
        """Over, and their inputs are still kept for them."""
        now = timezone.now()
        return self.filter(
            status__in=JOB_ENDED, staging_job__cancelled_at__isnull=True, staging_job__expires_at__gt=now
        )

    def for_listing(self) -> ProcessingJobQuerySet:
        """With what a page about them shows."""
        return self.select_related(
            "processing_run__observing_program",
            "pipeline__run_backend__location__site",
            "pipeline__software_version__reduction_software",
        )


class ProcessingJob(models.Model):
    """One run on the cluster. ``submissions`` counts how often it was handed over: once, and again after a lost node; each has a
    folder and a name of its own. ``backend_id`` is what the backend calls it. ``log_name`` is what the command said, in
    the portal's own storage of logs.
    """

    machines = {"status": PROCESSING_JOB_MOVES}

    processing_run = models.OneToOneField(ProcessingRun, models.PROTECT, related_name="processing_job")
    pipeline = models.ForeignKey(ReductionPipeline, models.PROTECT, related_name="processing_jobs")
    staging_job = models.ForeignKey(StagingJob, models.PROTECT, null=True, blank=True, related_name="processing_jobs")
    retry_of = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="retried_by")
    status = models.CharField(max_length=16, choices=JobStatus.choices, default=JobStatus.PENDING, editable=False)
    submissions = models.PositiveSmallIntegerField(default=1, editable=False)
    backend_id = models.CharField(max_length=128, blank=True, editable=False)
    error_code = models.CharField(max_length=64, blank=True, editable=False)
    message = models.TextField(blank=True, editable=False)
    wall_seconds = models.FloatField(null=True, blank=True, editable=False)
    peak_bytes = models.BigIntegerField(null=True, blank=True, editable=False)
    log_name = models.CharField(max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    submitted_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProcessingJobQuerySet.as_manager()

    class Meta:
        verbose_name = "processing job"
        db_table = "processing_job"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"], name="processing_job_by_creation"),
            models.Index(fields=["status", "pipeline"], condition=~Q(status__in=JOB_ENDED), name="processing_job_open"),
        ]
        constraints = [known_values("status", JobStatus, "processing_job_status_known")]

    def __str__(self) -> str:
        return str(self.processing_run)

    @property
    def is_over(self) -> bool:
        """However it ended."""
        return self.status in JOB_ENDED

    @property
    def requester(self) -> User:
        """Who asked for it, as every process may read them: without what logs them in."""
        return User.objects.defer("password").get(pk=self.processing_run.submitted_by_id or 0)

    @property
    def submission_name(self) -> str:
        """Of this submission: no other one ever has it."""
        return f"{self.processing_run_id}-{self.submissions}"

    @property
    def folder_key(self) -> str:
        """The folder of this submission below the root of the PROCESSING location."""
        return f"runs/{self.processing_run_id}/{self.submissions}"

    @property
    def results_key(self) -> str:
        """Where its results are below the root of the results' location."""
        return f"runs/{self.processing_run_id}"

    def after_transition(self, _field: str, to: str) -> None:
        """The run follows: it fails or is cancelled with its job. That it began and was well is told with the times that
        only the job knows (transfer/operations/s64_follow.py, transfer/managers/s66_collect.py).
        """
        ended = {JobStatus.FAILED: RunStatus.FAILED, JobStatus.CANCELLED: RunStatus.CANCELLED}.get(JobStatus(to))
        if ended is not None:
            self.processing_run.refresh_from_db()
            end_run(self.processing_run, ended, message=self.message)


def end_run(run: ProcessingRun, status: RunStatus, **fields: Any) -> None:
    """The record of the run ends as its job did; what is over already stays."""
    if not run.is_over:
        now = timezone.now()
        end = None if run.start_time is None else max(now, run.start_time)
        transition(run, status, finished_at=now, end_time=end, **fields)
