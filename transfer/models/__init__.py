"""Work and its records: operations, routes, staging jobs, logs, the pulse of the processes, and totals over time."""

from transfer.models.downloads import Download
from transfer.models.health import CircuitBreaker, ServiceHeartbeat
from transfer.models.jobs import StagingJob
from transfer.models.logs import DataTransferLog, LongTermArchiveTransferLog, StagingJobLog
from transfer.models.operations import OPEN_OPERATION, Operation
from transfer.models.queries import QueryJob
from transfer.models.quotas import StagingQuota
from transfer.models.routes import DataTransferRoute, RoundRobinCursor, RouteType
from transfer.models.runs import ProcessingJob, ReductionPipeline, RunBackend
from transfer.models.totals import LocationUsage, WorkTotal
from transfer.models.work import (
    DataTransfer,
    DataTransferPackageCreation,
    DataTransferUnpacking,
    Deletion,
    DeletionItem,
    Inventory,
    LocationCheck,
    LongTermArchiveTransfer,
    RawDataPackageCreation,
    RunCollection,
    RunFollowing,
    RunSubmission,
    Staging,
    Verification,
)

__all__ = [
    "OPEN_OPERATION",
    "CircuitBreaker",
    "DataTransfer",
    "DataTransferLog",
    "DataTransferPackageCreation",
    "DataTransferRoute",
    "DataTransferUnpacking",
    "Deletion",
    "DeletionItem",
    "Download",
    "Inventory",
    "LocationCheck",
    "LocationUsage",
    "LongTermArchiveTransfer",
    "LongTermArchiveTransferLog",
    "Operation",
    "ProcessingJob",
    "QueryJob",
    "RawDataPackageCreation",
    "ReductionPipeline",
    "RoundRobinCursor",
    "RouteType",
    "RunBackend",
    "RunCollection",
    "RunFollowing",
    "RunSubmission",
    "ServiceHeartbeat",
    "Staging",
    "StagingJob",
    "StagingJobLog",
    "StagingQuota",
    "Verification",
    "WorkTotal",
]
