"""The kinds of work: one child of Operation for each, with what that work needs to know and what it found."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from ccatdc.common.states import STATUS_MOVES, Status
from datamgmt.models import DataLocation, DataTransferPackage, PhysicalCopy, RawDataPackage
from datamgmt.states import PackageState, WantedCheck
from transfer.models.jobs import StagingJob
from transfer.models.operations import Operation
from transfer.models.routes import DataTransferRoute
from transfer.models.runs import ProcessingJob, RunBackend
from transfer.pipeline import OperationType


class RawDataPackageCreation(Operation):
    """Stage 10: make the tar of a package. At a SOURCE; writes into ``destination_location``, a BUFFER of the site."""

    OPERATION_TYPE = OperationType.RAW_DATA_PACKAGE_CREATION
    mirror = ("raw_data_package", "status")
    state_on_the_way: ClassVar[str] = PackageState.WAITING

    raw_data_package = models.ForeignKey(RawDataPackage, models.PROTECT, related_name="creations")
    destination_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="+")

    class Meta:
        db_table = "raw_data_package_creation"
        base_manager_name = "objects"

    def where_it_writes(self) -> int | None:
        return self.destination_location_id

    def make_subject(self) -> str:
        return f"package:{self.raw_data_package_id}"

    def packages(self) -> models.QuerySet[RawDataPackage]:
        return RawDataPackage.objects.filter(pk=self.raw_data_package_id)


class DataTransferPackageCreation(Operation):
    """Stage 20: write a bundle's manifest (or its tar of tars) into the BUFFER where its packages are.

    ``route`` is the operator's route that was chosen when the bundle was closed; stage 30 takes it from here.
    """

    OPERATION_TYPE = OperationType.DATA_TRANSFER_PACKAGE_CREATION
    mirror = ("data_transfer_package", "status")

    data_transfer_package = models.ForeignKey(DataTransferPackage, models.PROTECT, related_name="creations")
    route = models.ForeignKey(DataTransferRoute, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        db_table = "data_transfer_package_creation"
        base_manager_name = "objects"

    def make_subject(self) -> str:
        return f"bundle:{self.data_transfer_package_id}"

    def packages(self) -> models.QuerySet[RawDataPackage]:
        return self.data_transfer_package.raw_data_packages.all()


class DataTransfer(Operation):
    """Stage 30: move a bundle to another place. At the BUFFER that has it.

    ``received`` maps what arrived to its key at the destination: package ids (manifest) or ``bundle`` (tar).
    ``unpack_status`` mirrors stage 40, so that a failed unpacking is retried without a second transfer. A DIRECT
    transfer ends in an archive and has nothing to unpack. ``streams`` is how many moved it, or, while it is not done, how
    many the next attempt uses because more crashed; empty: as its route says.
    """

    OPERATION_TYPE = OperationType.DATA_TRANSFER
    machines = {"status": STATUS_MOVES, "unpack_status": STATUS_MOVES}

    data_transfer_package = models.ForeignKey(DataTransferPackage, models.PROTECT, related_name="data_transfers")
    origin_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="+")
    destination_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="+")
    route = models.ForeignKey(DataTransferRoute, models.PROTECT, null=True, blank=True, related_name="data_transfers")
    method = models.CharField(max_length=16, blank=True, editable=False)
    streams = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    unpack_status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING, editable=False)
    received = models.JSONField(default=dict, blank=True, editable=False)
    bytes_transferred = models.BigIntegerField(default=0, editable=False)
    seconds = models.FloatField(null=True, blank=True, editable=False)
    checksum_verified = models.BooleanField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "data_transfer"
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["data_transfer_package", "destination_location"], name="transfer_once_per_destination"
            ),
            models.CheckConstraint(
                condition=~Q(origin_location=F("destination_location")), name="transfer_goes_somewhere"
            ),
        ]

    def where_it_writes(self) -> int | None:
        return self.destination_location_id

    def make_subject(self) -> str:
        return f"bundle:{self.data_transfer_package_id}@{self.destination_location_id}"

    def packages(self) -> models.QuerySet[RawDataPackage]:
        return self.data_transfer_package.raw_data_packages.all()

    @property
    def rate_mb_s(self) -> float | None:
        """Megabytes (10^6) per second over the whole transfer."""
        return self.bytes_transferred / self.seconds / 1e6 if self.seconds else None


class DataTransferUnpacking(Operation):
    """Stage 40: verify what arrived and put each package in its place. At the BUFFER that received the bundle."""

    OPERATION_TYPE = OperationType.DATA_TRANSFER_UNPACKING
    mirror = ("data_transfer", "unpack_status")

    data_transfer = models.ForeignKey(DataTransfer, models.PROTECT, related_name="unpackings")

    class Meta:
        db_table = "data_transfer_unpacking"
        base_manager_name = "objects"

    def make_subject(self) -> str:
        return f"transfer:{self.data_transfer_id}"

    def packages(self) -> models.QuerySet[RawDataPackage]:
        return self.data_transfer.data_transfer_package.raw_data_packages.all()


class LongTermArchiveTransfer(Operation):
    """Stage 50: put a package and its sidecar into an archive. At the LONG_TERM_ARCHIVE.

    The origin is a BUFFER of the site, or another archive (secondary route: replicas, history of a new site).
    """

    OPERATION_TYPE = OperationType.LONG_TERM_ARCHIVE_TRANSFER

    raw_data_package = models.ForeignKey(RawDataPackage, models.PROTECT, related_name="archive_transfers")
    origin_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="+")
    destination_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="+")
    object_key = models.CharField(max_length=1024, blank=True, editable=False)
    sidecar_key = models.CharField(max_length=1024, blank=True, editable=False)
    checksum_verified = models.BooleanField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "long_term_archive_transfer"
        base_manager_name = "objects"

    def make_subject(self) -> str:
        return f"package:{self.raw_data_package_id}@{self.destination_location_id}"

    def packages(self) -> models.QuerySet[RawDataPackage]:
        return RawDataPackage.objects.filter(pk=self.raw_data_package_id)


class Staging(Operation):
    """Stage 60: bring one package of one staging job to a PROCESSING location, unpacked and verified.

    The subject is package and place: a second job that asks for the same package waits, then finds it and only links
    it.
    """

    OPERATION_TYPE = OperationType.STAGING

    staging_job = models.ForeignKey(StagingJob, models.PROTECT, related_name="stagings")
    raw_data_package = models.ForeignKey(RawDataPackage, models.PROTECT, related_name="stagings")
    origin_location = models.ForeignKey(DataLocation, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        db_table = "staging"
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["staging_job", "raw_data_package"], name="staging_once_per_job")]

    def make_subject(self) -> str:
        return f"package:{self.raw_data_package_id}@{self.location_id}"


class Deletion(Operation):
    """Stage 70: delete a batch of copies, each for itself. At the location that has them."""

    OPERATION_TYPE = OperationType.DELETION

    class Meta:
        db_table = "deletion"
        base_manager_name = "objects"

    def where_it_writes(self) -> int | None:
        return None

    def make_subject(self) -> str:
        """Each batch is its own subject: what is in it is claimed copy by copy (DELETION_SCHEDULED)."""
        return self.subject or f"batch:{self.created_at.isoformat()}@{self.location_id}"


class DeletionOutcome(models.TextChoices):
    """What became of one copy of a batch."""

    PENDING = "pending", "Pending"
    DELETED = "deleted", "Deleted"
    KEPT = "kept", "Kept: a reason appeared"
    FAILED = "failed", "Failed"


class DeletionItem(models.Model):
    """One copy of a batch, what became of it, and the proof that it could go."""

    deletion = models.ForeignKey(Deletion, models.PROTECT, related_name="items")
    physical_copy = models.ForeignKey(PhysicalCopy, models.PROTECT, related_name="deletion_items")
    outcome = models.CharField(max_length=16, choices=DeletionOutcome.choices, default=DeletionOutcome.PENDING)
    reasons = models.JSONField(default=list, blank=True)

    class Meta:
        verbose_name = "deletion of a copy"
        verbose_name_plural = "deletions of copies"
        db_table = "deletion_item"
        indexes = [
            # What was not deleted is rare.
            models.Index(
                fields=["outcome", "id"],
                condition=~Q(outcome=DeletionOutcome.DELETED),
                name="deletion_item_not_deleted",
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["deletion", "physical_copy"], name="deletion_item_once_per_batch")
        ]

    def __str__(self) -> str:
        return f"{self.physical_copy_id}: {self.outcome}"


class RunSubmission(Operation):
    """Stage 62: hand one submission of a run over to the backend. At the PROCESSING location."""

    OPERATION_TYPE = OperationType.RUN_SUBMISSION

    processing_job = models.ForeignKey(ProcessingJob, models.PROTECT, related_name="run_submissions")
    submission = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "run_submission"
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["processing_job", "submission"], name="run_submitted_once")]

    def make_subject(self) -> str:
        return f"run:{self.processing_job_id}"


class RunFollowing(Operation):
    """Stage 64: ask a backend how its jobs are. ``jobs`` are the keys of the processing jobs."""

    OPERATION_TYPE = OperationType.RUN_FOLLOWING

    run_backend = models.ForeignKey(RunBackend, models.PROTECT, related_name="followings")
    jobs = ArrayField(models.BigIntegerField())

    class Meta:
        db_table = "run_following"
        base_manager_name = "objects"

    def where_it_writes(self) -> int | None:
        return None

    def make_subject(self) -> str:
        return f"backend:{self.run_backend_id}"


class RunCollection(Operation):
    """Stage 66: take over what a run made. ``collected`` lists the products and their files at the results' location, from which
    the manager files them.
    """

    OPERATION_TYPE = OperationType.RUN_COLLECTION

    processing_job = models.OneToOneField(ProcessingJob, models.PROTECT, related_name="run_collection")
    results_location = models.ForeignKey(DataLocation, models.PROTECT, related_name="+")
    collected = models.JSONField(default=list, blank=True, editable=False)

    class Meta:
        db_table = "run_collection"
        base_manager_name = "objects"

    def where_it_writes(self) -> int | None:
        return self.results_location_id

    def make_subject(self) -> str:
        return f"run:{self.processing_job_id}"


class Verification(Operation):
    """Stage 90: look at copies of one location, or read them in full. ``copies`` are their keys."""

    OPERATION_TYPE = OperationType.VERIFICATION

    kind = models.CharField(max_length=8, choices=WantedCheck.choices)
    copies = ArrayField(models.BigIntegerField())

    class Meta:
        db_table = "verification"
        base_manager_name = "objects"

    def where_it_writes(self) -> int | None:
        return None

    def make_subject(self) -> str:
        """One of a kind at a location at a time: reading is on a budget."""
        return f"{self.kind}@{self.location_id}"


class Inventory(Operation):
    """Stage 95: compare what is stored at a location with the catalogue. ``is_full``: list all of it; else only do what
    people decided about unrecorded files.
    """

    OPERATION_TYPE = OperationType.INVENTORY

    is_full = models.BooleanField(default=True)

    class Meta:
        db_table = "inventory"
        base_manager_name = "objects"
        verbose_name_plural = "inventories"

    def where_it_writes(self) -> int | None:
        return None

    def make_subject(self) -> str:
        return f"location:{self.location_id}"


class LocationCheck(Operation):
    """Stage 80: is the location itself, and how full is it?"""

    OPERATION_TYPE = OperationType.MONITORING

    class Meta:
        db_table = "location_check"
        base_manager_name = "objects"

    def where_it_writes(self) -> int | None:
        return None

    def make_subject(self) -> str:
        return f"location:{self.location_id}"
