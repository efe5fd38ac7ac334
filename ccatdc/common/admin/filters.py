"""Filters of lists that may have 10^6 rows and more: their choices are not looked for in the rows.

Django's own date hierarchy and its choices by related rows read the whole table to find out what there is.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    # unfold has no types.
    from django.contrib.admin import DateFieldListFilter as UnfoldRangeDateFilter
else:
    from unfold.contrib.filters.admin import RangeDateFilter as UnfoldRangeDateFilter


class DaysFilter(UnfoldRangeDateFilter):
    """From one day (UTC) to another, both included; either may be left out. A page that has it needs
    ``list_filter_submit``.
    """

    def queryset(self, _request: HttpRequest, rows: Any) -> Any:
        """Rows of these days; what is no day narrows nothing."""
        first, last = (_day(self.used_parameters.get(f"{self.field_path}_{s}")) for s in ENDS)
        if first is not None:
            rows = rows.filter(**{f"{self.field_path}__gte": first})
        if last is not None:
            rows = rows.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return rows


ENDS = ("from", "to")


def _day(text: object) -> datetime | None:
    """The beginning of a day; None for anything else."""
    try:
        return datetime.combine(date.fromisoformat(str(text)), time.min, UTC)
    except ValueError:
        return None
