"""What a line of trouble on the portal's first page is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Value

#: Lines of one kind of trouble; what is beyond is counted and linked.
SHOWN = 10
#: Rows counted of one kind of trouble.
COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Button:
    """An action of a model's page, posted for one row."""

    label: str
    name: str
    action_url: str
    key: Any


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line: what is wrong, since when, why, and what helps. ``url`` is the page with all details."""

    what: str
    why: str
    since: datetime | None
    url: str
    code: str = ""
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class TroubleGroup:
    """All trouble of one kind: the first lines, how many there are (at most COUNTED), how many of
    them are not shown, and where the list is.
    """

    title: str
    lines: list[Trouble]
    count: int
    url: str
    more: int = 0


def group(title: str, lines: Iterable[Trouble], url: str) -> TroubleGroup:
    """One kind of trouble, with all of its lines."""
    found = list(lines)
    return TroubleGroup(title, found, len(found), url)


@dataclass(frozen=True, slots=True)
class Uncounted:
    """One kind of trouble with its first lines, and the rows of which they are."""

    title: str
    lines: list[Trouble]
    rows: Any
    url: str


def first_lines(title: str, rows: Any, lines: Iterable[Trouble], url: str) -> Uncounted:
    """One kind of trouble that may have many lines."""
    return Uncounted(title, list(lines), rows, url)


def count_together(groups: Iterable[TroubleGroup | Uncounted]) -> list[TroubleGroup]:
    """Counts where the first lines did not show all of it: no query most of the time, never two."""
    all_groups = list(groups)
    full = [each for each in all_groups if isinstance(each, Uncounted) and len(each.lines) >= SHOWN]
    rows = [
        each.rows.order_by().annotate(of_group=Value(number)).values_list("of_group")[:COUNTED]
        for number, each in enumerate(full)
    ]
    counts = Counter(n for (n,) in (rows[0].union(*rows[1:], all=True) if rows else ()))
    found = []
    for each in all_groups:
        if isinstance(each, Uncounted):
            count = counts[full.index(each)] if each in full else len(each.lines)
            more = max(0, count - len(each.lines))
            found.append(TroubleGroup(each.title, each.lines, count, each.url, more))
        else:
            found.append(each)
    return found
