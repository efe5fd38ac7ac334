"""Portal pages of the light logs and of single deletions: read only, they are the audit trail."""

from __future__ import annotations

from django.contrib import admin

from ccatdc.common.admin.base import ReadOnlyAdmin, state_column
from ccatdc.common.admin.filters import DaysFilter
from ccatdc.common.states import STATUS_COLOURS
from transfer.admin.kinds import OUTCOME_COLOURS
from transfer.models import DataTransferLog, DeletionItem, LongTermArchiveTransferLog, StagingJobLog


class LogAdmin(ReadOnlyAdmin):
    state = state_column("status", STATUS_COLOURS)
    list_filter = [("timestamp", DaysFilter), "status"]
    list_filter_submit = True
    sortable_by = ["timestamp"]


@admin.register(DataTransferLog)
class DataTransferLogAdmin(LogAdmin):
    list_display = ["timestamp", "data_transfer", "state", "message", "log_path"]
    list_select_related = ["data_transfer"]


@admin.register(LongTermArchiveTransferLog)
class LongTermArchiveTransferLogAdmin(LogAdmin):
    list_display = ["timestamp", "long_term_archive_transfer", "state", "message", "log_path"]
    list_select_related = ["long_term_archive_transfer"]


@admin.register(StagingJobLog)
class StagingJobLogAdmin(LogAdmin):
    list_display = ["timestamp", "staging_job", "raw_data_package", "state", "message"]
    list_select_related = ["staging_job", "raw_data_package"]


@admin.register(DeletionItem)
class DeletionItemAdmin(ReadOnlyAdmin):
    """Single copies of deletions, with the proof that they could go."""

    outcome_shown = state_column("outcome", OUTCOME_COLOURS)
    list_display = ["physical_copy", "deletion", "outcome_shown", "reasons"]
    list_select_related = [
        "deletion",
        "physical_copy__raw_data_file",
        "physical_copy__raw_data_package",
        "physical_copy__data_transfer_package",
        "physical_copy__data_location__site",
    ]
    list_filter = ["outcome"]
    ordering = ["-id"]
    sortable_by = ()
