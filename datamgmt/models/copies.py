"""Physical copies: one row for each thing at each place, from its creation to its deletion and beyond.

One table with polymorphic proxies (design decision 3): pages and scans are one query, rows can be created in bulk. A
raw file has a row at SOURCE only; elsewhere it is where its package is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from polymorphic.managers import PolymorphicManager, PolymorphicQuerySet
from polymorphic.models import PolymorphicModel

from ccatdc.common.states import known_values
from datamgmt.models.files import RawDataFile
from datamgmt.models.locations import DataLocation
from datamgmt.models.packages import DataTransferPackage, RawDataPackage
from datamgmt.models.sites import StorageType
from datamgmt.states import (
    COPY_MOVES,
    NEEDS_ATTENTION,
    READABLE,
    USABLE,
    Integrity,
    PhysicalCopyStatus,
    VerifiedHow,
    WantedCheck,
)


class PhysicalCopyQuerySet(PolymorphicQuerySet[Any]):
    def visible_to(self, user: Any) -> PhysicalCopyQuerySet:
        """Of files and packages that the person may see. Bundles mix programs: they are for operators."""
        return self.filter(
            Q(Exists(self._subjects("raw_data_file", user))) | Q(Exists(self._subjects("raw_data_package", user)))
        )

    def _subjects(self, kind: str, user: Any) -> Any:
        rows: Any = self.model._meta.get_field(kind).related_model
        return rows.objects.order_by().visible_to(user).filter(pk=OuterRef(f"{kind}_id"))

    def existing(self) -> PhysicalCopyQuerySet:
        return self.exclude(status=PhysicalCopyStatus.DELETED)

    def readable(self) -> PhysicalCopyQuerySet:
        """Where the row says, and not on its way out."""
        return self.filter(status__in=READABLE)

    def good(self) -> PhysicalCopyQuerySet:
        return self.readable().filter(integrity=Integrity.OK)

    def usable(self) -> PhysicalCopyQuerySet:
        """Readable, and nothing is said against it: whoever reads it compares its digest."""
        return self.readable().filter(integrity__in=USABLE)

    def needing_attention(self) -> PhysicalCopyQuerySet:
        """Suspect, damaged or missing; what an operator has to look at."""
        return self.existing().filter(integrity__in=NEEDS_ATTENTION)

    def wanted(self, check: str) -> PhysicalCopyQuerySet:
        """Of which somebody waits for this check."""
        return self.filter(wanted_check=check, status__in=READABLE)

    def due_for_scrub(self, before: datetime) -> PhysicalCopyQuerySet:
        """Good package copies that nobody has read since then, the oldest evidence first."""
        return self.filter(
            type=CopyType.RAW_DATA_PACKAGE,
            status=PhysicalCopyStatus.PRESENT,
            integrity__in=USABLE,
            verified_at__lt=before,
        ).order_by("verified_at", "pk")

    def in_doubt(self, before: datetime) -> PhysicalCopyQuerySet:
        """Bad package copies of which nobody has asked since then whether they are bad still: a store may have given wrong answers."""
        packages = self.needing_attention().filter(type=CopyType.RAW_DATA_PACKAGE)
        return packages.filter(
            Q(seen_at__lt=before) | Q(seen_at__isnull=True), status=PhysicalCopyStatus.PRESENT
        ).order_by("seen_at", "pk")

    def not_seen_since(self, moment: datetime) -> PhysicalCopyQuerySet:
        """Of which a row says that they are there, and which nobody has seen since then."""
        unseen = Q(seen_at__lt=moment) | Q(seen_at__isnull=True)
        return self.usable().filter(unseen, created_at__lt=moment)

    def at(self, location: DataLocation) -> PhysicalCopyQuerySet:
        return self.filter(data_location=location)

    def at_active(self) -> PhysicalCopyQuerySet:
        """At locations in use, at sites in use: what is elsewhere cannot be read now."""
        return self.filter(data_location__active=True, data_location__site__active=True)

    def at_any(self, location_ids: Iterable[int]) -> PhysicalCopyQuerySet:
        return self.filter(data_location_id__in=list(location_ids))

    def of_type_of_location(self, location_type: str) -> PhysicalCopyQuerySet:
        return self.filter(data_location__location_type=location_type)

    def in_archives(self) -> PhysicalCopyQuerySet:
        return self.of_type_of_location("long_term_archive")

    def outside_archives(self) -> PhysicalCopyQuerySet:
        return self.exclude(data_location__location_type="long_term_archive")

    def of_package(self, package_id: Any) -> PhysicalCopyQuerySet:
        return self.filter(raw_data_package_id=package_id)

    def deletable_states(self) -> PhysicalCopyQuerySet:
        """In a state from which a deletion can be scheduled. A deletion that failed is no such state: its batch tries
        again, or an operator has it tried again.
        """
        return self.filter(
            status__in=(
                PhysicalCopyStatus.PRESENT,
                PhysicalCopyStatus.STAGED,
                PhysicalCopyStatus.DELETION_POSSIBLE,
                PhysicalCopyStatus.DELETION_PENDING,
            )
        )

    def with_subjects(self) -> PhysicalCopyQuerySet:
        """With what paths and pages need. Locations come as their own kind (disk, S3), which a join would not give."""
        subjects = self.select_related("raw_data_file", "raw_data_package", "data_transfer_package")
        return subjects.prefetch_related("data_location__site")


class PhysicalCopyManager(PolymorphicManager.from_queryset(PhysicalCopyQuerySet)):  # type: ignore[misc]
    """Copies as their own kind (file, package, bundle)."""


class CopyType(models.TextChoices):
    """Discriminator: what is copied."""

    RAW_DATA_FILE = "raw_data_file_physical_copy", "Raw data file"
    RAW_DATA_PACKAGE = "raw_data_package_physical_copy", "Raw data package"
    DATA_TRANSFER_PACKAGE = "data_transfer_package_physical_copy", "Data transfer package"


def _exactly_one_subject() -> Q:
    """Each type has its own foreign key set, and no other."""
    subjects = {
        CopyType.RAW_DATA_FILE: "raw_data_file",
        CopyType.RAW_DATA_PACKAGE: "raw_data_package",
        CopyType.DATA_TRANSFER_PACKAGE: "data_transfer_package",
    }
    condition = Q()
    for copy_type, field in subjects.items():
        condition |= Q(type=copy_type, **{f"{name}__isnull": name != field for name in subjects.values()})
    return condition


class PhysicalCopy(PolymorphicModel):
    """A thing at a place. ``key`` is relative to the root; empty for a raw file, whose path is the file's own.

    ``status`` is where it is in its life, ``integrity`` whether its bytes are what was promised, ``verified_at`` and
    ``verified_how`` what that rests on. ``mtime_ns``, ``inode`` and ``ctime_ns`` are those seen when a SOURCE file was
    packaged: a file that differs later is kept; of a staged tree ``ctime_ns`` is when its last file was written.
    ``seen_at`` is when its store was last asked whether it is there, ``store_version`` what the store said of it when
    it was read back, ``wanted_check`` what stage 90 shall find out about it. ``evidence`` is stored when a copy is
    deleted: which archive copies, verified when and how.
    """

    TYPE: str = ""
    machines = {"status": COPY_MOVES}

    type = models.CharField(max_length=40, choices=CopyType.choices, editable=False)
    data_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="copies", db_index=False)
    raw_data_file = models.ForeignKey(RawDataFile, models.PROTECT, null=True, blank=True, related_name="copies")
    raw_data_package = models.ForeignKey(RawDataPackage, models.PROTECT, null=True, blank=True, related_name="copies")
    data_transfer_package = models.ForeignKey(
        DataTransferPackage, models.PROTECT, null=True, blank=True, related_name="copies"
    )
    status = models.CharField(
        max_length=24, choices=PhysicalCopyStatus.choices, default=PhysicalCopyStatus.PRESENT, editable=False
    )
    integrity = models.CharField(max_length=16, choices=Integrity.choices, default=Integrity.UNVERIFIED, editable=False)
    key = models.CharField(max_length=1024, blank=True, editable=False)
    size = models.BigIntegerField(editable=False)
    digest = models.CharField(max_length=80, blank=True, editable=False)
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    verified_how = models.CharField(max_length=16, choices=VerifiedHow.choices, blank=True, editable=False)
    mtime_ns = models.BigIntegerField(null=True, blank=True, editable=False)
    inode = models.BigIntegerField(null=True, blank=True, editable=False)
    ctime_ns = models.BigIntegerField(null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    store_version = models.CharField(max_length=256, blank=True, editable=False)
    wanted_check = models.CharField(max_length=8, choices=WantedCheck.choices, blank=True, editable=False)
    error_code = models.CharField(max_length=64, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    evidence = models.JSONField(null=True, blank=True, editable=False)

    objects: ClassVar[PhysicalCopyManager] = PhysicalCopyManager()

    class Meta:
        db_table = "physical_copy"
        verbose_name = "copy"
        verbose_name_plural = "copies"
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=_exactly_one_subject(), name="copy_has_one_subject"),
            known_values("status", PhysicalCopyStatus, "copy_status_known"),
            known_values("integrity", Integrity, "copy_integrity_known"),
            *(
                models.UniqueConstraint(
                    fields=[subject, "data_location"],
                    condition=~Q(status=PhysicalCopyStatus.DELETED) & Q(**{f"{subject}__isnull": False}),
                    name=f"copy_of_{subject}_unique",
                )
                for subject in ("raw_data_file", "raw_data_package", "data_transfer_package")
            ),
        ]
        indexes = [
            # The portal's lists: what is or was at a location; what is on its way out, or staged; the few bundles among
            # 10^8 copies.
            models.Index(fields=["data_location", "id"], name="copy_by_place"),
            models.Index(
                fields=["status", "id"],
                condition=~Q(status__in=[PhysicalCopyStatus.PRESENT, PhysicalCopyStatus.DELETED]),
                name="copy_in_passing",
            ),
            models.Index(fields=["id"], condition=Q(type=CopyType.DATA_TRANSFER_PACKAGE), name="copy_of_bundle"),
            # The portal's counts: what exists at a location.
            models.Index(
                fields=["data_location", "status", "type"],
                condition=~Q(status=PhysicalCopyStatus.DELETED),
                name="copy_existing",
            ),
            # The deletion manager's walk over a location: most rows ever are DELETED.
            models.Index(
                fields=["data_location", "id"], condition=~Q(status=PhysicalCopyStatus.DELETED), name="copy_walk"
            ),
            # Stage 90: what somebody waits for, and what has not been read for longest.
            models.Index(
                fields=["data_location", "wanted_check"], condition=~Q(wanted_check=""), name="copy_wanted_check"
            ),
            models.Index(
                fields=["data_location", "verified_at"],
                condition=Q(type=CopyType.RAW_DATA_PACKAGE, status="present"),
                name="copy_to_scrub",
            ),
            # Stage 95: whose is this key? Raw files have none, they are found by their path.
            models.Index(fields=["data_location", "key"], condition=~Q(key=""), name="copy_by_key"),
            # What needs attention is rare among 10^8 rows.
            models.Index(
                fields=["data_location", "integrity"],
                condition=Q(integrity__in=["suspect", "damaged", "missing"]),
                name="copy_in_trouble",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.data_location}"

    @property
    def subject(self) -> RawDataFile | RawDataPackage | DataTransferPackage:
        """What this is a copy of."""
        subject = self.raw_data_file or self.raw_data_package or self.data_transfer_package
        assert subject is not None, "the CHECK copy_has_one_subject holds"  # noqa: S101
        return subject

    @property
    def location_key(self) -> str:
        """The key below the location's root."""
        return self.raw_data_file.relative_path if self.raw_data_file is not None else self.key

    @property
    def full_path(self) -> str:
        """Where the bytes are: a file system path, or ``s3://bucket/key``."""
        location: Any = self.data_location
        if location.storage_type == StorageType.S3:
            prefix = f"{location.prefix.strip('/')}/" if location.prefix else ""
            return f"s3://{location.bucket_name}/{prefix}{self.location_key}"
        root = location.path if location.storage_type == StorageType.DISK else location.mount_path
        return f"{root.rstrip('/')}/{self.location_key}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the discriminator in step with the class."""
        self.type = self.TYPE or self.type
        super().save(*args, **kwargs)


class RawDataFilePhysicalCopy(PhysicalCopy):
    """A raw file at its SOURCE location."""

    TYPE = CopyType.RAW_DATA_FILE

    class Meta:
        proxy = True
        base_manager_name = "objects"
        verbose_name = "file copy"
        verbose_name_plural = "file copies"


class RawDataPackagePhysicalCopy(PhysicalCopy):
    """A package: a tar in a buffer, an object in an archive, an unpacked tree (STAGED) at a PROCESSING location."""

    TYPE = CopyType.RAW_DATA_PACKAGE

    class Meta:
        proxy = True
        base_manager_name = "objects"
        verbose_name = "package copy"
        verbose_name_plural = "package copies"


class DataTransferPackagePhysicalCopy(PhysicalCopy):
    """A bundle in a buffer: its manifest, or its tar of tars."""

    TYPE = CopyType.DATA_TRANSFER_PACKAGE

    class Meta:
        proxy = True
        base_manager_name = "objects"
        verbose_name = "bundle copy"
        verbose_name_plural = "bundle copies"
