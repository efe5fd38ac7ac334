"""THE TABLE: the stages of the flow, in order. Everything that differs from stage to stage by name is derived from it.

One line adds a stage: its operation type, the location types at which it runs (the seeds' operation-location matrix),
and the modules of its manager and its operation as dotted names, so that the table imports no stage and every layer may
read it. Queue names, ``run_managers``, admin labels and metric tags come from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.module_loading import import_string

from datamgmt.models import LocationType


class OperationType(models.TextChoices):
    """Kinds of work (seeds: OperationType)."""

    RAW_DATA_PACKAGE_CREATION = "raw_data_package_creation", "Raw data package creation"
    DATA_TRANSFER_PACKAGE_CREATION = ("data_transfer_package_creation", "Data transfer package creation")
    DATA_TRANSFER = "data_transfer", "Data transfer"
    DATA_TRANSFER_UNPACKING = "data_transfer_unpacking", "Data transfer unpacking"
    LONG_TERM_ARCHIVE_TRANSFER = "long_term_archive_transfer", "Long-term archive transfer"
    STAGING = "staging", "Staging"
    RUN_SUBMISSION = "run_submission", "Run submission"
    RUN_FOLLOWING = "run_following", "Run following"
    RUN_COLLECTION = "run_collection", "Run collection"
    DELETION = "deletion", "Deletion"
    MONITORING = "monitoring", "Monitoring"
    VERIFICATION = "verification", "Verification"
    INVENTORY = "inventory", "Inventory"


@dataclass(frozen=True)
class Stage:
    name: str
    operation_type: OperationType
    at: frozenset[LocationType]
    manager: str
    operation: str

    def load_manager(self) -> type[Any]:
        """The manager's class: scans and schedules."""
        loaded: type[Any] = import_string(self.manager)
        return loaded

    def load_operation(self) -> type[Any]:
        """The operation's class: does the work."""
        loaded: type[Any] = import_string(self.operation)
        return loaded


def _stage(
    module: str, operation_type: OperationType, at: Iterable[LocationType], manager: str, operation: str
) -> Stage:
    return Stage(
        module.partition("_")[2],
        operation_type,
        frozenset(at),
        f"transfer.managers.{module}.{manager}",
        f"transfer.operations.{module}.{operation}",
    )


_L, _O = LocationType, OperationType

# fmt: off
PIPELINE: tuple[Stage, ...] = (
    _stage("s10_package",  _O.RAW_DATA_PACKAGE_CREATION,      {_L.SOURCE},                            "PackageManager",  "CreatePackage"),
    _stage("s20_bundle",   _O.DATA_TRANSFER_PACKAGE_CREATION, {_L.BUFFER},                            "BundleManager",   "CreateBundle"),
    _stage("s30_transfer", _O.DATA_TRANSFER,                  {_L.BUFFER},                            "TransferManager", "TransferBundle"),
    _stage("s40_unpack",   _O.DATA_TRANSFER_UNPACKING,        {_L.BUFFER},                            "UnpackManager",   "UnpackBundle"),
    _stage("s50_archive",  _O.LONG_TERM_ARCHIVE_TRANSFER,     {_L.LONG_TERM_ARCHIVE},                 "ArchiveManager",  "ArchivePackage"),
    _stage("s60_stage",    _O.STAGING,                        {_L.PROCESSING},                        "StagingManager",  "StagePackage"),
    _stage("s62_submit",   _O.RUN_SUBMISSION,                 {_L.PROCESSING},                        "SubmitManager",   "SubmitRun"),
    _stage("s64_follow",   _O.RUN_FOLLOWING,                  {_L.PROCESSING},                        "FollowManager",   "FollowRuns"),
    _stage("s66_collect",  _O.RUN_COLLECTION,                 {_L.PROCESSING},                        "CollectManager",  "CollectResults"),
    _stage("s70_delete",   _O.DELETION,                       {_L.SOURCE, _L.BUFFER, _L.PROCESSING},  "DeletionManager", "DeleteCopies"),
    _stage("s80_monitor",  _O.MONITORING,                     set(_L),                                "MonitorManager",  "CheckLocation"),
    _stage("s90_scrub",    _O.VERIFICATION,                   {_L.BUFFER, _L.LONG_TERM_ARCHIVE},      "ScrubManager",    "VerifyCopies"),
    _stage("s95_inventory", _O.INVENTORY,                     set(_L),                                "InventoryManager", "TakeInventory"),
)
# fmt: on


def stage_of(operation_type: str) -> Stage:
    """The line of the table for this kind of work."""
    return next(stage for stage in PIPELINE if stage.operation_type == operation_type)


def operations_at(location_type: str) -> tuple[OperationType, ...]:
    """The kinds of work at locations of this type, in the order of the flow (seeds: QUEUE_OPERATIONS_BY_LOCATION_TYPE)."""
    return tuple(stage.operation_type for stage in PIPELINE if location_type in stage.at)
