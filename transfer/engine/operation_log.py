"""Log rows about transfers, archive transfers and stagings: one at each change of their status.

Written beside the runner, dispatch and the watchdog, in their transactions. The long text is in the operation's log
file (transfer/engine/worker/logs.py), the state itself in the operation row.
"""

from __future__ import annotations

from transfer.models import (
    DataTransfer,
    DataTransferLog,
    LongTermArchiveTransfer,
    LongTermArchiveTransferLog,
    Operation,
    Staging,
    StagingJobLog,
)


def note(operation: Operation, message: str) -> None:
    """Note the operation's present status with ``message``, where its kind has a log."""
    common = {"status": operation.status, "message": message, "log_path": operation.log_path}
    if isinstance(operation, DataTransfer):
        DataTransferLog.objects.create(data_transfer=operation, **common)
    elif isinstance(operation, LongTermArchiveTransfer):
        LongTermArchiveTransferLog.objects.create(long_term_archive_transfer=operation, **common)
    elif isinstance(operation, Staging):
        StagingJobLog.objects.create(
            staging_job_id=operation.staging_job_id, raw_data_package_id=operation.raw_data_package_id, **common
        )
