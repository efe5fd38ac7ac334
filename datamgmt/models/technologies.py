"""Kinds of locations by storage technology: disk, S3, tape; and the archives by the names of older documents.

One subclass adds a technology: its columns here, its bytes in ``datamgmt/storage`` (the class that ``storage`` names).
"""

from __future__ import annotations

import re
from typing import Any, Final

import environ
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from ccatdc.common.errors import ConfigurationError
from ccatdc.common.texts import has_control_characters
from datamgmt.models.locations import DataLocation
from datamgmt.models.sites import Site, StorageType

_HOST: Final = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"
_USER: Final = r"^[A-Za-z_][A-Za-z0-9_.-]*$"


class DiskDataLocation(DataLocation):
    """A file system, local or mounted. ``host`` is the machine that mounts it; empty: every machine of the site does."""

    STORAGE_TYPE = StorageType.DISK
    storage = "datamgmt.storage.disk.store.DiskStorage"

    path = models.CharField(max_length=1024)
    host = models.CharField(
        max_length=255, blank=True, validators=[RegexValidator(_HOST, "Give the name or address of a host.")]
    )
    user = models.CharField(
        max_length=64,
        blank=True,
        validators=[RegexValidator(_USER, "Give the name of an account.")],
        help_text="For transports over ssh.",
    )

    class Meta:
        verbose_name = "disk location"
        db_table = "disk_data_location"
        base_manager_name = "objects"
        constraints = [
            # They stand on command lines of ssh and rsync: none may look like an option.
            models.CheckConstraint(condition=Q(host="") | Q(host__regex=_HOST), name="disk_host_is_a_host"),
            models.CheckConstraint(condition=Q(user="") | Q(user__regex=_USER), name="disk_user_is_a_user"),
        ]

    def frozen_fields(self) -> dict[str, Any]:
        return super().frozen_fields() | {"path": self.path, "host": self.host}

    def clean(self) -> None:
        """The root is an absolute path."""
        super().clean()
        if not self.path.startswith("/") or has_control_characters(self.path):
            raise ValidationError({"path": "Give an absolute path without control characters."})


class S3DataLocation(DataLocation):
    """A bucket. Credentials come from the environment by name; ``refused_checksums`` is what the probe proved."""

    STORAGE_TYPE = StorageType.S3
    storage = "datamgmt.storage.s3.store.S3Storage"

    bucket_name = models.CharField(max_length=255)
    endpoint_url = models.URLField(blank=True, help_text="Empty: AWS.")
    region = models.CharField(max_length=64, blank=True)
    prefix = models.CharField(max_length=255, blank=True)
    credential_key = models.CharField(
        max_length=64,
        blank=True,
        help_text="Name part of the environment variables CCATDC_S3_<KEY>_ACCESS_KEY and _SECRET_KEY; "
        "empty: site and location in capitals.",
    )
    presigned_links = models.BooleanField(
        default=False,
        help_text="Who may download gets addresses of the server itself, good for some minutes: for a server that they reach.",
    )
    refused_checksums = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text="Wrong checksums that the server refused when it was probed.",
    )

    class Meta:
        verbose_name = "S3 location"
        db_table = "s3_data_location"
        base_manager_name = "objects"

    def frozen_fields(self) -> dict[str, Any]:
        return super().frozen_fields() | {
            "bucket_name": self.bucket_name,
            "prefix": self.prefix,
            "endpoint_url": self.endpoint_url,
        }

    def get_s3_credentials(self) -> tuple[str, str]:
        """Access and secret key from the environment (or from files that it names); never from the database."""
        key = self.credential_key or re.sub(r"[^A-Z0-9]", "_", self.full_name.upper())
        env = environ.FileAwareEnv()
        names = [f"CCATDC_S3_{key}_ACCESS_KEY", f"CCATDC_S3_{key}_SECRET_KEY"]
        values = [env.str(name, default="") for name in names]
        if not all(values):
            missing = ", ".join(n for n, v in zip(names, values, strict=True) if not v)
            raise ConfigurationError(
                f"No credentials for {self.full_name}: {missing} is not set in this process.",
                code="location.no_credentials",
                remedy="Set it in the environment of the worker (or NAME_FILE with the path of a file) and restart it.",
            )
        return values[0], values[1]


class TapeDataLocation(DataLocation):
    """A tape library: described, not yet driven (seeds: future capability)."""

    STORAGE_TYPE = StorageType.TAPE
    storage = "datamgmt.storage.tape.TapeStorage"

    library_name = models.CharField(max_length=128)
    mount_path = models.CharField(max_length=1024, blank=True)
    robot_host = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name = "tape location"
        db_table = "tape_data_location"
        base_manager_name = "objects"


class DataArchive(models.Model):
    """An archive as the older documents know it: a name for one site's long-term archive. Read by people only."""

    name = models.CharField(max_length=128, unique=True)
    short_name = models.SlugField(max_length=32, unique=True)
    site = models.ForeignKey(Site, models.PROTECT, related_name="data_archives")
    data_location = models.ForeignKey(DataLocation, models.PROTECT, null=True, blank=True, related_name="data_archives")
    is_primary = models.BooleanField(default=False)
    active = models.BooleanField(default=True)
    description = models.TextField(blank=True)

    class Meta:
        db_table = "data_archive"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
