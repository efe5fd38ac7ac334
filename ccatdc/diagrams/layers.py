"""Boxes into columns: what is referred to stands left of what refers to it.

Each stack gets a column, each line over several columns a lane through those between, and the order
within the columns is improved, one exchange after the other, as long as lines get shorter and cross
less. Columns are put together until the picture is as wide as a page; a line inside a column leaves
and comes back on its right side. Nothing is left to chance: the same boxes always give the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from ccatdc.diagrams.boxes import GRID, HEAD, Box, Net, Stack
from ccatdc.diagrams.channels import Wire, width_between

#: Between two stacks of a column.
_GAP = 2 * GRID
_CROSSING = 400


@dataclass(slots=True)
class _Block:
    """Stacks that push each other: they move as one, to the mean of their wishes."""

    place: float
    weight: int
    stacks: list[Stack]


class Layout:
    """Columns of stacks with their heights, and the lines between them."""

    def __init__(self, stacks: list[Stack], page: float) -> None:
        self.stacks = stacks
        self.stack_of = {box.title: stack for stack in stacks for box in stack.boxes}
        self.box_of = {box.title: box for stack in stacks for box in stack.boxes}
        self._alone = _set_columns(stacks, self.stack_of)
        self.nets: list[Net] = []
        self.columns: list[list[Stack]] = []
        self._fill_columns()
        while self._width() > page and len(self.columns) > 1:
            self._put_two_together()
        self._improve()

    def column_of(self, box: Box) -> int:
        """Which column a box stands in."""
        return self.stack_of[box.title].column

    def wire(self, net: Net, column: int) -> Wire:
        """The part of a line right of a column."""
        start = self.stack_of[net.target].column
        if start < column:
            left = [self._height_in(net, column)]
        else:
            left = [port_of(self.box_of[net.target])]
            left += sorted(row_of(box, n) for box, n in net.rows if self.column_of(box) == start)
        right = [row_of(box, n) for box, n in net.rows if self.column_of(box) == column + 1]
        if any(self.column_of(box) > column + 1 for box, _ in net.rows):
            right.append(self._height_in(net, column + 1))
        return Wire(net.target, tuple(left), tuple(sorted(right)))

    def nets_right_of(self, column: int) -> list[Net]:
        """The lines in the space right of a column."""
        return [
            net
            for net in self.nets
            if (start := self.stack_of[net.target].column) <= column
            and any(
                c > column or c == start == column for c in (self.column_of(b) for b, _ in net.rows)
            )
        ]

    def _width(self) -> float:
        return sum(
            max(stack.width for stack in column)
            + width_between([self.wire(net, n) for net in self.nets_right_of(n)])
            for n, column in enumerate(self.columns)
        )

    def _put_two_together(self) -> None:
        """The two neighbouring columns that make the best picture as one."""
        before = [stack.column for stack in self.stacks]
        found = []
        for number in range(len(self.columns) - 1):
            self._shift(before, number)
            found.append((self._cost(), number))
        self._shift(before, min(found)[1])

    def _shift(self, before: list[int], number: int) -> None:
        for stack, column in zip(self.stacks, before, strict=True):
            stack.column = column - (column > number)
        self._fill_columns()

    def _nets(self) -> list[Net]:
        found: dict[str, Net] = {}
        for stack in self.stacks:
            for box in stack.boxes:
                for number, row in enumerate(box.rows):
                    target = self.stack_of.get(row.target)
                    if target is not None and target.column <= stack.column:
                        found.setdefault(row.target, Net(row.target)).rows.append((box, number))
        return [found[title] for title in sorted(found)]

    def _fill_columns(self) -> None:
        """Columns with their lanes, and a first place for all."""
        self.nets = self._nets()
        joined = [stack for stack in self.stacks if stack not in self._alone]
        count = 1 + max(stack.column for stack in joined or self.stacks)
        self.columns = [[s for s in joined if s.column == n] for n in range(count)]
        for net in self.nets:
            last = max(self.column_of(box) for box, _ in net.rows)
            for column in range(self.stack_of[net.target].column + 1, last):
                self.columns[column].append(Stack([], column=column, passes=net.target))
        for stack in self._alone:  # wherever there is most room
            shortest = min(self.columns, key=lambda column: sum(s.height + _GAP for s in column))
            stack.column = next(n for n, column in enumerate(self.columns) if column is shortest)
            shortest.append(stack)
        self._place()

    def _height_in(self, net: Net, column: int) -> int:
        lane = next(s for s in self.columns[column] if s.passes == net.target)
        return lane.y + GRID // 4 + (column % 2) * GRID // 2

    def _place(self) -> None:
        """Heights for the order that the columns have: each stack as near to what it is joined to as fits."""
        for column in self.columns:
            y = 0
            for stack in column:
                _move(stack, y)
                y += stack.height + _gap_below(stack)
        for sweep in range(6):
            numbers = range(len(self.columns))
            for number in numbers if sweep % 2 == 0 else reversed(numbers):
                self._settle(number)
        top = min(stack.y for column in self.columns for stack in column)
        for column in self.columns:
            for stack in column:
                _move(stack, stack.y - top)

    def _settle(self, number: int) -> None:
        """One column: the places nearest to the wished ones that keep order and distance."""
        column = self.columns[number]
        wishes = self._wishes(number)
        offset, blocks = 0, list[_Block]()
        for stack in column:
            wished = wishes.get(id(stack)) or [stack.y]
            blocks.append(_Block(sum(wished) / len(wished) - offset, len(wished), [stack]))
            offset += stack.height + _gap_below(stack)
            while len(blocks) > 1 and blocks[-2].place > blocks[-1].place:
                later, block = blocks.pop(), blocks[-1]
                weight = block.weight + later.weight
                block.place = (block.place * block.weight + later.place * later.weight) / weight
                block.weight = weight
                block.stacks += later.stacks
        offset = 0
        for block in blocks:
            for stack in block.stacks:
                _move(stack, round(block.place / GRID) * GRID + offset)
                offset += stack.height + _gap_below(stack)

    def _wishes(self, number: int) -> dict[int, list[float]]:
        """For each stack of a column where its lines would be straight."""
        found: dict[int, list[float]] = {}
        for side in (number - 1, number):
            if not 0 <= side < len(self.columns) - 1:
                continue
            for net in self.nets_right_of(side):
                wire = self.wire(net, side)
                left = wire.left[0]
                if side == number:
                    stack = self._stack_at(net, number)
                    found.setdefault(id(stack), []).extend(stack.y + r - left for r in wire.right)
                    continue
                for box, row in net.rows:
                    stack = self.stack_of[box.title]
                    if stack.column == number:
                        found.setdefault(id(stack), []).append(stack.y + left - row_of(box, row))
                for lane in self.columns[number]:
                    if lane.passes == net.target:
                        found.setdefault(id(lane), []).append(float(left))
        return found

    def _stack_at(self, net: Net, column: int) -> Stack:
        start = self.stack_of[net.target]
        if start.column == column:
            return start
        return next(s for s in self.columns[column] if s.passes == net.target)

    def _improve(self) -> None:
        best = self._cost()
        for _ in range(8):
            before = best
            for column in self.columns:
                for upper, lower in _exchanges(len(column)):
                    column[upper], column[lower] = column[lower], column[upper]
                    self._place()
                    if (cost := self._cost()) < best:
                        best = cost
                    else:
                        column[upper], column[lower] = column[lower], column[upper]
            if best == before:
                break
        self._place()

    def _cost(self) -> float:
        """Length and crossings of all lines, and the height of the picture."""
        cost = float(max(s.y + s.height for column in self.columns for s in column))
        for number in range(len(self.columns)):
            wires = [self.wire(net, number) for net in self.nets_right_of(number)]
            cost += sum(abs(y - w.left[0]) for w in wires for y in (*w.left, *w.right))
            for a, b in combinations(wires, 2):
                pairs = [(x, y) for x in a.right for y in b.right]
                cost += _CROSSING * sum((a.left[0] < b.left[0]) != (x < y) for x, y in pairs)
        return cost


def port_of(box: Box) -> int:
    """The height at which lines to a box begin."""
    return box.y + HEAD // 2


def row_of(box: Box, number: int) -> int:
    """The height of a row's middle."""
    return box.y + HEAD + GRID * number + GRID // 2


