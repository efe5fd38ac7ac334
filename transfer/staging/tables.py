"""The lists of the scientists' pages: archived packages to choose from, and one's own jobs."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.admin.badges import badge, state_badge
from ccatdc.common.states import STATUS_COLOURS
from ccatdc.common.units import size_text
from datamgmt.models import RawDataPackage
from transfer.models import StagingJob
from transfer.staging.selection import Selection


class PackageTable(tables.Table):  # type: ignore[misc]
    """Archived packages with a box to tick. Sorted by columns that have an index."""

    tick = tables.Column(accessor="pk", verbose_name="Choose", orderable=False)
    observed = tables.DateTimeColumn(
        accessor="observed_from",
        order_by="executed_obs_unit__start_time",
        format="Y-m-d H:i",
        verbose_name="Observed (UTC)",
        attrs={"td": {"class": "nowrap"}},
    )
    source = tables.Column(
        accessor="of_what", verbose_name="Source or stream", orderable=False, attrs={"td": {"class": "nowrap"}}
    )
    program = tables.Column(
        accessor="executed_obs_unit__obs_unit__observing_program", verbose_name="Program", orderable=False
    )
    instrument_module = tables.Column(verbose_name="Instrument", orderable=False)
    name = tables.Column(verbose_name="Package", attrs={"td": {"class": "breakable"}})
    file_count = tables.Column(
        verbose_name="Files", orderable=False, attrs={"td": {"class": "num"}, "th": {"class": "num"}}
    )
    size = tables.Column(orderable=False, attrs={"td": {"class": "num nowrap"}, "th": {"class": "num"}})
    archived_at = tables.DateTimeColumn(format="Y-m-d", verbose_name="Archived")

    class Meta:
        model = RawDataPackage
        fields: list[str] = []
        sequence = (
            "tick",
            "observed",
            "source",
            "program",
            "instrument_module",
            "name",
            "file_count",
            "size",
            "archived_at",
        )
        order_by = "-archived_at"
        empty_text = "No archived package matches."

    def __init__(self, *args: Any, selection: Selection, may_stage: bool, **kwargs: Any) -> None:
        self.selection = selection
        super().__init__(*args, exclude=() if may_stage else ("tick",), **kwargs)

    def render_tick(self, record: RawDataPackage) -> SafeString:
        """The box, and the note that this row was shown: an unticked box posts nothing."""
        return format_html(
            '<input type="hidden" name="shown" value="{0}"><input type="checkbox" name="package"'
            ' value="{0}" data-bytes="{1}" aria-label="Choose {2}"{3}>',
            record.pk,
            record.size or 0,
            record.name,
            SafeString(" checked") if record.pk in self.selection else "",
        )

    def render_size(self, value: int) -> str:
        return size_text(value)


class JobTable(tables.Table):  # type: ignore[misc]
    name = tables.Column(accessor="pk", verbose_name="Job", orderable=False)
    state = tables.Column(accessor="status", orderable=False)
    total_bytes = tables.Column(
        verbose_name="Size", attrs={"td": {"class": "num nowrap"}, "th": {"class": "num"}}, orderable=False
    )
    destination_location = tables.Column(verbose_name="Where", orderable=False)
    created_at = tables.DateTimeColumn(format="Y-m-d H:i", verbose_name="Asked (UTC)", orderable=False)
    expires_at = tables.Column(verbose_name="Data stays until (UTC)", orderable=False)

    class Meta:
        model = StagingJob
        fields: list[str] = []
        sequence = ("name", "state", "total_bytes", "destination_location", "created_at", "expires_at")
        empty_text = "You have not asked for any data yet."

    def render_name(self, record: StagingJob) -> SafeString:
        """To the page that follows it."""
        return format_html('<a href="{}">{}</a>', reverse("staging:job", args=[record.pk]), str(record))

    def render_state(self, record: StagingJob) -> SafeString:
        """How far it is, or how it ended."""
        return job_badge(record)

    def render_expires_at(self, record: StagingJob) -> str:
        """As long as the job is active."""
        return f"{record.expires_at:%Y-%m-%d %H:%M}" if record.active else "gone or going"

    def render_total_bytes(self, value: int) -> str:
        return size_text(value)


def job_badge(job: StagingJob) -> SafeString:
    """The state of a job for its owner: cancelled and expired say more than how far it had come."""
    if job.cancelled_at:
        return badge("Cancelled", "default")
    if not job.active:
        return badge("Expired", "default")
    return state_badge(job.status, job.get_status_display(), STATUS_COLOURS)
