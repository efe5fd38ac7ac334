"""The page *Over time*: what was done in each hour, day or month, how full locations are and will be, what waited and failed.

All of it is read from rows of totals (transfer/models/totals.py), never from the flow: a page costs the same after ten
years. The forecast is that of the first page (``DataLocation.full_at``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from django.utils import timezone

from ccatdc.portal.charts import Chart, Series, chart
from ccatdc.portal.overview import DAILY_BYTES
from datamgmt.models import DataLocation
from transfer.admin.locations import usage_bar
from transfer.models import LocationUsage, WorkTotal
from transfer.models.totals import FILING, KINDS, MONTH, Period
from transfer.pipeline import OperationType

#: What happens to bytes on their way, and which kind of work counts it.
FLOW: Final = (
    ("Filed", FILING),
    ("Packaged", OperationType.RAW_DATA_PACKAGE_CREATION),
    ("Transferred", OperationType.DATA_TRANSFER),
    ("Archived", OperationType.LONG_TERM_ARCHIVE_TRANSFER),
    ("Staged", OperationType.STAGING),
    ("Deleted", OperationType.DELETION),
)
_LABELS: Final = {str(kind): str(label) for kind, label in KINDS}
_NAMES: Final = {Period.HOUR: "hour", Period.DAY: "day", MONTH: "month"}
_DAY: Final = timedelta(days=1)
#: Of a step without work.
_NOTHING: Final[Mapping[str, Any]] = dict.fromkeys((*WorkTotal.ADDED, *WorkTotal.MOST), 0)


@dataclass(frozen=True, slots=True)
class Span:
    """A choice of how far back, in which steps, and how far ahead the forecast is drawn."""

    key: str
    label: str
    back: timedelta
    step: str
    ahead: timedelta = timedelta(0)


SPANS: Final = (
    Span("day", "24 hours", _DAY, Period.HOUR, timedelta(hours=12)),
    Span("week", "7 days", 7 * _DAY, Period.HOUR, 2 * _DAY),
    Span("month", "30 days", 30 * _DAY, Period.DAY, 7 * _DAY),
    Span("year", "A year", 365 * _DAY, Period.DAY, 30 * _DAY),
    Span("decade", "Ten years", 3652 * _DAY, MONTH),
)


def span_named(key: str | None) -> Span:
    """The one that was asked for, else the first."""
    return next((span for span in SPANS if span.key == key), SPANS[0])


class OverTime:
    """What the template shows."""

    def __init__(self, span: Span, now: datetime | None = None) -> None:
        self.span, self.spans = span, SPANS
        self.now = (now or timezone.now()).astimezone(UTC)
        self.begin = _floor(self.now - span.back, span.step)
        self.steps = list(_steps(self.begin, self.now, span.step))
        self.labels = [self._label(step) for step in self.steps]
        self._locations = {each.pk: each for each in DataLocation.objects.non_polymorphic().with_site()}

    @property
    def charts(self) -> list[Chart]:
        return [*self._moved(), *self._fill(), *self._queues(), self._links(), self._failures(), self._durations()]

    @property
    def throughput(self) -> list[dict[str, Any]]:
        """One row for each step of the flow: in all, for a day, of what the telescope may write in a day."""
        days = max((self.now - self.begin) / _DAY, 1 / 24)
        sums = self._sums
        return [
            {
                "name": name,
                "bytes": sums.get(kind, {}).get("bytes", 0),
                "files": sums.get(kind, {}).get("files", 0),
                "daily": sums.get(kind, {}).get("bytes", 0) / days,
                "percent": 100 * sums.get(kind, {}).get("bytes", 0) / days / DAILY_BYTES,
            }
            for name, kind in FLOW
        ]

    @property
    def work(self) -> list[dict[str, Any]]:
        """Operations of each kind that were done or failed."""
        return [
            {
                "label": label,
                "done": row["done"],
                "failed": row["failed"],
                "mean": row["seconds"] / row["done"] if row["done"] else None,
                "longest": row["longest_seconds"],
            }
            for kind, label in _LABELS.items()
            if kind != FILING and (row := self._sums.get(kind)) and (row["done"] or row["failed"])
        ]

    @property
    def forecast(self) -> list[dict[str, Any]]:
        """Each location in use: how full, how fast it fills, when nothing will be written there any more."""
        return [
            {
                "location": each,
                "usage": usage_bar(each),
                "daily": None if each.fill_bytes_per_s is None else each.fill_bytes_per_s * _DAY.total_seconds(),
                "full_at": each.full_at,
            }
            for each in self._locations.values()
            if each.active and each.site.active
        ]

    @cached_property
    def _of_kinds(self) -> dict[str, dict[datetime, dict[str, Any]]]:
        """Totals by kind and step."""
        found: dict[str, dict[datetime, dict[str, Any]]] = {}
        for row in self._totals(WorkTotal.objects.all()).summed("step", "kind"):
            found.setdefault(row["kind"], {})[row["step"]] = _plain(row)
        return found

    @cached_property
    def _sums(self) -> dict[str, dict[str, Any]]:
        """Totals by kind, of the whole time."""
        return {kind: _in_all(steps.values()) for kind, steps in self._of_kinds.items()}

    def _totals(self, rows: Any) -> Any:
        return rows.by_step(self.span.step).between(self.begin, self.now + _DAY)

    def _by_kind(self, kinds: Iterable[tuple[str, str]], value: Callable[[Mapping[str, Any]], Any]) -> list[Series]:
        return [self._line(name, self._of_kinds.get(kind, {}), value) for name, kind in kinds]

    def _line(
        self, name: str, found: Mapping[datetime, Mapping[str, Any]], value: Callable[[Mapping[str, Any]], Any]
    ) -> Series:
        """Where there is no total nothing was done: 0, or no value where ``value`` is a ratio."""
        return Series(name, [value(found.get(step, _NOTHING)) for step in self.steps])

    def _moved(self) -> list[Chart]:
        each = _NAMES[self.span.step]
        days = {Period.HOUR: 1 / 24, Period.DAY: 1.0, MONTH: 365.25 / 12}[self.span.step]
        return [
            chart(
                self.labels,
                self._by_kind(FLOW, lambda row: row["bytes"]),
                key="bytes",
                title=f"Bytes in each {each}",
                says="From the instrument to the archive, to scientists, and deleted.",
                unit="bytes",
                limit=("8 TB a day", DAILY_BYTES * days),
            ),
            chart(
                self.labels,
                self._by_kind(FLOW, lambda row: row["files"]),
                key="files",
                title=f"Files in each {each}",
                says="Alone, and in packages. Deleted: copies of files, packages and bundles.",
                unit="",
            ),
        ]

    def _fill(self) -> list[Chart]:
        """The most in use at each step, and where it goes from the last check on."""
        rows = LocationUsage.objects.by_step(self.span.step).between(self.begin, self.now + _DAY)
        found: dict[int, dict[datetime, float]] = {}
        for key, step, used, capacity in rows.values_list("location_id", "step", "used_bytes", "capacity_bytes"):
            if capacity:
                known = found.setdefault(key, {})
                known[step] = max(known.get(step, 0.0), 100 * used / capacity)
        ahead = list(_steps(self.steps[-1], self.now + self.span.ahead, self.span.step))[1:]
        series = []
        for key, values in found.items():
            location = self._locations[key]
            series.append(Series(location.full_name, [*map(values.get, self.steps), *(None for _ in ahead)]))
            if ahead and location.full_at is not None:
                before = [None for _ in self.steps[:-1]]
                predicted = [_percent_at(location, max(step, self.now)) for step in (self.steps[-1], *ahead)]
                series.append(Series(f"{location.full_name}, forecast", [*before, *predicted], dashed=True))
        labels = [*self.labels, *map(self._label, ahead)]
        says = "Bytes in use, of the capacity. Dashed: as it goes on if it fills as in the last hours."
        return [chart(labels, series, key="fill", title="How full locations are", says=says, unit="%")]

    def _queues(self) -> list[Chart]:
        found: dict[tuple[str, int], dict[datetime, dict[str, Any]]] = {}
        for row in self._totals(WorkTotal.objects.that_waited()).summed("step", "kind", "location_id"):
            found.setdefault((row["kind"], row["location_id"]), {})[row["step"]] = _plain(row)
        named = {f"{_LABELS[kind]} at {self._locations[key].full_name}": v for (kind, key), v in sorted(found.items())}

        def lines(column: str) -> list[Series]:
            return [self._line(name, steps, lambda row: row[column]) for name, steps in named.items()]

        words = {"key": "waiting", "title": "Operations that waited", "says": "The most at one time.", "unit": ""}
        age = {
            "key": "age",
            "title": "The longest wait",
            "says": "Age of the oldest operation that waited.",
            "unit": "s",
        }
        return [chart(self.labels, lines("waiting"), **words), chart(self.labels, lines("oldest_wait_seconds"), **age)]

    def _links(self) -> Chart:
        found: dict[tuple[int, int], dict[datetime, dict[str, Any]]] = {}
        for row in self._totals(WorkTotal.objects.over_links()).summed("step", "location_id", "destination_id"):
            found.setdefault((row["location_id"], row["destination_id"]), {})[row["step"]] = _plain(row)
        series = [
            self._line(
                f"{self._locations[here].full_name} to {self._locations[there].full_name}",
                steps,
                lambda row: row["bytes"] / row["seconds"] if row["seconds"] else None,
            )
            for (here, there), steps in sorted(found.items())
        ]
        says = "Bytes a second of a transfer, while it ran."
        return chart(self.labels, series, key="links", title="Rate of links", says=says, unit="bytes/s")

    def _failures(self) -> Chart:
        kinds = [(label, kind) for kind, label in _LABELS.items() if kind != FILING]
        says = "Operations that failed at least once, also if a retry succeeded."
        failed = self._by_kind(kinds, lambda row: row["failed"])
        return chart(self.labels, failed, key="failures", title="Failures", says=says, unit="")

    def _durations(self) -> Chart:
        kinds = [(label, kind) for kind, label in _LABELS.items() if kind != FILING]
        mean = self._by_kind(kinds, lambda row: row["seconds"] / row["done"] if row["done"] else None)
        says = "Of operations that were done."
        return chart(self.labels, mean, key="durations", title="Mean duration", says=says, unit="s")

    def _label(self, step: datetime) -> str:
        if self.span.step == MONTH:
            return f"{step:%Y-%m}"
        if self.span.step == Period.DAY:
            return f"{step:%Y-%m-%d}"
        return f"{step:%H:%M}" if self.span.back <= _DAY and step.date() == self.now.date() else f"{step:%m-%d %H:%M}"


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a total under their own names."""
    return {name.removeprefix("all_"): value for name, value in row.items()}


def _in_all(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found = list(rows)
    sums = {name: sum(row[name] for row in found) for name in WorkTotal.ADDED}
    return sums | {name: max(row[name] for row in found) for name in WorkTotal.MOST}


def _percent_at(location: DataLocation, moment: datetime) -> float | None:
    used, capacity, speed = location.used_bytes, location.capacity_bytes, location.fill_bytes_per_s
    if used is None or not capacity or speed is None or location.checked_at is None:
        return None
    later = (moment - location.checked_at).total_seconds()
    return min(100.0, 100 * (used + speed * later) / capacity)


def _floor(moment: datetime, step: str) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if step == Period.HOUR:
        return hour
    return hour.replace(hour=0) if step == Period.DAY else hour.replace(hour=0, day=1)


def _steps(begin: datetime, end: datetime, step: str) -> Iterable[datetime]:
    """Beginnings of hours, days or months, that of ``end`` the last."""
    moment = begin
    while moment <= end:
        yield moment
        if step == MONTH:
            moment = _floor(moment + 32 * _DAY, MONTH)
        else:
            moment += timedelta(hours=1) if step == Period.HOUR else _DAY
