"""Raw data files: what an instrument says it wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.contrib.postgres.indexes import BrinIndex, GistIndex
from django.db import models
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, Sum, Value
from django.db.models.functions import MD5
from django.utils import timezone

from ccatdc.common.db.indexes import beginning_index
from ccatdc.common.models import UuidPrimaryKey, key_begins
from ccatdc.common.states import known_values
from datamgmt.models.locations import DataLocation
from datamgmt.models.packages import RawDataPackage
from datamgmt.models.products import DataProduct, products_for
from datamgmt.models.runs import ProcessingRun
from datamgmt.models.streams import IS_OF_STREAM, in_streams_for, in_streams_overlapping
from datamgmt.states import USABLE, PhysicalCopyStatus
from observatory.models import DataStream, InstrumentModule
from planning.models import ExecutedObsUnit, ExecutionQuality
from planning.models.executions import time_range
from planning.models.visibility import observed_for

IS_BAD: Final = Q(quality=ExecutionQuality.BAD)
#: Of those whose name begins as a search says, so many are looked at; and of packages, whose files it may mean.
MOST_FOUND = 2000
MOST_PACKAGES = 20
#: Characters of a beginning: fewer mean a large part of all files, of which a person may perhaps see none.
_BEGINNING_LENGTH = 4


def _few(rows: models.QuerySet[Any]) -> list[Any]:
    """The keys of the first that are found: rights and the order of a list are for few, which the planner has to know."""
    return list(rows.order_by().values_list("pk", flat=True)[:MOST_FOUND])


class RawDataFileQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> RawDataFileQuerySet:
        """Of observations that the person may see, of data streams that overlap these or are public, and of products."""
        of_products = Q(data_product__isnull=False) & products_for(user, "data_product__")
        return self.filter(observed_for(user, "executed_obs_unit__") | in_streams_for(user) | of_products)

    def of_streams(self) -> RawDataFileQuerySet:
        """Filed without an execution: they belong to all that they overlap."""
        return self.filter(executed_obs_unit__isnull=True, data_stream__isnull=False)

    def of_products(self) -> RawDataFileQuerySet:
        """What runs made."""
        return self.filter(data_product__isnull=False)

    def of_run(self, run: ProcessingRun) -> RawDataFileQuerySet:
        return self.filter(data_product__processing_run=run)

    def belonging_to(self, execution: ExecutedObsUnit) -> RawDataFileQuerySet:
        """Its own files, and those of data streams that overlap it."""
        return self.filter(Q(executed_obs_unit=execution) | in_streams_overlapping(execution))

    def judged_bad(self) -> RawDataFileQuerySet:
        return self.filter(IS_BAD)

    def of_any(
        self, packages: Iterable[Any], observations: Iterable[Any], products: Iterable[Any]
    ) -> RawDataFileQuerySet:
        """In one of the packages, filed for one of the observations, or of one of the products."""
        return self.filter(
            Q(raw_data_package__in=list(packages))
            | Q(executed_obs_unit__in=list(observations))
            | Q(data_product__in=list(products))
        )

    def unpackaged(self) -> RawDataFileQuerySet:
        return self.filter(raw_data_package__isnull=True)

    def at_path(self, path: str) -> RawDataFileQuerySet:
        """With this path below the root of its SOURCE location, whichever location that is."""
        sources = DataLocation.objects.non_polymorphic().of_type("source").values_list("pk", flat=True)
        # The unique index is on the location and the MD5 of the path (paths may be longer than an index entry).
        rows: RawDataFileQuerySet = self.alias(path_digest=MD5("relative_path"))
        return rows.filter(source_location_id__in=list(sources), path_digest=MD5(Value(path)))

    def found_by(self, term: str) -> RawDataFileQuerySet:
        """By id or its beginning; whole path; base name; beginning of the base name; beginning of the name of its
        package: the first of these that finds any. Of a path, its last part is the base name. Each is one look into an
        index.
        """
        name = term.rstrip("/").rpartition("/")[2]
        # Names are looked for before rights are: of those that begin so, a person may see few or none.
        files: Any = self.model._default_manager
        called = files.filter(name__istartswith=name) if len(name) >= _BEGINNING_LENGTH else files.none()
        looks = (
            self.filter(key_begins(term)),
            self.at_path(term),
            self.filter(name__iexact=name),
            self.filter(pk__in=_few(called)),
        )
        found = next((rows for rows in looks if rows.exists()), None)
        if found is not None:
            return found
        packages = RawDataPackage.objects.order_by().filter(name__startswith=term).values_list("pk", flat=True)
        return self.filter(pk__in=_few(files.filter(raw_data_package__in=list(packages[:MOST_PACKAGES]))))

    def usable(self) -> RawDataFileQuerySet:
        """Whose copy at SOURCE exists and does not need attention: files set aside wait for an operator."""
        good = self._copies().filter(status=PhysicalCopyStatus.PRESENT, integrity__in=USABLE)
        return self.filter(Exists(good.filter(raw_data_file=OuterRef("pk"))))

    def set_aside(self) -> RawDataFileQuerySet:
        """Whose copy at SOURCE is missing, damaged or suspect."""
        return self.filter(Exists(self._copies().needing_attention().filter(raw_data_file=OuterRef("pk"))))

    def _copies(self) -> Any:
        return self.model._meta.get_field("copies").related_model.objects.non_polymorphic()

    def of_finished_executions(self) -> RawDataFileQuerySet:
        return self.filter(executed_obs_unit__finished_at__isnull=False)

    def of_executions(self, ids: Iterable[Any]) -> RawDataFileQuerySet:
        return self.filter(executed_obs_unit__in=list(ids))

    def executions(self) -> models.QuerySet[Any, Any]:
        """The ids of the executions of which these are the own files."""
        own = self.filter(executed_obs_unit__isnull=False)
        return own.order_by().values_list("executed_obs_unit_id", flat=True).distinct()

    def stream_groups(self) -> models.QuerySet[Any, dict[str, Any]]:
        """One row for each data stream and SOURCE location of files of streams: when the first was filed, when the first
        and the last begin, and their bytes.
        """
        groups: models.QuerySet[Any, dict[str, Any]] = (
            self.of_streams()
            .order_by()
            .values("data_stream_id", "source_location_id", "data_stream__package_seconds")
            .annotate(
                first_registered_at=Min("registered_at"),
                first_start=Min("start_time"),
                last_start=Max("start_time"),
                files=Count("id"),
                bytes=Sum("size"),
            )
        )
        return groups

    def run_groups(self) -> models.QuerySet[Any, dict[str, Any]]:
        """One row for each run that is over and SOURCE location of files of products, with when the last of it became
        known: the ends of the run and of its filing.
        """
        groups: models.QuerySet[Any, dict[str, Any]] = (
            self.filter(data_product__processing_run__finished_at__isnull=False)
            .order_by()
            .values("data_product__processing_run_id", "source_location_id")
            .annotate(
                last_registered_at=Max("registered_at"),
                finished_at=Max("data_product__processing_run__finished_at"),
                files=Count("id"),
            )
        )
        return groups

    def packaging_groups(self) -> models.QuerySet[Any, dict[str, Any]]:
        """One row for each execution, module and SOURCE location, with when the last of it became known: the ends of
        the observation and of its filing. Ask for few executions at a time.
        """
        groups: models.QuerySet[Any, dict[str, Any]] = (
            self.order_by()
            .values("executed_obs_unit_id", "instrument_module_id", "source_location_id")
            .annotate(
                last_registered_at=Max("registered_at"),
                finished_at=Max("executed_obs_unit__finished_at"),
                files=Count("id"),
            )
        )
        return groups

    def in_group(
        self, executed_obs_unit_id: Any, instrument_module_id: int, source_location_id: int
    ) -> RawDataFileQuerySet:
        """The files of one row of :meth:`packaging_groups`."""
        return self.filter(
            executed_obs_unit_id=executed_obs_unit_id,
            instrument_module_id=instrument_module_id,
            source_location_id=source_location_id,
        )


class FileType(models.TextChoices):
    """What a file holds."""

    DETECTOR_TIMESTREAM = "detector_timestream", "Detector timestream"
    HOUSEKEEPING = "housekeeping", "Housekeeping"
    SPECTRA = "spectra", "Spectra"
    POINTING = "pointing", "Pointing"
    LOG = "log", "Log"
    OTHER = "other", "Other"


class ChecksumAlgorithm(models.TextChoices):
    """Algorithms that instruments may file; our own digest is always BLAKE3."""

    SHA256 = "sha256", "SHA-256"
    MD5 = "md5", "MD5"
    XXH3_128 = "xxh3_128", "XXH3-128"
    CRC32C = "crc32c", "CRC32C"
    BLAKE3 = "blake3", "BLAKE3"


class RawDataFile(UuidPrimaryKey):
    """One file written by an instrument module, or by a run as a part of a product; its UUID may be made offline.

    ``checksum`` is the instrument's claim (hex, may be empty); ``digest`` is what we computed when the file was
    packaged (``blake3:<hex>``). ``relative_path`` is below the root of the SOURCE location and is the member's name in
    the tar. A file is of an execution, of a data product, or of a data stream: then it has the times of its data, and
    belongs to all executions that it overlaps. A file of an execution may name a data stream too: that says how late it
    may come. ``quality`` is of the file alone, and said after it was filed (datamgmt/filing/quality.py); that of its
    execution is another one.
    """

    name = models.CharField(max_length=255)
    relative_path = models.TextField()
    size = models.BigIntegerField()
    checksum = models.CharField(max_length=128, blank=True)
    checksum_algorithm = models.CharField(max_length=16, choices=ChecksumAlgorithm.choices, blank=True)
    digest = models.CharField(max_length=80, blank=True, editable=False)
    executed_obs_unit = models.ForeignKey(
        ExecutedObsUnit, models.PROTECT, null=True, blank=True, related_name="raw_data_files"
    )
    data_stream = models.ForeignKey(DataStream, models.PROTECT, null=True, blank=True, related_name="raw_data_files")
    data_product = models.ForeignKey(
        DataProduct, models.PROTECT, null=True, blank=True, related_name="files", db_index=False
    )
    start_time = models.DateTimeField(null=True, blank=True, help_text="Of its data; the instrument's clock.")
    end_time = models.DateTimeField(null=True, blank=True, help_text="Of its data; the instrument's clock.")
    instrument_module = models.ForeignKey(InstrumentModule, models.PROTECT, related_name="raw_data_files")
    raw_data_package = models.ForeignKey(
        RawDataPackage, models.PROTECT, null=True, blank=True, related_name="raw_data_files"
    )
    source_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="raw_data_files")
    file_type = models.CharField(max_length=32, choices=FileType.choices, default=FileType.OTHER)
    created_at = models.DateTimeField(null=True, blank=True, help_text="The instrument's clock.")
    registered_at = models.DateTimeField(default=timezone.now, editable=False)
    description = models.CharField(max_length=255, blank=True)
    quality = models.CharField(
        max_length=16, choices=ExecutionQuality.choices, default=ExecutionQuality.UNKNOWN, editable=False
    )
    quality_comment = models.TextField(blank=True, editable=False)

    objects = RawDataFileQuerySet.as_manager()

    class Meta:
        verbose_name = "file"
        db_table = "raw_data_file"
        ordering = ["relative_path"]
        constraints = [
            # A digest of the path: a path of 1,024 characters is longer than an index entry may be.
            models.UniqueConstraint("source_location", MD5("relative_path"), name="raw_file_path_unique"),
            models.CheckConstraint(condition=Q(size__gte=0), name="raw_file_size_not_negative"),
            known_values("file_type", FileType, "raw_file_type_known"),
            known_values("quality", ExecutionQuality, "raw_file_quality_known"),
            models.CheckConstraint(
                condition=Q(executed_obs_unit__isnull=False, data_product__isnull=True)
                | Q(
                    executed_obs_unit__isnull=True,
                    data_stream__isnull=False,
                    data_product__isnull=True,
                    start_time__isnull=False,
                    end_time__isnull=False,
                )
                | Q(executed_obs_unit__isnull=True, data_stream__isnull=True, data_product__isnull=False),
                name="raw_file_of_one_owner",
            ),
            models.CheckConstraint(
                condition=Q(start_time__isnull=True, end_time__isnull=True) | Q(start_time__lte=F("end_time")),
                name="raw_file_times_in_order",
            ),
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
            # A search for a file by its base name or the beginning of it.
            beginning_index("name", "raw_file_by_name"),
            # Totals of work: what was filed since a moment. Files come in the order of time, so that a summary of each
            # megabyte of the table does; a tree would have gigabytes.
            BrinIndex(fields=["registered_at"], autosummarize=True, name="raw_file_by_filing"),
            # Files that somebody judged: few among 10^8.
            models.Index(
                fields=["quality", "id"], condition=~Q(quality=ExecutionQuality.UNKNOWN), name="raw_file_by_quality"
            ),
            # Which of the inputs of runs are bad? Few among 10^8.
            models.Index(fields=["raw_data_package"], condition=IS_BAD, name="raw_file_bad_by_package"),
            models.Index(fields=["executed_obs_unit"], condition=IS_BAD, name="raw_file_bad_by_execution"),
            GistIndex(time_range(), name="raw_file_bad_by_time", condition=IS_BAD & IS_OF_STREAM),
            # Which files of data streams overlap an observation?
            GistIndex(time_range(), name="raw_file_by_time", condition=IS_OF_STREAM),
            models.Index(
                fields=["data_stream", "source_location"],
                condition=Q(raw_data_package__isnull=True) & IS_OF_STREAM,
                name="raw_file_of_stream_unpackaged",
            ),
            # Files of products: few among 10^8.
            models.Index(fields=["data_product"], condition=Q(data_product__isnull=False), name="raw_file_of_product"),
            models.Index(
                fields=["source_location"],
                condition=Q(raw_data_package__isnull=True, data_product__isnull=False),
                name="raw_file_of_product_unpackaged",
            ),
        ]

    def __str__(self) -> str:
        return self.relative_path
