"""Physical copies: one row for each thing at each place, from its creation to its deletion and beyond.

One table with polymorphic proxies (design decision 3): pages and scans are one query, rows can be created in bulk.
A raw file has a row at SOURCE only; elsewhere it is where its package is.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from polymorphic.models import PolymorphicModel

from ccatdc.common.states import known_values
from datamgmt.copy_querysets import PhysicalCopyManager
from datamgmt.models.files import RawDataFile
from datamgmt.models.locations import DataLocation
from datamgmt.models.packages import DataTransferPackage, RawDataPackage
from datamgmt.models.sites import StorageType
from datamgmt.states import (
    COPY_MOVES,
    INTEGRITY_MOVES,
    Integrity,
    PhysicalCopyStatus,
    VerifiedHow,
)


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
        condition |= Q(
            type=copy_type, **{f"{name}__isnull": name != field for name in subjects.values()}
        )
    return condition


class PhysicalCopy(PolymorphicModel):
    """A thing at a place. ``key`` is relative to the root; empty for a raw file, whose path is the file's own.

    ``status`` is where it is in its life, ``integrity`` whether its bytes are what was promised, ``verified_at`` and
    ``verified_how`` what that rests on. ``mtime_ns`` and ``inode`` are those seen when a SOURCE file was packaged: a file
    that differs later is kept. ``evidence`` is stored when a copy is deleted: which archive copies, verified when and how.
    """

    TYPE: str = ""
    machines = {"status": COPY_MOVES, "integrity": INTEGRITY_MOVES}

    type = models.CharField(max_length=40, choices=CopyType.choices, editable=False)
    data_location = models.ForeignKey(
        DataLocation, models.PROTECT, related_name="copies", db_index=False
    )
    raw_data_file = models.ForeignKey(
        RawDataFile, models.PROTECT, null=True, blank=True, related_name="copies"
    )
    raw_data_package = models.ForeignKey(
        RawDataPackage, models.PROTECT, null=True, blank=True, related_name="copies"
    )
    data_transfer_package = models.ForeignKey(
        DataTransferPackage, models.PROTECT, null=True, blank=True, related_name="copies"
    )
    status = models.CharField(
        max_length=24,
        choices=PhysicalCopyStatus.choices,
        default=PhysicalCopyStatus.PRESENT,
        editable=False,
    )
    integrity = models.CharField(
        max_length=16, choices=Integrity.choices, default=Integrity.UNVERIFIED, editable=False
    )
    key = models.CharField(max_length=1024, blank=True, editable=False)
    size = models.BigIntegerField(editable=False)
    digest = models.CharField(max_length=80, blank=True, editable=False)
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    verified_how = models.CharField(
        max_length=16, choices=VerifiedHow.choices, blank=True, editable=False
    )
    mtime_ns = models.BigIntegerField(null=True, blank=True, editable=False)
    inode = models.BigIntegerField(null=True, blank=True, editable=False)
    error_code = models.CharField(max_length=64, blank=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    evidence = models.JSONField(null=True, blank=True, editable=False)

    objects: ClassVar[PhysicalCopyManager] = PhysicalCopyManager()

    class Meta:
        db_table = "physical_copy"
        verbose_name_plural = "physical copies"
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=_exactly_one_subject(), name="copy_has_one_subject"),
            known_values("status", PhysicalCopyStatus, "copy_status_known"),
            known_values("integrity", Integrity, "copy_integrity_known"),
            *(
                models.UniqueConstraint(
                    fields=[subject, "data_location"],
                    condition=~Q(status=PhysicalCopyStatus.DELETED)
                    & Q(**{f"{subject}__isnull": False}),
                    name=f"copy_of_{subject}_unique",
                )
                for subject in ("raw_data_file", "raw_data_package", "data_transfer_package")
            ),
        ]
        indexes = [
            # The portal's lists: what is or was at a location; what is on its way out, or staged;
            # the few bundles among 10^8 copies.
            models.Index(fields=["data_location", "id"], name="copy_by_place"),
            models.Index(
                fields=["status", "id"],
                condition=~Q(status__in=[PhysicalCopyStatus.PRESENT, PhysicalCopyStatus.DELETED]),
                name="copy_in_passing",
            ),
            models.Index(
                fields=["id"],
                condition=Q(type=CopyType.DATA_TRANSFER_PACKAGE),
                name="copy_of_bundle",
            ),
            # The portal's counts: what exists at a location.
            models.Index(
                fields=["data_location", "status", "type"],
                condition=~Q(status=PhysicalCopyStatus.DELETED),
                name="copy_existing",
            ),
            # The deletion manager's walk over a location: most rows ever are DELETED.
            models.Index(
                fields=["data_location", "id"],
                condition=~Q(status=PhysicalCopyStatus.DELETED),
                name="copy_walk",
            ),
            # Trouble is rare among 10^8 rows.
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
        verbose_name = "raw data file copy"
        verbose_name_plural = "raw data file copies"


class RawDataPackagePhysicalCopy(PhysicalCopy):
    """A package: a tar in a buffer, an object in an archive, an unpacked tree (STAGED) at a PROCESSING location."""

    TYPE = CopyType.RAW_DATA_PACKAGE

    class Meta:
        proxy = True
        base_manager_name = "objects"
        verbose_name = "raw data package copy"
        verbose_name_plural = "raw data package copies"


class DataTransferPackagePhysicalCopy(PhysicalCopy):
    """A bundle in a buffer: its manifest, or its tar of tars."""

    TYPE = CopyType.DATA_TRANSFER_PACKAGE

    class Meta:
        proxy = True
        base_manager_name = "objects"
        verbose_name = "data transfer package copy"
        verbose_name_plural = "data transfer package copies"
