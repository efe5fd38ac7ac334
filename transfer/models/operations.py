"""The operation: one row for one piece of work at one location. The row decides; the queue only wakes.

Children (transfer/models/work.py) add what their kind of work needs. Status, attempts and lease live here, in the base
table, so that a claim is one conditional UPDATE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from polymorphic.managers import PolymorphicManager
from polymorphic.models import PolymorphicModel
from polymorphic.query import PolymorphicQuerySet

from ccatdc.common.states import OPEN_STATUSES, STATUS_MOVES, Status, known_values
from datamgmt.models import DataLocation, RawDataPackage
from datamgmt.states import PackageState
from transfer.models.health import CircuitBreaker
from transfer.pipeline import OperationType

#: Failures after which an operation is FAILED although a retry might help.
DEFAULT_MAX_ATTEMPTS = 5
#: Leases lost in a row without progress after which an operation waits much longer: it may be what kills the workers.
MAX_LOST_LEASES = 8
#: Error code of what a person cancelled.
CANCELLED = "operation.cancelled"
OPEN_OPERATION = Q(status__in=OPEN_STATUSES)


@dataclass(frozen=True)
class _Outer:
    """The columns of an operation by which a breaker knows it, from inside a sub-query."""

    location_id: OuterRef
    writes_to_id: OuterRef
    waits_for_id: OuterRef


def not_held_back() -> Q:
    """No circuit breaker stops it. A check of a location is never held back: it is how one looks whether a place is
    well.

    A sub-query that looks at another table only: a condition that joins would become ``id IN (SELECT …)``, whose answer
    a second worker may take from before the first one's claim; then both would win.
    """
    columns = _Outer(OuterRef("location_id"), OuterRef("writes_to_id"), OuterRef("waits_for_id"))
    blocked = CircuitBreaker.objects.blocking().holding(columns)
    return Q(operation_type=OperationType.MONITORING) | Q(~Exists(blocked))


class OperationQuerySet(PolymorphicQuerySet[Any]):
    def visible_to(self, user: Any) -> OperationQuerySet:
        """On one package that the person may see. Bundles and batches mix programs: they are for operators."""
        packages = RawDataPackage.objects.order_by().visible_to(user).values("pk")
        seen = Q(pk__in=[])
        for kind in Operation.__subclasses__():
            if any(field.name == "raw_data_package" for field in kind._meta.local_fields):
                rows: Any = kind._default_manager.non_polymorphic().order_by()
                seen |= Q(pk__in=rows.filter(raw_data_package__in=packages).values("pk"))
        return self.filter(seen)

    def open(self) -> OperationQuerySet:
        return self.filter(OPEN_OPERATION)

    def failed(self) -> OperationQuerySet:
        """Over, and a person is needed."""
        return self.filter(status=Status.FAILED)

    def failed_unseen(self) -> OperationQuerySet:
        """Failed and not acknowledged since; what a person cancelled needs no attention."""
        unseen = Q(acknowledged_at__isnull=True) | Q(acknowledged_at__lt=F("finished_at"))
        return self.failed().filter(unseen, retry_requested_at=None).exclude(error_code=CANCELLED)

    def to_retry(self) -> OperationQuerySet:
        """Failed, and somebody asked for a retry: the oldest request first."""
        return self.failed().filter(retry_requested_at__isnull=False).order_by("retry_requested_at", "pk")

    def same_cause(self, operation: Operation) -> OperationQuerySet:
        """Failed for the same reason at the same place, this one included."""
        return self.failed_work().filter(location=operation.location_id, error_code=operation.error_code)

    def failed_work(self) -> OperationQuerySet:
        """What a person has to look at. What checks of locations find is told by the location itself."""
        return self.failed_unseen().exclude(operation_type=OperationType.MONITORING)

    def paused(self) -> OperationQuerySet:
        """Not over, but stopped until a person lets them go on."""
        return self.open().filter(paused_at__isnull=False)

    def due(self) -> OperationQuerySet:
        """May be given to a worker now: pending, its wait over, its location in use, no breaker in the way."""
        return self.filter(
            not_held_back(),
            status=Status.PENDING,
            run_after__lte=Now(),
            location__active=True,
            location__site__active=True,
        ).order_by("priority", "run_after", "id")

    def lease_expired(self) -> OperationQuerySet:
        """Held by a worker that has not renewed its lease: dead, frozen or cut off."""
        return self.filter(status=Status.IN_PROGRESS, lease_until__lt=Now())

    def scheduled_long_ago(self, seconds: float) -> OperationQuerySet:
        """Scheduled, but nobody came; their message may be lost."""
        return self.filter(status=Status.SCHEDULED, scheduled_at__lt=Now() - timedelta(seconds=seconds))

    def of_types(self, *operation_types: str) -> OperationQuerySet:
        return self.filter(operation_type__in=operation_types)

    def at(self, location: DataLocation) -> OperationQuerySet:
        return self.filter(location=location)

    def with_problems(self) -> OperationQuerySet:
        """Done, but something was set aside on the way."""
        return self.exclude(problems=[])


class OperationManager(PolymorphicManager.from_queryset(OperationQuerySet)):  # type: ignore[misc]
    """Operations as their own kind."""


class Operation(PolymorphicModel):
    """One piece of work.

    ``attempts`` counts failures that may be the work's own, ``failures`` all of them, ``lost_leases`` workers that died
    in a row without progress, ``claims`` every start: the fencing number, and part of every name that the operation
    writes. ``writes_to`` is where it leaves bytes (None: it only reads or deletes), ``waits_for`` the circuit breaker
    of the place for which it failed last. ``subject`` is what it is about, as text: at most one open operation of a
    kind on a subject. ``problems`` lists what was set aside though the operation went on. ``acknowledged_at`` is when
    somebody acknowledged its failure without a retry; ``retry_requested_at`` when somebody asked for one of it among many.
    """

    OPERATION_TYPE: ClassVar[str] = ""
    #: Foreign key and field that repeat this operation's status (RawDataPackage.status and the like).
    mirror: ClassVar[tuple[str, str] | None] = None
    #: State of its packages while it is open (transfer/engine/status_propagation.py).
    state_on_the_way: ClassVar[str] = PackageState.TRANSFERRING
    machines = {"status": STATUS_MOVES}

    operation_type = models.CharField(max_length=40, choices=OperationType.choices, editable=False)
    subject = models.CharField(max_length=255, editable=False)
    location = models.ForeignKey(DataLocation, models.PROTECT, related_name="operations", db_index=False)
    writes_to = models.ForeignKey(
        DataLocation, models.PROTECT, related_name="+", null=True, editable=False, db_index=False
    )
    waits_for = models.ForeignKey(
        "transfer.CircuitBreaker", models.SET_NULL, related_name="waiting", null=True, editable=False
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING, editable=False)
    priority = models.SmallIntegerField(default=5, help_text="Lower is sooner.")
    attempts = models.PositiveIntegerField(default=0, editable=False)
    max_attempts = models.PositiveIntegerField(default=DEFAULT_MAX_ATTEMPTS)
    failures = models.PositiveIntegerField(default=0, editable=False)
    failed_at = models.DateTimeField(null=True, blank=True, editable=False)
    lost_leases = models.PositiveIntegerField(default=0, editable=False)
    claims = models.PositiveIntegerField(default=0, editable=False)
    owner = models.CharField(max_length=80, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    run_after = models.DateTimeField(db_default=Now(), editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    retry_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    acknowledged_at = models.DateTimeField(null=True, blank=True, editable=False)

    error_code = models.CharField(max_length=64, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    problems = models.JSONField(default=list, blank=True, editable=False)
    log_path = models.CharField(max_length=1024, blank=True, editable=False)
    progress_bytes = models.BigIntegerField(default=0, editable=False)
    total_bytes = models.BigIntegerField(null=True, blank=True, editable=False)
    progress_at = models.DateTimeField(null=True, blank=True, editable=False)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    scheduled_at = models.DateTimeField(null=True, blank=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[OperationManager] = OperationManager()

    class Meta:
        db_table = "operation"
        ordering = ["-created_at"]
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["operation_type", "subject"], condition=OPEN_OPERATION, name="operation_one_open_per_subject"
            ),
            known_values("status", Status, "operation_status_known"),
            known_values("operation_type", OperationType, "operation_type_known"),
            models.CheckConstraint(
                condition=~Q(status=Status.IN_PROGRESS) | (Q(lease_until__isnull=False) & ~Q(owner="")),
                name="operation_in_progress_has_lease",
            ),
        ]
        indexes = [
            # dispatch: what is due; few rows of many.
            models.Index(fields=["priority", "run_after"], condition=Q(status="pending"), name="operation_pending"),
            # watchdog: expired leases and lost messages.
            models.Index(
                fields=["status", "lease_until"],
                condition=Q(status__in=["scheduled", "in_progress"]),
                name="operation_held",
            ),
            models.Index(fields=["location", "operation_type", "status"], name="operation_by_place"),
            models.Index(fields=["-created_at"], name="operation_by_creation"),
            models.Index(fields=["-finished_at"], condition=Q(status="failed"), name="operation_failed"),
            models.Index(
                fields=["retry_requested_at"],
                condition=Q(status="failed", retry_requested_at__isnull=False),
                name="operation_to_retry",
            ),
            # Totals of work: what ended, and what failed, since a moment.
            models.Index(fields=["finished_at"], condition=Q(status="completed"), name="operation_completed"),
            models.Index(fields=["failed_at"], condition=Q(failed_at__isnull=False), name="operation_failed_at"),
            # The portal's lists, newest first: at a place, of a kind, with something set aside; and the search for an
            # error.
            models.Index(fields=["location", "-created_at"], name="operation_at_place"),
            models.Index(fields=["operation_type", "-created_at"], name="operation_of_kind"),
            models.Index(fields=["-created_at"], condition=~Q(problems=[]), name="operation_with_problems"),
            models.Index(fields=["error_code", "-created_at"], condition=~Q(error_code=""), name="operation_by_error"),
        ]

    def __str__(self) -> str:
        return f"{self.get_operation_type_display()} {self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep kind and subject in step with the class."""
        self.operation_type = self.OPERATION_TYPE
        self.subject = self.make_subject()
        self.writes_to_id = self.where_it_writes()
        super().save(*args, **kwargs)

    def where_it_writes(self) -> int | None:
        """The key of the location where it leaves bytes. Children that have a destination say it."""
        return self.location_id

    def make_subject(self) -> str:
        """What the operation is about; two open operations of a kind never share it. Children say."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it is about.")

    @property
    def attempt_name(self) -> str:
        """Unique to this claim of this operation: part of every name that it writes, so that a name is used once."""
        return f"{self.pk}-{self.claims}"

    def earlier_attempt_names(self) -> list[str]:
        """The names of earlier claims: what they left behind belongs to this operation, which may remove it."""
        return [f"{self.pk}-{claim}" for claim in range(1, self.claims)]

    @property
    def is_stalled(self) -> bool:
        """In progress, but no byte has moved for twice the lease."""
        if self.status != Status.IN_PROGRESS:
            return False
        last = self.progress_at or self.started_at or self.created_at
        return timezone.now() - last > timedelta(seconds=2 * settings.LEASE_SECONDS)

    def packages(self) -> models.QuerySet[RawDataPackage]:
        """The packages whose way to the archive depends on this operation; none unless a child says so."""
        return RawDataPackage.objects.none()

    def after_transition(self, _field: str, to: str) -> None:
        """In the transaction of the change: repeat the status where the data model has it, and tell the packages."""
        for propagate in _AFTER_TRANSITION:
            propagate(self, to)


#: What follows a change of an operation's status, in its transaction (registered by transfer/apps.py).
_AFTER_TRANSITION: list[Callable[[Operation, str], None]] = []


def after_transition(propagate: Callable[[Operation, str], None]) -> None:
    """Have ``propagate(operation, new status)`` run in the transaction of every change of a status."""
    if propagate not in _AFTER_TRANSITION:
        _AFTER_TRANSITION.append(propagate)
