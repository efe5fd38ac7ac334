"""Packages and bundles: RawDataPackage (a tar of one execution and module, data stream or run), DataTransferPackage (one network hop)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce

from ccatdc.common.db.indexes import words_index
from ccatdc.common.models import UuidPrimaryKey, key_begins
from ccatdc.common.states import STATUS_MOVES, Status, known_values
from datamgmt.models.locations import DataLocation
from datamgmt.models.products import DataProduct
from datamgmt.models.runs import ProcessingRun
from datamgmt.models.sites import Site
from datamgmt.models.streams import IS_OF_STREAM, in_streams_for, in_streams_overlapping
from datamgmt.states import PACKAGE_MOVES, USABLE, PackageState
from observatory.models import DataStream, InstrumentModule
from planning.models import ExecutedObsUnit
from planning.models.executions import time_range
from planning.models.visibility import observed_for

#: Bytes of tar that a package never exceeds, unless a single file is larger (seeds: 50 GB).
PACKAGE_MAX_BYTES = 50_000_000_000


#: Of those in whose name a word stands, so many are looked at; and characters that an index of words needs.
MOST_FOUND = 2000
_WORD_LENGTH = 3


class RawDataPackageQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any) -> RawDataPackageQuerySet:
        """Of observations that the person may see, of data streams that overlap these or are public, and of runs where
        they may see all products in it.
        """
        files = self.model._meta.get_field("raw_data_files").related_model.objects.order_by()
        hidden = files.filter(raw_data_package=OuterRef("pk")).exclude(
            data_product__in=DataProduct.objects.order_by().visible_to(user)
        )
        of_runs = Q(processing_run__isnull=False) & ~Exists(hidden)
        return self.filter(observed_for(user, "executed_obs_unit__") | in_streams_for(user) | of_runs)

    def of_runs(self) -> RawDataPackageQuerySet:
        """Of products, not of raw data."""
        return self.filter(processing_run__isnull=False)

    def belonging_to(self, execution: ExecutedObsUnit) -> RawDataPackageQuerySet:
        """Its own packages, and those of data streams with files that overlap it."""
        return self.filter(Q(executed_obs_unit=execution) | in_streams_overlapping(execution))

    def named(self, name_or_id: str) -> RawDataPackage | None:
        """By name or by id."""
        try:
            found = Q(pk=uuid.UUID(name_or_id))
        except ValueError:
            found = Q(name=name_or_id)
        return self.filter(found).first()

    def found_by(self, term: str) -> RawDataPackageQuerySet:
        """By id or its beginning; beginning of the name; part of the name: the first of these that finds any."""
        part = self.filter(name__icontains=term) if len(term) >= _WORD_LENGTH else self.none()
        looks = (self.filter(key_begins(term)), self.filter(name__startswith=term))
        found = next((rows for rows in looks if rows.exists()), None)
        # Their keys first: the order of a list is for few.
        return found if found is not None else self.filter(pk__in=part.order_by().values("pk")[:MOST_FOUND])

    def by_urgency(self) -> RawDataPackageQuerySet:
        """By priority of obs unit, data stream or run, then in the order in which they were made."""
        return self.with_priority().order_by("urgency", "created_at", "id")

    def with_priority(self) -> RawDataPackageQuerySet:
        """With ``urgency``: the priority of the obs unit, of the data stream or of the run."""
        urgency = Coalesce("executed_obs_unit__obs_unit__priority", "data_stream__priority", "processing_run__priority")
        annotated: RawDataPackageQuerySet = self.annotate(urgency=urgency)
        return annotated

    def executions(self) -> models.QuerySet[Any, Any]:
        """The ids of the executions that these are of."""
        own = self.filter(executed_obs_unit__isnull=False)
        return own.order_by().values_list("executed_obs_unit_id", flat=True).distinct()

    def archived(self) -> RawDataPackageQuerySet:
        """With one verified archive copy or more."""
        return self.filter(state=PackageState.ARCHIVED)

    def failed(self) -> RawDataPackageQuerySet:
        """Not on their way any more, and no good copy in an archive."""
        return self.filter(state=PackageState.FAILED)

    def due_for_resend(self, moment: datetime) -> RawDataPackageQuerySet:
        """Whose wait before the next resend is over."""
        return self.filter(Q(resend_after__isnull=True) | Q(resend_after__lte=moment))

    def archived_since(self, moment: datetime) -> RawDataPackageQuerySet:
        return self.archived().filter(archived_at__gte=moment)

    def not_archived(self) -> RawDataPackageQuerySet:
        return self.exclude(state=PackageState.ARCHIVED)

    def built(self) -> RawDataPackageQuerySet:
        return self.filter(status=Status.COMPLETED)

    def waiting(self) -> RawDataPackageQuerySet:
        return self.built().filter(state=PackageState.WAITING)

    def _with_copy(self, copies: models.QuerySet[Any]) -> RawDataPackageQuerySet:
        return self.filter(Exists(copies.filter(raw_data_package=OuterRef("pk"))))

    def with_usable_copy_at(self, *locations: DataLocation) -> RawDataPackageQuerySet:
        """With a copy at one of these that can be read; who reads it compares its digest."""
        return self._with_copy(self._copies().usable().filter(data_location__in=locations))

    def stranded_at(self, location_ids: Iterable[int]) -> RawDataPackageQuerySet:
        """With a copy at one of these, and none that can be read at another place that is in use."""
        places = list(location_ids)
        there = self._copies().usable().filter(data_location__in=places)
        elsewhere = self._copies().usable().at_active().filter(raw_data_package=OuterRef("pk"))
        elsewhere = elsewhere.exclude(data_location__in=places)
        return self._with_copy(there).filter(~Exists(elsewhere))

    def without_copy_at(self, location: DataLocation) -> RawDataPackageQuerySet:
        """Without a copy at this location, in whatever state but deleted."""
        copies = self._copies().filter(data_location=location).existing()
        return self.filter(~Exists(copies.filter(raw_data_package=OuterRef("pk"))))

    def without_good_copy_at(self, location: DataLocation) -> RawDataPackageQuerySet:
        """Without a copy at this location that nothing is said against; one on its way out counts as none."""
        copies = self._copies().filter(data_location=location).existing()
        good = copies.filter(integrity__in=USABLE, raw_data_package=OuterRef("pk"))
        return self.filter(~Exists(good))

    def present_in_archive(self) -> RawDataPackageQuerySet:
        """With a copy in some long-term archive that nothing is said against."""
        return self._with_copy(self._copies().in_archives().usable())

    def _copies(self) -> Any:
        return self.model._meta.get_field("copies").related_model.objects.non_polymorphic()

    def oldest_first(self) -> RawDataPackageQuerySet:
        """In the order in which they were made."""
        return self.order_by("created_at", "id")

    def for_listing(self) -> RawDataPackageQuerySet:
        """With what a page about packages shows."""
        return self.select_related(
            "executed_obs_unit__obs_unit__observing_program",
            "executed_obs_unit__obs_unit__source",
            "data_stream__instrument_module__instrument",
            "processing_run",
            "instrument_module__instrument",
        )

    def with_all_that_describes_it(self) -> RawDataPackageQuerySet:
        """With what its metadata is computed from (datamgmt/metadata)."""
        return self.select_related(
            "executed_obs_unit__obs_unit__observing_program",
            "executed_obs_unit__obs_unit__obs_mode",
            "executed_obs_unit__obs_unit__telescope",
            "data_stream",
            "instrument_module__instrument",
        )

    def in_order_of_keys(self, after: Any, most: int) -> RawDataPackageQuerySet:
        """The next ones, for a walk through all of them."""
        rows = self.order_by("pk")
        return (rows if after is None else rows.filter(pk__gt=after))[:most]

    def total_size(self) -> int:
        """Bytes of all of them."""
        return int(self.aggregate(total=Sum("size"))["total"] or 0)


class DataTransferPackageQuerySet(models.QuerySet[Any]):
    def built(self) -> DataTransferPackageQuerySet:
        return self.filter(status=Status.COMPLETED)


class BundleFormat(models.TextChoices):
    """How a bundle crosses the network: its packages beside a manifest, or one tar of tars."""

    MANIFEST = "manifest", "Manifest"
    TAR = "tar", "Tar of tars"


class RawDataPackage(UuidPrimaryKey):
    """Files of one module in a tar: those of one execution, of a data stream for some time, or of the products of a run.

    ``status``: is the tar built? It mirrors the creation operation. ``state``: where is the data in its life? ``size``
    and ``digest`` (``blake3:<hex>``) are those of the tar and never change once set. ``start_time`` and ``end_time`` are
    those of the data in it, and only of a data stream: an execution has its own.
    """

    machines = {"status": STATUS_MOVES, "state": PACKAGE_MOVES}

    name = models.CharField(max_length=255, unique=True)
    executed_obs_unit = models.ForeignKey(
        ExecutedObsUnit, models.PROTECT, null=True, blank=True, related_name="raw_data_packages"
    )
    data_stream = models.ForeignKey(DataStream, models.PROTECT, null=True, blank=True, related_name="raw_data_packages")
    processing_run = models.ForeignKey(
        ProcessingRun, models.PROTECT, null=True, blank=True, related_name="raw_data_packages"
    )
    start_time = models.DateTimeField(null=True, blank=True, editable=False)
    end_time = models.DateTimeField(null=True, blank=True, editable=False)
    # The indexes of these two are below, each with the order of a list.
    instrument_module = models.ForeignKey(
        InstrumentModule, models.PROTECT, related_name="raw_data_packages", db_index=False
    )
    source_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="raw_data_packages", db_index=False)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING, editable=False)
    state = models.CharField(max_length=16, choices=PackageState.choices, default=PackageState.WAITING, editable=False)
    size = models.BigIntegerField(null=True, blank=True, editable=False)
    digest = models.CharField(max_length=80, blank=True, editable=False)
    file_count = models.PositiveIntegerField(default=0, editable=False)
    is_late = models.BooleanField(
        default=False, help_text="Holds files that were filed after the first packages were made."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finalized_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    resends = models.PositiveIntegerField(default=0, editable=False)
    resend_after = models.DateTimeField(null=True, blank=True, editable=False)

    objects = RawDataPackageQuerySet.as_manager()

    class Meta:
        verbose_name = "package"
        db_table = "raw_data_package"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "created_at"], condition=~Q(state="archived"), name="package_not_archived"),
            models.Index(fields=["-created_at"], name="package_by_creation"),
            models.Index(fields=["-archived_at"], name="package_by_archival"),
            words_index("name", "package_words"),
            # Lists narrowed by what may be rare, or lie far back: in the order that they show.
            models.Index(fields=["instrument_module", "-archived_at"], name="package_by_module"),
            models.Index(fields=["source_location", "-created_at"], name="package_by_source"),
            models.Index(
                fields=["status", "-created_at"], condition=~Q(status=Status.COMPLETED), name="package_in_the_making"
            ),
            models.Index(fields=["-created_at"], condition=Q(is_late=True), name="package_of_late_files"),
            # Which packages of data streams overlap an observation?
            GistIndex(time_range(), name="package_by_time", condition=IS_OF_STREAM),
        ]
        constraints = [
            known_values("status", Status, "package_status_known"),
            known_values("state", PackageState, "package_state_known"),
            models.CheckConstraint(
                condition=Q(executed_obs_unit__isnull=False, data_stream__isnull=True, processing_run__isnull=True)
                | Q(
                    executed_obs_unit__isnull=True,
                    data_stream__isnull=False,
                    processing_run__isnull=True,
                    start_time__lte=F("end_time"),
                )
                | Q(executed_obs_unit__isnull=True, data_stream__isnull=True, processing_run__isnull=False),
                name="package_of_one_owner",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.COMPLETED) | (Q(size__gt=0) & ~Q(digest="")),
                name="package_completed_has_digest",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def priority(self) -> int:
        """Of its obs unit, data stream or run; lower is sooner."""
        owner = self.owner
        return owner.obs_unit.priority if isinstance(owner, ExecutedObsUnit) else owner.priority

    @property
    def observed_from(self) -> datetime:
        """When its data begin: with its execution, or with the first file of the stream. When its run began."""
        owner = self.owner
        start = self.start_time if isinstance(owner, DataStream) else owner.start_time
        assert start is not None  # noqa: S101  a constraint; only a run that began has products
        return start

    @property
    def of_what(self) -> str:
        """The target of its obs unit, or the name of its data stream or run."""
        owner = self.owner
        return owner.obs_unit.target_name if isinstance(owner, ExecutedObsUnit) else owner.name

    @property
    def owner(self) -> ExecutedObsUnit | DataStream | ProcessingRun:
        """What its files are of."""
        found = self.executed_obs_unit or self.data_stream or self.processing_run
        assert found is not None  # noqa: S101  a constraint
        return found


class DataTransferPackage(models.Model):
    """A bundle of packages for one network hop; gone after it was unpacked at its destination.

    ``size`` is the sum of its packages (manifest) or that of the tar. The route was chosen when the bundle was closed:
    ``destination_site`` is the end of this hop and ``final_site`` that of the way (another one on a relay);
    ``destination_location`` is only set by a CUSTOM or DIRECT route.
    """

    machines = {"status": STATUS_MOVES}

    name = models.CharField(max_length=255, unique=True)
    bundle_format = models.CharField(max_length=16, choices=BundleFormat.choices, default=BundleFormat.MANIFEST)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING, editable=False)
    origin_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="bundles")
    destination_site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    final_site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    destination_location = models.ForeignKey(DataLocation, models.PROTECT, null=True, blank=True, related_name="+")
    raw_data_packages = models.ManyToManyField(
        RawDataPackage, db_table="data_transfer_package_raw_data_package", related_name="data_transfer_packages"
    )
    size = models.BigIntegerField(default=0, editable=False)
    digest = models.CharField(max_length=80, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DataTransferPackageQuerySet.as_manager()

    class Meta:
        verbose_name = "bundle"
        db_table = "data_transfer_package"
        ordering = ["-created_at"]
        constraints = [
            known_values("status", Status, "bundle_status_known"),
            known_values("bundle_format", BundleFormat, "bundle_format_known"),
        ]

    def __str__(self) -> str:
        return self.name
