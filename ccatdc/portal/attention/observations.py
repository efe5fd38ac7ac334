"""Observations that never ended."""

from __future__ import annotations

from ccatdc.common.admin.badges import list_url
from ccatdc.common.units import duration_text
from ccatdc.portal.attention.lines import SHOWN, AttentionLine, Button, Seen, Uncounted, first_lines
from planning.models import ExecutedObsUnit


def overdue(_seen: Seen) -> Uncounted:
    """Running for much longer than planned."""
    page = list_url("planning", "executedobsunit")
    rows = ExecutedObsUnit.objects.overdue().select_related("obs_unit__observing_program", "obs_unit__source")
    lines = (
        AttentionLine(
            what=str(execution),
            why="Still running, though it was planned for "
            f"{duration_text(execution.obs_unit.planned_duration_s)}: its files are not packaged "
            "before its instrument says that it ended.",
            since=execution.start_time,
            url=list_url("planning", "executedobsunit", id__exact=execution.pk),
            buttons=(Button("Close", "close_selected", page, execution.pk),),
        )
        for execution in rows.order_by("start_time")[:SHOWN]
    )
    url = list_url("planning", "executedobsunit", overdue="yes")
    return first_lines("Observations that never ended", rows, lines, url)
