"""What the conditions give: lines with what is wrong, why, since when, and the buttons that help; groups of lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Value

from ccatdc.common.error_table import kind_of
from datamgmt.models import DataLocation
from transfer.models import Operation, ServiceHeartbeat

#: Lines of one kind; what is beyond is counted and linked.
SHOWN = 10
#: Rows counted of one kind.
COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """What every condition may need, read once."""

    locations: list[DataLocation]
    services: list[ServiceHeartbeat]
    running: list[Operation]

    @property
    def in_use(self) -> list[DataLocation]:
        return [each for each in self.locations if each.active and each.site.active]

    @property
    def switched_off(self) -> list[DataLocation]:
        return [each for each in self.locations if not (each.active and each.site.active)]

    def is_alive(self, location: DataLocation) -> bool:
        """Whether its worker was heard in time."""
        return any(
            each.service_type == "location" and each.name == location.full_name and not each.is_silent
            for each in self.services
            if each.stopped_at is None
        )


@dataclass(frozen=True, slots=True)
class Button:
    """An action of a model's page, posted for one row."""

    label: str
    name: str
    action_url: str
    key: Any


@dataclass(frozen=True, slots=True)
class AttentionLine:
    """One line: what is wrong, since when, why, and what helps. ``url`` is the page with all details, ``then`` what
    happens by itself and what a person does. ``cause`` stays the same as long as the same is wrong; where it is empty the
    address does.
    """

    what: str
    why: str
    since: datetime | None
    url: str
    code: str = ""
    buttons: tuple[Button, ...] = ()
    then: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class AttentionGroup:
    """All that needs attention of one kind: the first lines, how many there are (at most COUNTED), how many of them are
    not shown, and where the list is.
    """

    title: str
    lines: list[AttentionLine]
    count: int
    url: str
    more: int = 0


@dataclass(frozen=True, slots=True)
class Uncounted:
    """One kind with its first lines, and the rows of which they are."""

    title: str
    lines: list[AttentionLine]
    rows: Any
    url: str


def group(title: str, lines: Iterable[AttentionLine], url: str) -> AttentionGroup:
    """One kind, with all of its lines."""
    found = list(lines)
    return AttentionGroup(title, found, len(found), url)


def first_lines(title: str, rows: Any, lines: Iterable[AttentionLine], url: str) -> Uncounted:
    """One kind that may have many lines."""
    return Uncounted(title, list(lines), rows, url)


def count_together(groups: Iterable[AttentionGroup | Uncounted]) -> list[AttentionGroup]:
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
            found.append(AttentionGroup(each.title, each.lines, count, each.url, more))
        else:
            found.append(each)
    return found


def remedy_of(code: str) -> str:
    """What a person does about an error, as the table of error codes says."""
    kind = kind_of(code)
    return kind.remedy if kind is not None else ""
