"""Raw data files: what an instrument says it wrote."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5
from django.utils import timezone

from ccatdc.common.models import UuidPrimaryKey
from ccatdc.common.states import known_values
from datamgmt.models.locations import DataLocation
from datamgmt.models.packages import RawDataPackage
from datamgmt.querysets import RawDataFileQuerySet
from observatory.models import InstrumentModule
from planning.models import ExecutedObsUnit


class FileType(models.TextChoices):
    """What a file holds."""

    DETECTOR_TIMESTREAM = "detector_timestream", "Detector timestream"
    HOUSEKEEPING = "housekeeping", "Housekeeping"
    SPECTRA = "spectra", "Spectra"
    POINTING = "pointing", "Pointing"
    LOG = "log", "Log"
    OTHER = "other", "Other"


class ChecksumAlgorithm(models.TextChoices):
    """Algorithms that instruments may file; the house's own digest is always BLAKE3."""

    SHA256 = "sha256", "SHA-256"
    MD5 = "md5", "MD5"
    XXH3_128 = "xxh3_128", "XXH3-128"
    CRC32C = "crc32c", "CRC32C"
    BLAKE3 = "blake3", "BLAKE3"


class RawDataFile(UuidPrimaryKey):
    """One file written by an instrument module; its UUID may be made at the telescope, offline.

    ``checksum`` is the instrument's claim (hex, may be empty); ``digest`` is what we computed when the file was packaged
    (``blake3:<hex>``). ``relative_path`` is below the root of the SOURCE location and is the member's name in the tar.
    """

    name = models.CharField(max_length=255)
    relative_path = models.TextField()
    size = models.BigIntegerField()
    checksum = models.CharField(max_length=128, blank=True)
    checksum_algorithm = models.CharField(
        max_length=16, choices=ChecksumAlgorithm.choices, blank=True
    )
    digest = models.CharField(max_length=80, blank=True, editable=False)
    executed_obs_unit = models.ForeignKey(
        ExecutedObsUnit, models.PROTECT, related_name="raw_data_files"
    )
    instrument_module = models.ForeignKey(
        InstrumentModule, models.PROTECT, related_name="raw_data_files"
    )
    raw_data_package = models.ForeignKey(
        RawDataPackage, models.PROTECT, null=True, blank=True, related_name="raw_data_files"
    )
    source_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="raw_data_files")
    file_type = models.CharField(max_length=32, choices=FileType.choices, default=FileType.OTHER)
    created_at = models.DateTimeField(null=True, blank=True, help_text="The instrument's clock.")
    registered_at = models.DateTimeField(default=timezone.now, editable=False)
    description = models.CharField(max_length=255, blank=True)

    objects = RawDataFileQuerySet.as_manager()

    class Meta:
        db_table = "raw_data_file"
        ordering = ["relative_path"]
        constraints = [
            # A digest of the path: a path of 1,024 characters is longer than an index entry may be.
            models.UniqueConstraint(
                "source_location", MD5("relative_path"), name="raw_file_path_unique"
            ),
            models.CheckConstraint(condition=Q(size__gte=0), name="raw_file_size_not_negative"),
            known_values("file_type", FileType, "raw_file_type_known"),
            models.CheckConstraint(
                condition=Q(checksum="", checksum_algorithm="")
                | (~Q(checksum="") & Q(checksum_algorithm__in=ChecksumAlgorithm.values)),
                name="raw_file_checksum_has_algorithm",
            ),
        ]
        indexes = [
            # The packaging manager's scan: files of an execution that are in no package yet.
            models.Index(
                fields=["executed_obs_unit", "instrument_module"],
                condition=Q(raw_data_package__isnull=True),
                name="raw_file_unpackaged",
            ),
        ]

    def __str__(self) -> str:
        return self.relative_path
