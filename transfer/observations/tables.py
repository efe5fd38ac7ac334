"""The list of observations that a search finds."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.admin.badges import badge
from ccatdc.common.units import NOTHING, duration_text, size_text
from planning.models import ExecutedObsUnit
from transfer.observations.lines import Line, lines
from transfer.staging.basket import Basket

QUALITY_COLOURS = {"good": "success", "usable": "warning", "bad": "danger"}
_NUMBER: Any = {"td": {"class": "num nowrap"}, "th": {"class": "num"}}


class ObservationTable(tables.Table):  # type: ignore[misc]
    """Sorted by the time, of which there is an index: sorting by others would read every row that matches."""

    tick = tables.Column(accessor="pk", verbose_name="Choose", orderable=False)
    start_time = tables.Column(verbose_name="Start (UTC)", attrs={"td": {"class": "nowrap"}})
    source = tables.Column(accessor="obs_unit__target_name", verbose_name="Source", orderable=False)
    obs_unit = tables.Column(accessor="obs_unit__name", verbose_name="Obs unit", orderable=False)
    program = tables.Column(accessor="obs_unit__observing_program", verbose_name="Program", orderable=False)
    mode = tables.Column(accessor="obs_unit__obs_mode", verbose_name="Mode", orderable=False)
    modules = tables.Column(accessor="pk", verbose_name="Modules", orderable=False)
    lasted = tables.Column(accessor="pk", verbose_name="Duration", orderable=False, attrs=_NUMBER)
    pwv_mm_mean = tables.Column(verbose_name="PWV mm", orderable=False, attrs=_NUMBER, default=NOTHING)
    elevation_deg_mean = tables.Column(verbose_name="El. °", orderable=False, attrs=_NUMBER, default=NOTHING)
    quality = tables.Column(orderable=False)
    archived = tables.Column(accessor="pk", verbose_name="Archived", orderable=False, attrs=_NUMBER)
    size = tables.Column(accessor="pk", verbose_name="Size", orderable=False, attrs=_NUMBER)

    class Meta:
        model = ExecutedObsUnit
        fields: list[str] = []
        order_by = "-start_time"
        empty_text = "No observation matches."

    def __init__(self, *args: Any, basket: Basket, may_stage: bool, **kwargs: Any) -> None:
        super().__init__(*args, exclude=() if may_stage else ("tick",), **kwargs)
        self._basket = basket

    def render_tick(self, record: ExecutedObsUnit) -> SafeString | str:
        """The box; what is in the basket has none."""
        if record.pk in self._basket:
            return "in the basket"
        label = f"Choose {record.obs_unit.target_name}, {record.start_time:%Y-%m-%d %H:%M}"
        box = '<input type="checkbox" name="observation" value="{}" aria-label="{}">'
        return format_html(box, record.pk, label)

    def gather(self) -> None:
        """Ask what the rows of the shown page need, for all at once."""
        self._lines: dict[Any, Line] = {line.row.pk: line for line in lines([row.record for row in self.page])}

    def render_start_time(self, record: ExecutedObsUnit) -> SafeString:
        """To its page."""
        address = reverse("observations:observation", args=[record.pk])
        return format_html('<a href="{}">{}</a>', address, f"{record.start_time:%Y-%m-%d %H:%M}")

    def render_modules(self, record: ExecutedObsUnit) -> str:
        return ", ".join(self._lines[record.pk].modules) or NOTHING

    def render_lasted(self, record: ExecutedObsUnit) -> str:
        return "running" if record.end_time is None else duration_text(record.end_time - record.start_time)

    def render_pwv_mm_mean(self, value: float) -> str:
        return f"{value:.2f}"

    def render_elevation_deg_mean(self, value: float) -> str:
        return f"{value:.0f}"

    def render_quality(self, record: ExecutedObsUnit) -> SafeString:
        return quality_badge(record)

    def render_archived(self, record: ExecutedObsUnit) -> str:
        line = self._lines[record.pk]
        return f"{line.archived} of {line.packages}" if line.packages else NOTHING

    def render_size(self, record: ExecutedObsUnit) -> str:
        return size_text(self._lines[record.pk].size)


def quality_badge(row: ExecutedObsUnit) -> SafeString:
    """The observer's judgement."""
    return badge(row.get_quality_display(), QUALITY_COLOURS.get(row.quality, "default"))
