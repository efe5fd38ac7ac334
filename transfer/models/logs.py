"""Light rows about each change of a transfer, an archive transfer or a staging job; the long text is in a file.

Source: ops-db "transfer model": status and path of the log in the database, output in files, numbers in the metrics.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import User
from ccatdc.common.states import Status
from datamgmt.models import RawDataPackage
from transfer.models.jobs import StagingJob
from transfer.models.work import DataTransfer, LongTermArchiveTransfer


class LogEntry(models.Model):
    """What every log row has."""

    timestamp = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.CharField(max_length=16, choices=Status.choices)
    message = models.TextField(blank=True)
    log_path = models.CharField(max_length=1024, blank=True)

    class Meta:
        abstract = True
        ordering = ["-timestamp"]

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} {self.status} {self.message}"


class DataTransferLog(LogEntry):
    """One change of a transfer."""

    data_transfer = models.ForeignKey(DataTransfer, models.PROTECT, related_name="logs")

    class Meta(LogEntry.Meta):
        verbose_name = "transfer log entry"
        verbose_name_plural = "transfer log"
        db_table = "data_transfer_log"
        indexes = [models.Index(fields=["status", "-timestamp"], name="transfer_log_by_status")]


class LongTermArchiveTransferLog(LogEntry):
    """One change of an archive transfer."""

    long_term_archive_transfer = models.ForeignKey(LongTermArchiveTransfer, models.PROTECT, related_name="logs")

    class Meta(LogEntry.Meta):
        verbose_name = "archive transfer log entry"
        verbose_name_plural = "archive transfer log"
        db_table = "long_term_archive_transfer_log"
        indexes = [models.Index(fields=["status", "-timestamp"], name="archive_log_by_status")]


class StagingJobLogQuerySet(models.QuerySet["StagingJobLog"]):
    """Questions about what happened to jobs."""

    def visible_to(self, user: User) -> StagingJobLogQuerySet:
        return self.filter(staging_job__requested_by=user)


class StagingJobLog(LogEntry):
    """One change of a staging job, or of one of its packages."""

    staging_job = models.ForeignKey(StagingJob, models.PROTECT, related_name="logs")
    raw_data_package = models.ForeignKey(RawDataPackage, models.PROTECT, null=True, blank=True, related_name="+")

    objects = StagingJobLogQuerySet.as_manager()

    class Meta(LogEntry.Meta):
        verbose_name = "staging log entry"
        verbose_name_plural = "staging log"
        db_table = "staging_job_log"
        indexes = [models.Index(fields=["status", "-timestamp"], name="job_log_by_status")]
