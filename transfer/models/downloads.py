"""Downloads: who got how much, and who gets something now. A row for each answer that sends data; no bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from ccatdc.common.states import known_values

#: A stream whose row was not renewed for so long has ended with its process.
SILENT_AFTER: Final = timedelta(seconds=90)


class DownloadQuerySet(models.QuerySet["Download"]):
    def of(self, user: User) -> DownloadQuerySet:
        return self.filter(user=user)

    def visible_to(self, user: Any) -> DownloadQuerySet:
        """One's own."""
        return self.of(user)

    def running(self) -> DownloadQuerySet:
        """Streams that send now, in whichever process."""
        return self.filter(ended_at__isnull=True, seen_at__gt=Now() - SILENT_AFTER)

    def since(self, moment: datetime) -> DownloadQuerySet:
        return self.filter(started_at__gte=moment)

    def sent(self) -> int:
        """Bytes of all of them."""
        return int(self.aggregate(total=Sum("sent_bytes"))["total"] or 0)


class DownloadKind(models.TextChoices):
    """What is sent."""

    FILE = "file", "File"
    PACKAGE = "package", "Package"
    SELECTION = "selection", "Selection"


class DownloadOutcome(models.TextChoices):
    """How a stream ended. RUNNING stays where its process was killed."""

    RUNNING = "running", "Running"
    COMPLETE = "complete", "Complete"
    CUT = "cut", "Cut"
    DAMAGED = "damaged", "Damaged"


class Download(models.Model):
    """One answer that sends data to a person or a token. Bytes; ``seen_at`` is renewed while it sends.

    ``name`` is what was asked for, as text: the row outlives nothing and names no file that would have to stay.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="downloads")
    kind = models.CharField(max_length=16, choices=DownloadKind.choices)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField(help_text="Bytes that were asked for.")
    sent_bytes = models.BigIntegerField(default=0)
    outcome = models.CharField(max_length=16, choices=DownloadOutcome.choices, default=DownloadOutcome.RUNNING)
    error_code = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = DownloadQuerySet.as_manager()

    class Meta:
        db_table = "download"
        ordering = ["-started_at", "-pk"]
        indexes = [
            models.Index(fields=["user", "started_at"], name="download_by_user"),
            models.Index(fields=["user"], condition=Q(ended_at__isnull=True), name="download_running"),
        ]
        constraints = [
            known_values("kind", DownloadKind, "download_kind_known"),
            known_values("outcome", DownloadOutcome, "download_outcome_known"),
        ]

    def __str__(self) -> str:
        return self.name
