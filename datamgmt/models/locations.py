"""Data locations: where data may be, and what an operator decides about each place.

A location is polymorphic in its storage technology (disk, S3, tape); its type says what it is for. The name
``{site}_{location}`` names its worker, its queues and its credentials.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from polymorphic.managers import PolymorphicManager, PolymorphicQuerySet
from polymorphic.models import PolymorphicModel

from ccatdc.common.models import name_part
from ccatdc.common.path_patterns import matcher, path_patterns
from ccatdc.common.states import known_values
from datamgmt.models.sites import DEFAULT_RETENTION_DAYS, DeletionMode, LocationType, MayBeOff, Site, StorageType
from observatory.models import Instrument

#: PostgreSQL cuts identifiers (a LISTEN channel, say) at 63 bytes.
FULL_NAME_LENGTH = 63
#: Columns that checks, registration and inventories write; nobody decides them.
MEASURED: Final = (
    "registered_at",
    "capacity_bytes",
    "used_bytes",
    "capacity_files",
    "used_files",
    "fill_bytes_per_s",
    "certificate_expires_at",
    "checked_at",
    "check_error",
    "inventory_at",
)
#: Over so long the speed is averaged at which a location fills: a burst of an hour is no trend.
FILL_AVERAGED_OVER: Final = timedelta(hours=6)


class DataLocationQuerySet(PolymorphicQuerySet[Any]):
    def active(self) -> DataLocationQuerySet:
        """In use, at a site in use."""
        return self.filter(active=True, site__active=True)

    def registered(self) -> DataLocationQuerySet:
        """Marked as what they are: before that, nothing may be written there."""
        return self.filter(registered_at__isnull=False)

    def of_type(self, *location_types: str) -> DataLocationQuerySet:
        return self.filter(location_type__in=location_types)

    def at_site(self, site: Site) -> DataLocationQuerySet:
        return self.filter(site=site)

    def by_priority(self) -> DataLocationQuerySet:
        """The first to use first; ties by id, so that every process chooses the same."""
        return self.order_by("priority", "id")

    def with_site(self) -> DataLocationQuerySet:
        """With what its full name needs."""
        return self.select_related("site")

    def named(self, full_name: str) -> DataLocationQuerySet:
        """The location ``{site}_{location}``; both parts may hold underscores. None has a longer name than a queue can."""
        wanted = Q(pk__in=[])
        if len(full_name) > FULL_NAME_LENGTH:
            return self.filter(wanted)
        parts = full_name.split("_")
        for cut in range(1, len(parts)):
            wanted |= Q(site__short_name="_".join(parts[:cut]), name="_".join(parts[cut:]))
        return self.filter(wanted)

    def with_full_name(self) -> DataLocationQuerySet:
        """With ``called``, the full name, for a search in the database."""
        named: DataLocationQuerySet = self.alias(called=Concat("site__short_name", Value("_"), "name"))
        return named

    def due_for_check(self, now: datetime) -> DataLocationQuerySet:
        """Registered locations whose last check is older than their interval."""
        interval = F("check_interval_seconds") * timedelta(seconds=1)
        return self.registered().filter(Q(checked_at__isnull=True) | Q(checked_at__lte=now - interval))

    def due_for_inventory(self, now: datetime) -> DataLocationQuerySet:
        """Registered locations that were not compared with the catalogue within their interval."""
        interval = F("inventory_hours") * timedelta(hours=1)
        due = Q(inventory_at__isnull=True, registered_at__lte=now - interval) | Q(inventory_at__lte=now - interval)
        return self.registered().filter(due, inventory_hours__gt=0)


class DataLocationManager(PolymorphicManager.from_queryset(DataLocationQuerySet)):  # type: ignore[misc]
    """Locations as their own kind (disk, S3, tape)."""


class DataLocation(MayBeOff, PolymorphicModel):
    """A storage system at a site. Lower priority numbers are used first; inactive ones are left alone.

    Sizes in bytes. ``uuid`` is what the location's marker holds: it proves that the disk or bucket is this one.
    """

    STORAGE_TYPE: ClassVar[str] = ""
    #: Dotted path of the class that reaches the bytes; see datamgmt/storage.
    storage: ClassVar[str] = ""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    site = models.ForeignKey(Site, models.PROTECT, related_name="data_locations")
    name = models.CharField(max_length=64, validators=[name_part])
    location_type = models.CharField(max_length=32, choices=LocationType.choices)
    storage_type = models.CharField(max_length=16, choices=StorageType.choices, editable=False)
    instrument = models.ForeignKey(
        Instrument,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="data_locations",
        help_text="For a SOURCE: whose data it holds.",
    )
    priority = models.SmallIntegerField(default=1, help_text="Lower is used first.")
    active = models.BooleanField(default=True, help_text="Off: no new work here.")

    settle_seconds = models.PositiveIntegerField(
        default=60, help_text="SOURCE: wait this long after an observation finished."
    )
    bundle_max_bytes = models.BigIntegerField(
        default=100_000_000_000, help_text="BUFFER: a bundle is closed at this size."
    )
    bundle_max_age_seconds = models.PositiveIntegerField(
        default=6 * 3600, help_text="BUFFER: or when its oldest package has waited this long."
    )
    retention_days = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Days that a copy stays after its package was archived. Empty: 30 at a SOURCE, 7 in a BUFFER.",
    )
    deletion_mode = models.CharField(max_length=16, choices=DeletionMode.choices, default=DeletionMode.AUTOMATIC)
    min_archive_copies = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="Verified archive copies that must exist before a copy here may go.",
    )
    evidence_max_age_days = models.FloatField(
        default=180,
        validators=[MinValueValidator(0)],
        help_text="An archive copy verified longer ago does not count as evidence.",
    )
    last_copy_read_hours = models.FloatField(
        default=24,
        validators=[MinValueValidator(0)],
        help_text="Before the last copy outside the archives goes, an archive copy must have been read in full within so many"
        " hours. Copies in archives of two sites count as long as their scrub period.",
    )
    scrub_days = models.FloatField(
        default=90,
        validators=[MinValueValidator(0)],
        help_text="Every package copy here is read in full once in so many days. 0: never, unless somebody needs it.",
    )
    scrub_mb_per_s = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001)],
        help_text="Megabytes a second that reading for this may take. Empty: as fast as it goes.",
    )
    inventory_hours = models.FloatField(
        default=24,
        validators=[MinValueValidator(0)],
        help_text="What is stored here is listed and compared with the catalogue once in so many hours. 0: never.",
    )
    ignored_paths = models.TextField(
        blank=True,
        validators=[path_patterns],
        help_text="Unrecorded files that are nobody's concern, a pattern on a line: *.tmp, scratch/*. A * stands for any"
        " characters, also /.",
    )
    warning_pct = models.FloatField(default=70, validators=[MaxValueValidator(100)])
    critical_pct = models.FloatField(
        default=85,
        validators=[MaxValueValidator(100)],
        help_text="Above this, retention is cut short (verification never is).",
    )
    emergency_pct = models.FloatField(
        default=95, validators=[MaxValueValidator(100)], help_text="Above this, nothing new is written here."
    )
    check_interval_seconds = models.PositiveIntegerField(
        default=10, help_text="A store that does not answer is named within this and 20 seconds."
    )

    registered_at = models.DateTimeField(null=True, blank=True, editable=False)
    capacity_bytes = models.BigIntegerField(null=True, blank=True, editable=False)
    used_bytes = models.BigIntegerField(null=True, blank=True, editable=False)
    capacity_files = models.BigIntegerField(null=True, blank=True, editable=False)
    used_files = models.BigIntegerField(null=True, blank=True, editable=False)
    fill_bytes_per_s = models.FloatField(null=True, blank=True, editable=False)
    certificate_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_error = models.TextField(blank=True, editable=False)
    inventory_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[DataLocationManager] = DataLocationManager()

    class Meta:
        verbose_name = "location"
        db_table = "data_location"
        ordering = ["site__short_name", "location_type", "priority", "name"]
        base_manager_name = "objects"
        indexes = [models.Index(fields=["site", "location_type", "active", "priority"], name="location_by_purpose")]
        constraints = [
            models.UniqueConstraint(fields=["site", "name"], name="location_name_unique"),
            known_values("location_type", LocationType, "location_type_known"),
            known_values("storage_type", StorageType, "location_storage_type_known"),
            known_values("deletion_mode", DeletionMode, "location_deletion_mode_known"),
            models.CheckConstraint(
                condition=Q(warning_pct__lte=F("critical_pct")) & Q(critical_pct__lte=F("emergency_pct")),
                name="location_thresholds_order",
            ),
            models.CheckConstraint(condition=Q(min_archive_copies__gte=1), name="location_min_archive_copies"),
            models.CheckConstraint(
                condition=Q(warning_pct__gte=0, emergency_pct__lte=100), name="location_thresholds_range"
            ),
            models.CheckConstraint(
                condition=(Q(retention_days__isnull=True) | Q(retention_days__gte=0))
                & Q(evidence_max_age_days__gte=0)
                & Q(last_copy_read_hours__gte=0)
                & Q(scrub_days__gte=0)
                & Q(inventory_hours__gte=0)
                & (Q(scrub_mb_per_s__isnull=True) | Q(scrub_mb_per_s__gt=0)),
                name="location_days_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def why_off(self) -> str:
        """Why nothing new is done here: it or its site is off. Empty while both are on."""
        if not self.active:
            return self.off_words
        return "" if self.site.active else f"at {self.site.short_name}, a site that is {self.site.off_words}"

    @property
    def full_name(self) -> str:
        """``{site}_{name}``: the name of its worker and the beginning of its queues' names."""
        return f"{self.site.short_name}_{self.name}"

    @property
    def effective_retention_days(self) -> float:
        """The row's retention, or the default of its type."""
        if self.retention_days is not None:
            return self.retention_days
        return DEFAULT_RETENTION_DAYS.get(self.location_type, 0)

    @property
    def used_pct(self) -> float | None:
        """Percent of the capacity in use at the last check, of bytes or of inodes, whichever is scarcer. None where the
        technology tells no capacity.
        """
        parts = ((self.used_bytes, self.capacity_bytes), (self.used_files, self.capacity_files))
        known = [100 * used / capacity for used, capacity in parts if capacity and used is not None]
        return max(known, default=None)

    @property
    def under_pressure(self) -> bool:
        """Whether the last check found it above its critical threshold."""
        return self.used_pct is not None and self.used_pct >= self.critical_pct

    @property
    def is_full(self) -> bool:
        """Whether the last check found it above its emergency threshold: nothing new is written."""
        return self.used_pct is not None and self.used_pct >= self.emergency_pct

    def fill_speed(self, used_bytes: int, at: datetime) -> float:
        """Bytes a second by which it fills (negative: it empties), averaged over FILL_AVERAGED_OVER, after a check that
        found ``used_bytes`` in use.
        """
        before = self.fill_bytes_per_s or 0.0
        if self.used_bytes is None or self.checked_at is None or at <= self.checked_at:
            return before
        seconds = (at - self.checked_at).total_seconds()
        weight = 1 - math.exp(-seconds / FILL_AVERAGED_OVER.total_seconds())
        return before + weight * ((used_bytes - self.used_bytes) / seconds - before)

    def ignores(self) -> Callable[[str], bool]:
        """Whether an unrecorded file of this key is nobody's concern."""
        return matcher(self.ignored_paths)

    @property
    def full_at(self) -> datetime | None:
        """When nothing new will be written there any more if it goes on like this; None where it does not fill."""
        if not self.capacity_bytes or self.used_bytes is None or not self.fill_bytes_per_s or self.checked_at is None:
            return None
        left = self.capacity_bytes * self.emergency_pct / 100 - self.used_bytes
        seconds = max(0.0, left) / self.fill_bytes_per_s
        return (
            self.checked_at + timedelta(seconds=seconds)
            if 0 <= seconds < timedelta(days=3650).total_seconds()
            else None
        )

    def frozen_fields(self) -> dict[str, Any]:
        """What may not change while copies exist: it would point the rows at other bytes."""
        return {"site_id": self.site_id, "name": self.name, "location_type": self.location_type}

    def clean(self) -> None:
        """Names short enough for a queue; nothing that copies depend on is edited under them."""
        if self.site_id and len(self.full_name) > FULL_NAME_LENGTH:
            raise ValidationError({"name": f"{self.full_name} has more than {FULL_NAME_LENGTH} characters."})
        if self.pk is None:
            return
        stored = DataLocation.objects.get(pk=self.pk)
        changed = sorted(
            name.removesuffix("_id")
            for name, value in self.frozen_fields().items()
            if stored.frozen_fields().get(name) != value
        )
        if changed and stored.copies.existing().exists():
            raise ValidationError(
                f"{stored.full_name} holds copies: {', '.join(changed)} cannot be changed. "
                "Make a new location and switch this one off."
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the discriminator in step with the class."""
        self.storage_type = self.STORAGE_TYPE
        super().save(*args, **kwargs)
