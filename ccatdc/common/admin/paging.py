"""Pages of large tables for people: nobody waits for the exact number of 10^8 rows."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

#: Rows that a list counts before it says "that many or more".
COUNTED_ROWS = 2_000


#: Rows before a page from which on it is deep inside.
DEEP = 1000


class BoundedPaginator(Paginator[Any]):
    """Counts no further than :data:`COUNTED_ROWS`; who looks for more narrows the list by filters."""

    def page(self, number: Any) -> Any:
        """A page. One deep inside is found by its keys first: what is skipped is not joined."""
        found = super().page(number)
        rows: Any = self.object_list
        first = (found.number - 1) * self.per_page
        if first < DEEP or not isinstance(rows, QuerySet):
            return found
        keys = list(rows.values_list("pk", flat=True)[first : first + self.per_page])
        return Page(rows.filter(pk__in=keys), found.number, self)

    @cached_property
    def count(self) -> int:
        """The number of rows, or the bound."""
        rows: Any = self.object_list
        # A table of django-tables2 passes its own wrapper of the query.
        rows = getattr(rows, "data", rows)
        rows = getattr(rows, "data", rows)
        return int(rows.order_by()[:COUNTED_ROWS].count())

    @property
    def count_is_bound(self) -> bool:
        return self.count >= COUNTED_ROWS
