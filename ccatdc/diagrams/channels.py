"""The lines between columns: across, up or down on a track of their own, across.

Every line has a track (its vertical part) of its own between two columns; the order of the tracks is
the one with the fewest crossings that exchanges find.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

#: Between two tracks, and from a column to the nearest one (a crow's foot needs some of it).
TRACK = 9
MARGIN = 18


@dataclass(frozen=True, slots=True)
class Wire:
    """The part of a net right of a column: its heights on that side, where it comes from first, and on the other."""

    target: str
    left: tuple[int, ...]
    right: tuple[int, ...]

    @property
    def span(self) -> tuple[int, int]:
        """Of its vertical part."""
        heights = (*self.left, *self.right)
        return min(heights), max(heights)

    @property
    def is_straight(self) -> bool:
        """Without a vertical part."""
        return self.span[0] == self.span[1]


def tracks(wires: list[Wire]) -> list[Wire]:
    """Those that need a track, from left to right."""
    order = sorted((w for w in wires if not w.is_straight), key=lambda w: (w.left, w.target))
    best = _crossings(order)
    for _ in range(len(order) + 1):
        before = best
        for a, b in combinations(range(len(order)), 2):
            order[a], order[b] = order[b], order[a]
            if (count := _crossings(order)) < best:
                best = count
            else:
                order[a], order[b] = order[b], order[a]
        if best == before:
            break
    return order


def width_between(wires: list[Wire]) -> int:
    """Of the space right of a column."""
    count = sum(not wire.is_straight for wire in wires)
    return 2 * MARGIN + TRACK * max(0, count - 1)


def _crossings(order: list[Wire]) -> int:
    """How often a level part crosses an upright one."""
    count = 0
    for number, wire in enumerate(order):
        low, high = wire.span
        for other in order[number + 1 :]:
            count += sum(low < y < high for y in other.left)  # from the left, past this track
            count += sum(other.span[0] < y < other.span[1] for y in wire.right)
    return count
