"""Pages of large tables for people: nobody waits for the exact number of 10^8 rows."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

#: Rows that a list counts before it says "that many or more".
COUNTED_ROWS = 10_000


class BoundedPaginator(Paginator[Any]):
    """Counts no further than :data:`COUNTED_ROWS`; who looks for more narrows the list by filters."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or the bound."""
        rows: Any = self.object_list
        # A table of django-tables2 hands over its own wrapping of the query.
        rows = getattr(rows, "data", rows)
        rows = getattr(rows, "data", rows)
        return int(rows.order_by()[:COUNTED_ROWS].count())

    @property
    def count_is_bound(self) -> bool:
        """Whether there may be more."""
        return self.count >= COUNTED_ROWS
