"""The pulse of managers and workers, and the circuit breakers: who has fallen silent, and where work is held back."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from ccatdc.common.states import known_values
from datamgmt.models import DataLocation
from transfer.pipeline import OperationType

#: Seconds between two beats, and after how many a service counts as silent (seeds: 30 s, TTL 90 s).
BEAT_SECONDS = 30
TTL_SECONDS = 90


class ServiceHeartbeatQuerySet(models.QuerySet["ServiceHeartbeat"]):
    """Questions about services."""

    def alive(self) -> ServiceHeartbeatQuerySet:
        """Heard within their time to live, and not stopped."""
        return self.filter(
            stopped_at__isnull=True, last_seen__gte=Now() - F("ttl_seconds") * timedelta(seconds=1)
        )

    def silent(self) -> ServiceHeartbeatQuerySet:
        """Not stopped, yet not heard: dead or cut off."""
        return self.filter(
            stopped_at__isnull=True, last_seen__lt=Now() - F("ttl_seconds") * timedelta(seconds=1)
        )


class ServiceHeartbeat(models.Model):
    """One service: ``run_managers``, or the worker of a location.

    ``waiting`` lists what its last pass could not do and why: the portal shows it as "waits for".
    """

    service_type = models.CharField(
        max_length=32,
        choices=[("managers", "Managers"), ("manager", "Manager"), ("location", "Location")],
    )
    name = models.CharField(max_length=128)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    last_seen = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)
    ttl_seconds = models.PositiveIntegerField(default=TTL_SECONDS)
    waiting = models.JSONField(default=list, blank=True)

    objects = ServiceHeartbeatQuerySet.as_manager()

    class Meta:
        db_table = "service_heartbeat"
        ordering = ["service_type", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["service_type", "name"], name="heartbeat_of_service_unique"
            ),
            models.CheckConstraint(condition=Q(ttl_seconds__gt=0), name="heartbeat_ttl_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.service_type} {self.name}"

    @property
    def is_silent(self) -> bool:
        """Not stopped, yet not heard (by the clock of this process)."""
        ttl = timedelta(seconds=self.ttl_seconds)
        return self.stopped_at is None and timezone.now() - self.last_seen > ttl


class CircuitBreakerQuerySet(models.QuerySet["CircuitBreaker"]):
    """Questions about breakers."""

    def open(self) -> CircuitBreakerQuerySet:
        """Holding work back, or about to try with one operation."""
        return self.filter(opened_at__isnull=False)

    def blocking(self) -> CircuitBreakerQuerySet:
        """Open, and the next trial is not due yet: nothing starts here."""
        return self.open().filter(next_trial_at__gt=Now())

    def of(self, location_id: int, operation_type: str) -> CircuitBreakerQuerySet:
        """That of one kind of work at one location; none before its first failure."""
        return self.filter(location_id=location_id, operation_type=operation_type)


class CircuitBreaker(models.Model):
    """How one kind of work fares at one location. Opens after several failures in a row (transfer/retries.py).

    While ``opened_at`` is set nothing starts until ``next_trial_at``, then one operation at a time, until one succeeds. Each
    trial that fails doubles ``open_seconds``.
    """

    location = models.ForeignKey(DataLocation, models.PROTECT, related_name="circuit_breakers")
    operation_type = models.CharField(max_length=40, choices=OperationType.choices)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    opened_at = models.DateTimeField(null=True, blank=True)
    next_trial_at = models.DateTimeField(null=True, blank=True)
    open_seconds = models.FloatField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)

    objects = CircuitBreakerQuerySet.as_manager()

    class Meta:
        db_table = "circuit_breaker"
        ordering = ["location", "operation_type"]
        constraints = [
            models.UniqueConstraint(
                fields=["location", "operation_type"], name="circuit_breaker_unique"
            ),
            known_values("operation_type", OperationType, "circuit_breaker_type_known"),
            models.CheckConstraint(
                condition=Q(opened_at__isnull=True) | Q(next_trial_at__isnull=False),
                name="circuit_breaker_open_has_trial",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_operation_type_display()} at {self.location}"
