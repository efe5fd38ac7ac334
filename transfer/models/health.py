"""The pulse of managers and workers, and the circuit breakers: who has fallen silent, and where work is held back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from ccatdc.common.states import known_values
from datamgmt.models import DataLocation
from transfer.pipeline import OperationType

#: Seconds between two beats, and after how many a service counts as silent: who is frozen is named within a minute. The
#: seeds have 30 s and 90 s.
BEAT_SECONDS = 15
TTL_SECONDS = 45


class ServiceHeartbeatQuerySet(models.QuerySet["ServiceHeartbeat"]):
    def alive(self) -> ServiceHeartbeatQuerySet:
        """Heard within their time to live, and not stopped."""
        return self.filter(stopped_at__isnull=True, last_seen__gte=Now() - F("ttl_seconds") * timedelta(seconds=1))

    def silent(self) -> ServiceHeartbeatQuerySet:
        """Not stopped, yet not heard: dead or cut off."""
        return self.filter(stopped_at__isnull=True, last_seen__lt=Now() - F("ttl_seconds") * timedelta(seconds=1))


class ServiceHeartbeat(models.Model):
    """One service: ``run_managers``, ``run_notifications``, the worker of a location, or the gateway of a site.

    ``waiting`` lists what its last pass could not do and why: the portal shows it as "waits for".
    """

    service_type = models.CharField(
        max_length=32,
        choices=[
            ("managers", "Managers"),
            ("manager", "Manager"),
            ("location", "Location"),
            ("gateway", "Gateway"),
            ("notifications", "Notifications"),
        ],
    )
    name = models.CharField(max_length=128)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    last_seen = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)
    ttl_seconds = models.PositiveIntegerField(default=TTL_SECONDS)
    clock_offset = models.DurationField(null=True, blank=True, help_text="Its clock minus that of the database.")
    waiting = models.JSONField(default=list, blank=True)

    objects = ServiceHeartbeatQuerySet.as_manager()

    class Meta:
        verbose_name = "service"
        db_table = "service_heartbeat"
        ordering = ["service_type", "name"]
        constraints = [
            models.UniqueConstraint(fields=["service_type", "name"], name="heartbeat_of_service_unique"),
            models.CheckConstraint(condition=Q(ttl_seconds__gt=0), name="heartbeat_ttl_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.service_type} {self.name}"

    @property
    def is_silent(self) -> bool:
        """Not stopped, yet not heard (by the clock of this process)."""
        ttl = timedelta(seconds=self.ttl_seconds)
        return self.stopped_at is None and timezone.now() - self.last_seen > ttl


def needed_by(operation: Any) -> Q:
    """The breakers of all places that an operation needs, as a condition on breakers."""
    location, writes_to = operation.location_id, operation.writes_to_id
    whole = Q(scope=BreakerScope.LOCATION, location_id=location)
    writing = Q(scope__in=(BreakerScope.LOCATION, BreakerScope.WRITES), location_id=writes_to)
    link = Q(scope=BreakerScope.LINK, location_id=location, destination_id=writes_to)
    return whole | writing | link


class CircuitBreakerQuerySet(models.QuerySet["CircuitBreaker"]):
    def open(self) -> CircuitBreakerQuerySet:
        """Holding work back, or about to try with one operation."""
        return self.filter(opened_at__isnull=False)

    def blocking(self) -> CircuitBreakerQuerySet:
        """Open, and the next trial is not due yet: nothing that they hold back starts."""
        return self.open().filter(next_trial_at__gt=Now())

    def against_writing(self, locations: Iterable[DataLocation]) -> set[int]:
        """Of these locations the keys of those where writing is held back."""
        scopes = (BreakerScope.LOCATION, BreakerScope.WRITES)
        return set(self.filter(scope__in=scopes, location__in=list(locations)).values_list("location_id", flat=True))

    def with_places(self) -> CircuitBreakerQuerySet:
        """With what their names are made of."""
        return self.select_related("location__site", "destination__site")

    def holding(self, operation: Any) -> CircuitBreakerQuerySet:
        """Those that hold back an operation; ``operation`` has ``location_id``, ``writes_to_id`` and ``waits_for_id``
        as values or as OuterRefs.
        """
        return self.filter(needed_by(operation) | Q(pk=operation.waits_for_id))


class BreakerScope(models.TextChoices):
    """What a breaker holds back: all work at a location, what writes there, or transfers over one link."""

    LOCATION = "location", "All work"
    WRITES = "writes", "Writing"
    LINK = "link", "Transfers"


class CircuitBreaker(models.Model):
    """How a place fares: a location, writing there, or the link from one location to another. Opens after failures in a
    row that are the place's (ccatdc/common/error_codes.yaml), see transfer/engine/circuit_breaker.py.

    While ``opened_at`` is set nothing that it holds back starts until ``next_trial_at``, then one operation at a time,
    until one succeeds. Each trial that fails doubles ``open_seconds``. ``last_success_at``: when work there last
    succeeded.
    """

    scope = models.CharField(max_length=16, choices=BreakerScope.choices)
    location = models.ForeignKey(DataLocation, models.PROTECT, related_name="circuit_breakers")
    destination = models.ForeignKey(DataLocation, models.PROTECT, related_name="+", null=True, blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    opened_at = models.DateTimeField(null=True, blank=True)
    next_trial_at = models.DateTimeField(null=True, blank=True)
    open_seconds = models.FloatField(default=0)
    last_success_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)

    objects = CircuitBreakerQuerySet.as_manager()

    class Meta:
        db_table = "circuit_breaker"
        ordering = ["location", "scope", "destination"]
        constraints = [
            models.UniqueConstraint(
                fields=["location", "scope", "destination"], name="circuit_breaker_unique", nulls_distinct=False
            ),
            known_values("scope", BreakerScope, "circuit_breaker_scope_known"),
            models.CheckConstraint(
                condition=Q(scope=BreakerScope.LINK) ^ Q(destination__isnull=True),
                name="circuit_breaker_link_has_destination",
            ),
            models.CheckConstraint(
                condition=Q(opened_at__isnull=True) | Q(next_trial_at__isnull=False),
                name="circuit_breaker_open_has_trial",
            ),
        ]

    def __str__(self) -> str:
        if self.destination is not None:
            return f"The link from {self.location} to {self.destination}"
        return f"{self.get_scope_display()} at {self.location}"

    def holds(self, operation: Any) -> bool:
        """Whether it holds this operation back: :meth:`involved` for a row that was read already."""
        if operation.operation_type == OperationType.MONITORING:
            return False
        here = operation.location_id == self.location_id
        there = operation.writes_to_id == self.location_id
        if self.scope == BreakerScope.LINK:
            work = here and operation.writes_to_id == self.destination_id
        else:
            work = there if self.scope == BreakerScope.WRITES else here or there
        return bool(work or operation.waits_for_id == self.pk)

    def involved(self) -> Q:
        """The operations that it holds back, as a condition on operations. Checks of the location are none: they look."""
        here = Q(location_id=self.location_id)
        there = Q(writes_to_id=self.location_id)
        if self.scope == BreakerScope.LINK:
            work = here & Q(writes_to_id=self.destination_id)
        else:
            work = there if self.scope == BreakerScope.WRITES else here | there
        return (work | Q(waits_for_id=self.pk)) & ~Q(operation_type=OperationType.MONITORING)
