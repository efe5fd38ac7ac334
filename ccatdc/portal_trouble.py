"""What a line of trouble on the portal's first page is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


def counted(title: str, rows: Any, lines: Iterable[Trouble], url: str) -> TroubleGroup:
    """Counts only when the first lines did not show all of it: most of the time no second query."""
    found = list(lines)
    count = len(found) if len(found) < SHOWN else rows.order_by()[:COUNTED].count()
    return TroubleGroup(title, found, count, url, more=max(0, count - len(found)))
