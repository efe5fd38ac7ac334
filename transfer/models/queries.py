"""Queries of astronomers that run as jobs: UWS, the Universal Worker Service of the Virtual Observatory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from ccatdc.common.models import UuidPrimaryKey
from ccatdc.common.states import Moves, known_values


class Phase(models.TextChoices):
    """Where a job is, in the words of UWS."""

    PENDING = "PENDING", "Pending"
    QUEUED = "QUEUED", "Queued"
    EXECUTING = "EXECUTING", "Executing"
    COMPLETED = "COMPLETED", "Completed"
    ERROR = "ERROR", "Error"
    ABORTED = "ABORTED", "Aborted"


PHASE_MOVES: Moves = {
    Phase.PENDING: frozenset({Phase.QUEUED, Phase.ABORTED}),
    Phase.QUEUED: frozenset({Phase.EXECUTING, Phase.ABORTED}),
    # Back to the queue when who ran it has died.
    Phase.EXECUTING: frozenset({Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.QUEUED}),
    Phase.COMPLETED: frozenset(),
    Phase.ERROR: frozenset(),
    Phase.ABORTED: frozenset(),
}
OPEN_PHASES: Final = (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING)
#: How often a query may take its process with it.
MOST_STARTS: Final = 3


class QueryJobQuerySet(models.QuerySet["QueryJob"]):
    def visible_to(self, user: Any) -> QueryJobQuerySet:
        """One's own."""
        return self.filter(owner=user)

    def of(self, user: Any) -> QueryJobQuerySet:
        """One's own; of nobody those that nobody owns, which whoever knows their id may use."""
        return self.filter(owner=user if user.is_authenticated else None)

    def with_owner(self) -> QueryJobQuerySet:
        """Without what only the web may read."""
        return self.select_related("owner").defer("owner__password")

    def unfinished(self) -> QueryJobQuerySet:
        return self.filter(phase__in=OPEN_PHASES)

    def next_for_run(self) -> QueryJob | None:
        """The one that has waited longest, locked; none that another process has."""
        return self.select_for_update(skip_locked=True).filter(phase=Phase.QUEUED).order_by("queued_at", "pk").first()

    def abandoned(self) -> QueryJobQuerySet:
        """Whose process has died: nobody says any more that it runs."""
        return self.filter(phase=Phase.EXECUTING, runs_until__lt=Now())

    def for_work(self) -> QueryJobQuerySet:
        """That wait, or were left by a process that died."""
        return self.filter(Q(phase=Phase.QUEUED) | Q(phase=Phase.EXECUTING, runs_until__lt=Now()))

    def expired(self) -> QueryJobQuerySet:
        """To be removed with their results."""
        return self.filter(destroyed_at__lt=Now())


class QueryJob(UuidPrimaryKey):
    """One query in ADQL with its answer, which is a file (settings: STORAGES, results). Seconds are of the wall clock."""

    machines = {"phase": PHASE_MOVES}

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="query_jobs"
    )
    phase = models.CharField(max_length=16, choices=Phase.choices, default=Phase.PENDING, editable=False)
    query = models.TextField(blank=True)
    language = models.CharField(max_length=16, default="ADQL", blank=True)
    response_format = models.CharField(max_length=16, default="votable")
    max_rows = models.PositiveIntegerField(null=True, blank=True)
    run_id = models.CharField(max_length=64, blank=True)
    max_seconds = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    destroyed_at = models.DateTimeField(help_text="From then on it is removed.")
    runs_until = models.DateTimeField(null=True, blank=True, editable=False)
    starts = models.PositiveSmallIntegerField(default=0, editable=False)
    error_code = models.CharField(max_length=64, blank=True, editable=False)
    error = models.TextField(blank=True, editable=False)
    result = models.CharField(max_length=255, blank=True, editable=False)
    rows = models.PositiveIntegerField(null=True, blank=True, editable=False)

    objects = QueryJobQuerySet.as_manager()

    class Meta:
        verbose_name = "query job"
        db_table = "query_job"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["queued_at"], condition=Q(phase="QUEUED"), name="query_job_queue"),
            models.Index(fields=["owner", "-created_at"], name="query_job_by_owner"),
            models.Index(fields=["destroyed_at"], name="query_job_by_end"),
        ]
        constraints = [known_values("phase", Phase, "query_job_phase_known")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_over(self) -> bool:
        """However it ended."""
        return self.phase not in OPEN_PHASES


def lease(seconds: float) -> Any:
    """Until when a process says that it runs, by the database's clock."""
    return Now() + timedelta(seconds=seconds)


def one_more() -> Any:
    """Start."""
    return F("starts") + 1
