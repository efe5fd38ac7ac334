"""Data streams: what an instrument module writes without regard to observations, such as detector timestreams of a whole
night and housekeeping.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q

from ccatdc.common.path_patterns import path_patterns
from observatory.models.hierarchy import InstrumentModule


class DataStreamQuerySet(models.QuerySet["DataStream"]):
    def that_claim_files(self) -> DataStreamQuerySet:
        """In use, with patterns of files that are theirs although nobody filed them."""
        return self.filter(active=True).exclude(unrecorded_paths="").select_related("instrument_module__instrument")


class DataStream(models.Model):
    """A stream of files of one module. Its files belong to the observations that they overlap in time.

    ``package_seconds``: a package holds files of so long a time, and is closed when its first file was filed so long
    ago. ``settle_seconds``: for how long files may come late. ``of_telescope``: it belongs to the observations of all
    instruments of the telescope (pointing, weather). ``is_public``: everybody who may read data may read it, whatever
    was observed meanwhile (housekeeping). Lower priorities are sooner, as for obs units.
    """

    instrument_module = models.ForeignKey(InstrumentModule, models.PROTECT, related_name="data_streams")
    name = models.SlugField(max_length=64, help_text="Part of the names of its packages.")
    description = models.CharField(max_length=255, blank=True)
    active = models.BooleanField(default=True, help_text="Whether files of it are accepted.")
    of_telescope = models.BooleanField(
        default=False, help_text="It belongs to the observations of all instruments of the telescope."
    )
    is_public = models.BooleanField(
        default=False, help_text="Everybody who may read data may read it, whatever was observed meanwhile."
    )
    package_seconds = models.PositiveIntegerField(
        default=3600, help_text="A package holds files of at most so long a time, and is made after it."
    )
    settle_seconds = models.PositiveIntegerField(
        default=60, help_text="How long files may come late, after the last one or the end of their observation."
    )
    priority = models.SmallIntegerField(default=5, help_text="Lower is sooner.")
    unrecorded_paths = models.TextField(
        blank=True,
        validators=[path_patterns],
        help_text="Files at a SOURCE that nobody filed are filed as this stream's: a pattern of paths on a line."
        " A * stands for any characters, also /.",
    )

    objects: Any = DataStreamQuerySet.as_manager()

    class Meta:
        db_table = "data_stream"
        ordering = ["instrument_module", "name"]
        constraints = [
            models.UniqueConstraint(fields=["instrument_module", "name"], name="data_stream_name_unique"),
            models.CheckConstraint(
                condition=Q(package_seconds__gte=60, package_seconds__lte=604_800), name="data_stream_package_seconds"
            ),
            models.CheckConstraint(condition=Q(settle_seconds__lte=604_800), name="data_stream_settle_seconds"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_module} {self.name}"

    @property
    def package_span(self) -> timedelta:
        return timedelta(seconds=self.package_seconds)

    @property
    def settle_time(self) -> timedelta:
        return timedelta(seconds=self.settle_seconds)
