"""A chart as data: what static/js/charts.js draws, and the same as a table for who reads it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ccatdc.common.units import NOTHING, duration_text, size_text

#: Lines in one chart: more cannot be told apart.
MOST_SERIES: Final = 8
#: Steps in its table, the last ones: all of a year would be a megabyte of page.
MOST_ROWS: Final = 60

#: How a value of each unit is written. The script has the same for its axis and tips.
_TEXTS: Final[dict[str, Callable[[float], str]]] = {
    "bytes": size_text,
    "bytes/s": lambda value: f"{size_text(value)}/s",
    "s": duration_text,
    "%": lambda value: f"{value:.3g} %",
    "": lambda value: f"{value:,.0f}",
}


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a value for each step, None where there is none."""

    name: str
    values: list[float | None]
    dashed: bool = False

    @property
    def most(self) -> float:
        return max((value for value in self.values if value is not None), default=0.0)


@dataclass(frozen=True)
class Chart:
    """``says`` is what it shows, in a sentence. ``limit`` is a level with a name, drawn across. ``left_out`` counts lines
    that are not drawn, those with the least.
    """

    key: str
    title: str
    says: str
    unit: str
    labels: list[str]
    series: list[Series]
    limit: tuple[str, float] | None = None
    left_out: int = 0

    @property
    def most_rows(self) -> int:
        return MOST_ROWS

    @property
    def data(self) -> dict[str, Any]:
        """For the script."""
        return {
            "unit": self.unit,
            "labels": self.labels,
            "series": [{"name": s.name, "values": [*map(_short, s.values)], "dashed": s.dashed} for s in self.series],
            "limit": self.limit,
        }

    @cached_property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The last steps at which there is something, the last first."""
        text = _TEXTS[self.unit]
        found: list[tuple[str, list[str]]] = []
        for n in reversed(range(len(self.labels))):
            values = [series.values[n] for series in self.series]
            if any(values) and len(found) < MOST_ROWS:
                found.append((self.labels[n], [NOTHING if value is None else text(value) for value in values]))
        return found

    @property
    def spoken(self) -> str:
        """For who hears the page: the most of each line."""
        text = _TEXTS[self.unit]
        return "; ".join(f"{s.name}: at most {text(s.most)}" for s in self.series)


def chart(labels: list[str], series: Iterable[Series], **words: Any) -> Chart:
    """With the lines that have the most. A dashed line belongs to the one before it, and goes with it."""
    together: list[list[Series]] = []
    for each in series:
        if each.dashed:
            together[-1].append(each)
        else:
            together.append([each])
    together = [lines for lines in together if lines[0].most > 0]
    largest = sorted(together, key=lambda lines: lines[0].most, reverse=True)[:MOST_SERIES]
    kept = [line for lines in together if lines in largest for line in lines]
    return Chart(labels=labels, series=kept, left_out=len(together) - len(largest), **words)


def _short(value: float | None) -> float | None:
    """With as many digits as a line can show."""
    return None if value is None else float(f"{value:.5g}")
