"""The picture of an app, as SVG. Colours are legible on light and dark pages, and follow the reader's choice."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from django.utils.html import escape

from ccatdc.diagrams.boxes import (
    GRID,
    HEAD,
    INDENT,
    ROW_SIZE,
    TABLE_SIZE,
    TITLE_SIZE,
    Box,
    Stack,
)
from ccatdc.diagrams.channels import MARGIN, TRACK, Wire, tracks, width_between
from ccatdc.diagrams.layers import Layout, port_of, row_of
from ccatdc.diagrams.letters import width_of

EDGE = 12
#: What a page of text shows without making it smaller.
_PAGE = 1060
LEGEND = (
    "A line leads from the table that is referred to (its head) to the key that refers to it. "
    "Forked: many may refer to one; barred: one at most.",
    "? may be empty    * many to many    → table of another app, without a line    "
    "indented or with ◦ below a table: its kinds",
)
#: Told apart on white and on black; one for each line, in turn.
_COLOURS = ("#2f6fb3", "#b3541e", "#3b8a3b", "#8a4fb0", "#b08a00", "#0f8a8a", "#c0456f", "#6b7280")
STYLE = """\
<style>
text { font-family: Helvetica, Arial, 'Liberation Sans', sans-serif; fill: #1f2328; }
.page { fill: #ffffff; } .box { fill: #f6f8fa; stroke: #8c959f; } .head { fill: #e3ebf5; stroke: #8c959f; }
.kind { fill: none; stroke: #8c959f; } .quiet { fill: #59636e; } .line { fill: none; stroke-width: 1.4; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .page { fill: #0d1117; } .box { fill: #161b22; } .head { fill: #223047; }
.quiet { fill: #9aa4af; } }
</style>"""


def picture(name: str, stacks: list[Stack]) -> str:
    """The SVG of these boxes."""
    layout = Layout(stacks, _PAGE)
    wires = [
        [layout.wire(net, number) for net in layout.nets_right_of(number)]
        for number in range(len(layout.columns))
    ]
    right_ends = _set_places(layout, wires)
    colours = {net.target: _COLOURS[n % len(_COLOURS)] for n, net in enumerate(layout.nets)}
    lines: list[str] = []
    for number, between in enumerate(wires):
        start = right_ends[number]
        lines.extend(_lines(layout, number, between, start, colours))
    boxes = [box for stack in stacks for box in stack.boxes]
    right = right_ends[-1] + (width_between(wires[-1]) if wires[-1] else EDGE)
    width = ceil(max(right, *(width_of(line, TABLE_SIZE) + 2 * EDGE for line in LEGEND)))
    height = max(box.y + box.height for box in boxes) + 3 * GRID + EDGE
    parts = [
        *(part for stack in stacks for part in _brackets(stack)),
        *lines,
        *(part for box in boxes for part in _box(box)),
        *(
            text(EDGE, height - EDGE - GRID * (1 - n), words, TABLE_SIZE, quiet=True)
            for n, words in enumerate(LEGEND)
        ),
    ]
    return document(width, height, f"Tables of {name}", parts)


def document(width: float, height: float, title: str, parts: list[str]) -> str:
    """An SVG with its style, one part a line."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">\n<title>{escape(title)}</title>\n'
        f'{STYLE}\n<rect class="page" width="{width:g}" height="{height:g}"/>\n{body}\n</svg>\n'
    )


def text(
    x: float, y: float, words: str, size: float, *, bold: bool = False, quiet: bool = False
) -> str:
    """A text that is as wide in every font."""
    weight = ' font-weight="bold"' if bold else ""
    kind = ' class="quiet"' if quiet else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}"{weight}{kind} xml:space="preserve" '
        f'textLength="{width_of(words, size, bold=bold):g}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(words)}</text>"
    )


def _set_places(layout: Layout, wires: list[list[Wire]]) -> list[float]:
    """Sets the places of all boxes; returns the right end of each column."""
    x, ends = float(EDGE), []
    for number, column in enumerate(layout.columns):
        for stack in column:
            for box in stack.boxes:
                box.x = x + INDENT * box.is_kind
                box.y += EDGE
        x += max(stack.width for stack in column)
        ends.append(x)
        x += width_between(wires[number])
    return ends


def _lines(
    layout: Layout, column: int, wires: list[Wire], start: float, colours: dict[str, str]
) -> Iterator[str]:
    """The lines right of a column."""
    order = tracks(wires)
    end = start + width_between(wires)
    for wire in wires:
        track = start + MARGIN + TRACK * order.index(wire) if wire in order else start + MARGIN
        net = next(net for net in layout.nets if net.target == wire.target)
        target = layout.box_of[wire.target]
        # From the box itself, which may be narrower than its column, or through the whole column.
        begins = layout.column_of(target) == column
        origin = target.x + target.width if begins else _left_of(layout, column)
        path = f"M{origin:g} {wire.left[0] + EDGE}H{track:g}"
        low, high = wire.span
        if low != high:
            path += f"M{track:g} {low + EDGE}V{high + EDGE}"
        for box, number in net.rows:
            y, single = row_of(box, number), box.rows[number].single
            if layout.column_of(box) == column + 1:
                path += f"M{track:g} {y}H{box.x:g}" + _mark(box.x, y, -1, single=single)
            elif begins and layout.column_of(box) == column:
                side = box.x + box.width
                path += f"M{track:g} {y}H{side:g}" + _mark(side, y, 1, single=single)
        for height in wire.right:
            if height % GRID in (GRID // 4, 3 * GRID // 4):  # into a lane
                path += f"M{track:g} {height + EDGE}H{end:g}"
        colour = colours[wire.target]
        yield f'<path class="line" stroke="{colour}" d="{path}"/>'
        both = set(wire.left) & set(wire.right) if low != high else set()
        for height in sorted(both | {y for y in (*wire.left, *wire.right) if low < y < high}):
            yield f'<circle cx="{track:g}" cy="{height + EDGE}" r="2.2" fill="{colour}"/>'


def _mark(x: float, y: int, side: int, *, single: bool) -> str:
    """A crow's foot, or a bar, at a box's left (-1) or right (1) side."""
    if single:
        return f"M{x + 6 * side:g} {y - 4}V{y + 4}"
    tip = f"M{x + 8 * side:g} {y}L{x:g}"
    return f"{tip} {y - 4}{tip} {y + 4}"


def _left_of(layout: Layout, column: int) -> float:
    """Where a lane through a column begins."""
    return min(
        box.x - INDENT * box.is_kind for stack in layout.columns[column] for box in stack.boxes
    )


def _brackets(stack: Stack) -> Iterator[str]:
    """From a table down to its kinds, with the hollow arrow of a generalisation."""
    base, *kinds = stack.boxes
    if not kinds:
        return
    x, top = base.x + INDENT / 2, base.y + base.height
    path = f"M{x:g} {top + 7}V{kinds[-1].y + 8}"
    path += "".join(f"M{x:g} {kind.y + 8}H{kind.x:g}" for kind in kinds)
    path += f"M{x:g} {top}L{x - 4:g} {top + 7}H{x + 4:g}Z"
    yield f'<path class="kind" d="{path}"/>'


def _box(box: Box) -> Iterator[str]:
    at = f'x="{box.x:g}" width="{box.width:g}"'
    if box.rows:
        yield f'<rect class="box" {at} y="{box.y}" height="{box.height}" rx="3"/>'
    yield f'<rect class="head" {at} y="{box.y}" height="{HEAD}" rx="3"/>'
    yield text(box.x + 10, port_of(box) - 2, box.title, TITLE_SIZE, bold=True)
    yield text(box.x + 10, port_of(box) + 11, box.table, TABLE_SIZE, quiet=True)
    for number, row in enumerate(box.rows):
        yield text(box.x + 10, row_of(box, number) + 4, row.text, ROW_SIZE, quiet=not row.target)
