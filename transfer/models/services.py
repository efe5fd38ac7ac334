"""The pulse of managers and workers: who is alive, who stopped, who has fallen silent."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

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