def _move(stack: Stack, y: int) -> None:
    stack.y = y
    for box in stack.boxes:
        box.y = y
        y += box.height + GRID


def _gap_below(stack: Stack) -> int:
    return 0 if stack.passes else _GAP


def _exchanges(count: int) -> Sequence[tuple[int, int]]:
    neighbours = list(pairwise(range(count)))
    others = [(a, b) for a in range(count) for b in range(a + 2, count)]
    return neighbours + others


def _set_columns(stacks: list[Stack], stack_of: dict[str, Stack]) -> list[Stack]:
    """A column for each; returns those that nothing joins to others."""
    needs: dict[int, list[Stack]] = {}
    for stack in stacks:
        titles = [row.target for box in stack.boxes for row in box.rows if row.target]
        needs[id(stack)] = [s for t in titles if (s := stack_of[t]) is not stack]
    depth: dict[int, int] = {}

    def depth_of(stack: Stack, path: tuple[int, ...]) -> int:
        if id(stack) not in depth:
            inner = [n for n in needs[id(stack)] if id(n) not in path]  # a circle is cut here
            depth[id(stack)] = max((1 + depth_of(n, (*path, id(stack))) for n in inner), default=0)
        return depth[id(stack)]

    for stack in stacks:
        stack.column = depth_of(stack, ())
    needed = {id(n) for s in stacks for n in needs[id(s)]}
    for stack in stacks:  # what needs nothing stands next to what needs it
        users = [s.column for s in stacks if any(n is stack for n in needs[id(s)])]
        if not needs[id(stack)] and users:
            stack.column = max(0, min(users) - 1)
    return [s for s in stacks if not needs[id(s)] and id(s) not in needed]
