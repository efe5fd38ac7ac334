"""Sites, and what locations are for: the choices that rows, routes and the pipeline's table speak of."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ccatdc.common.models import name_part


class LocationType(models.TextChoices):
    """What a location is for (seeds: LocationType)."""

    SOURCE = "source", "Source"
    BUFFER = "buffer", "Buffer"
    LONG_TERM_ARCHIVE = "long_term_archive", "Long-term archive"
    PROCESSING = "processing", "Processing"


class StorageType(models.TextChoices):
    """Storage technology (seeds: StorageType)."""

    DISK = "disk", "Disk"
    S3 = "s3", "S3"
    TAPE = "tape", "Tape"


class DeletionMode(models.TextChoices):
    """Whether copies without a reason to keep go by themselves."""

    AUTOMATIC = "automatic", "Automatic"
    APPROVAL = "approval", "After an operator's approval"
    OFF = "off", "Never"


#: Days that a copy stays after its package is archived, where the location says nothing.
DEFAULT_RETENTION_DAYS: dict[str, float] = {
    LocationType.SOURCE: 30,
    LocationType.BUFFER: 7,
    LocationType.PROCESSING: 0,  # staged data lives as long as its jobs (StagingJob.expires_at)
}


class MayBeOff(models.Model):
    """What is switched off says by whom, why, and when it is switched on again by itself (None: by a person).

    The name is a text: it outlives the account, and a gateway's copy has no accounts.
    """

    off_until = models.DateTimeField(null=True, blank=True, editable=False)
    off_reason = models.CharField(max_length=200, blank=True, editable=False)
    off_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def off_words(self) -> str:
        """``switched off by kim until 2026-11-28 12:00 UTC: new disks``; of something that is off."""
        by = f" by {self.off_by}" if self.off_by else ""
        until = f" until {self.off_until:%Y-%m-%d %H:%M} UTC" if self.off_until is not None else ""
        return f"switched off{by}{until}" + (f": {self.off_reason}" if self.off_reason else "")


class Site(MayBeOff):
    """A place with data-center infrastructure. Degrees east-positive."""

    name = models.CharField(max_length=128, unique=True)
    short_name = models.CharField(max_length=32, unique=True, validators=[name_part])
    location = models.CharField(max_length=128, blank=True, help_text="Where on Earth, as text.")
    timezone = models.CharField(max_length=64, default="UTC")
    lon_deg = models.FloatField(null=True, blank=True)
    lat_deg = models.FloatField(null=True, blank=True)
    active = models.BooleanField(default=True)

    class Meta:
        db_table = "site"
        ordering = ["short_name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(lon_deg__isnull=True, lat_deg__isnull=True)
                | Q(lon_deg__isnull=False, lat_deg__isnull=False, lon_deg__range=(-180, 180), lat_deg__range=(-90, 90)),
                name="site_place_on_earth",
            )
        ]

    def __str__(self) -> str:
        return self.name
