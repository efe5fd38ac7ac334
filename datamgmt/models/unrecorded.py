"""Files in a store that no row of the catalogue names, as stage 95 finds them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import F

from datamgmt.models.locations import DataLocation
from datamgmt.models.packages import RawDataPackage
from datamgmt.models.sites import LocationType

#: What is found again after so long is no work under way: two daily inventories have seen it.
SETTLED_AFTER: Final = timedelta(hours=20)


class Decision(models.TextChoices):
    """What a person wants done with an unrecorded file."""

    KEEP = "keep", "Keep"
    ADOPT = "adopt", "Record as a copy"
    REMOVE = "remove", "Remove"


class UnrecordedFileQuerySet(models.QuerySet["UnrecordedFile"]):
    def at(self, location: DataLocation) -> UnrecordedFileQuerySet:
        return self.filter(location=location)

    def settled(self) -> UnrecordedFileQuerySet:
        """Seen by two inventories with enough time between: nobody is about to record it."""
        return self.filter(seen_at__gte=F("found_at") + SETTLED_AFTER)

    def undecided(self) -> UnrecordedFileQuerySet:
        """What a person has to look at."""
        return self.settled().filter(decision="")

    def at_sources(self) -> UnrecordedFileQuerySet:
        """What nobody filed, at a SOURCE in use."""
        active = DataLocation.objects.non_polymorphic().active().of_type(LocationType.SOURCE)
        return self.filter(location__in=active.values("pk"))

    def to_do(self) -> UnrecordedFileQuerySet:
        """For which a person has decided something that was not done yet."""
        return self.filter(decision__in=(Decision.ADOPT, Decision.REMOVE))


class UnrecordedFile(models.Model):
    """One file or object in a store (Rucio: a dark file), with the size and version that the last inventory saw.

    ``raw_data_package`` is the package whose name the key has. A row goes when the file is recorded or is not there any
    more; what was done with it is in the audit log. A key that is not UTF-8 is kept with escapes, and cannot be used.
    """

    location = models.ForeignKey(DataLocation, models.CASCADE, related_name="unrecorded_files", editable=False)
    key = models.TextField(editable=False)
    key_hash = models.CharField(max_length=32, editable=False)
    size = models.BigIntegerField(editable=False)
    store_version = models.CharField(max_length=256, blank=True, editable=False)
    modified_at = models.DateTimeField(null=True, editable=False)
    raw_data_package = models.ForeignKey(RawDataPackage, models.SET_NULL, null=True, editable=False)
    found_at = models.DateTimeField(editable=False)
    seen_at = models.DateTimeField(editable=False)
    decision = models.CharField(max_length=8, choices=Decision.choices, blank=True, editable=False)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)

    objects: Any = UnrecordedFileQuerySet.as_manager()

    class Meta:
        db_table = "unrecorded_file"
        verbose_name = "unrecorded file"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["location", "key_hash"], name="unrecorded_file_unique"),
            models.CheckConstraint(
                condition=models.Q(decision__in=["", *Decision.values]), name="unrecorded_file_decision_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} at {self.location}"

    @property
    def is_settled(self) -> bool:
        return self.seen_at >= self.found_at + SETTLED_AFTER
