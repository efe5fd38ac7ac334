"""The entity diagrams: every table and key is in them, and nothing covers anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from django.apps import apps

from ccatdc.data_model import APPS
from ccatdc.diagrams import pictures
from ccatdc.diagrams.boxes import GRID, Box, Row, Stack, stacks_of
from ccatdc.diagrams.drawing import picture
from ccatdc.diagrams.layers import Layout, port_of, row_of

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = pictures(APPS)
#: A wide one, so that columns are put together, with a circle, a key to itself and tables that stand alone.
MADE_UP = [
    Stack([Box("A" * 20, "a", [])]),
    *(
        Stack([Box(name * 20, name, [Row(f"key_{target}", target * 20) for target in targets])])
        for name, targets in [("B", "A"), ("C", "ABC"), ("D", "CA"), ("E", "FD"), ("F", "EA")]
    ),
    Stack([Box("G" * 20, "g", []), Box("H" * 20, "h", [Row("key", "A" * 20, True)], is_kind=True)]),
    Stack([Box("I" * 20, "i", [Row("other →")])]),
]

Rectangle = tuple[float, float, float, float]
Point = tuple[float, float]
#: From, to, which path it belongs to, its colour.
Segment = tuple[Point, Point, int, str]


def root_of(name: str) -> ET.Element:
    text = picture("made up", MADE_UP) if name == "made up" else DRAWN[name]
    return ET.fromstring(text)  # noqa: S314 (our own)


def boxes_of(root: ET.Element) -> list[Rectangle]:
    """Of each table: heads, made as high as the box that they belong to."""
    found: dict[tuple[float, float], Rectangle] = {}
    for rect in root.iter(f"{SVG}rect"):
        if rect.get("class") in ("head", "box"):
            x, y, w, h = (float(rect.get(k, "0")) for k in ("x", "y", "width", "height"))
            old = found.get((x, y), (x, y, x, y))
            found[x, y] = (x, y, max(old[2], x + w), max(old[3], y + h))
    return list(found.values())


def segments_of(root: ET.Element) -> Iterator[Segment]:
    """The level and upright parts of the lines; not the slanted ones of crow's feet and arrows."""
    for number, path in enumerate(root.iter(f"{SVG}path")):
        if path.get("class") != "line":
            continue
        x = y = 0.0
        for command, first, second in re.findall(
            r"([MHVL])(-?[\d.]+)(?:[ ,](-?[\d.]+))?", path.get("d", "")
        ):
            before = (x, y)
            if command in "ML":
                x, y = float(first), float(second)
            elif command == "H":
                x = float(first)
            else:
                y = float(first)
            if command in "HV" and before != (x, y):
                yield before, (x, y), number, path.get("stroke", "")


@pytest.mark.parametrize("name", [*DRAWN, "made up"])
class TestEveryPicture:
    def test_no_box_covers_another(self, name: str) -> None:
        boxes = boxes_of(root_of(name))

        assert boxes
        for a, b in combinations(boxes, 2):
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, (a, b)

    def test_no_line_goes_through_a_box(self, name: str) -> None:
        root = root_of(name)

        for (x1, y1), (x2, y2), *_ in segments_of(root):
            for left, top, right, bottom in boxes_of(root):
                beside = max(x1, x2) <= left or min(x1, x2) >= right
                above = max(y1, y2) <= top or min(y1, y2) >= bottom
                assert beside or above, (x1, y1, x2, y2)

    def test_no_two_lines_run_along_each_other(self, name: str) -> None:
        for a, b in combinations(segments_of(root_of(name)), 2):
            if a[2] == b[2]:
                continue
            for level, across in ((1, 0), (0, 1)):
                if a[0][level] == a[1][level] == b[0][level] == b[1][level]:
                    ends_a = sorted((a[0][across], a[1][across]))
                    ends_b = sorted((b[0][across], b[1][across]))
                    gap = max(ends_a[0], ends_b[0]) - min(ends_a[1], ends_b[1])
                    # A line over several columns has a path in each, which begins where the last one ends.
                    assert gap > 0 or (gap == 0 and a[3] == b[3]), (a, b)

    def test_every_text_is_inside_and_in_its_box(self, name: str) -> None:
        root = root_of(name)
        width, height = float(root.get("width", "0")), float(root.get("height", "0"))

        for text in root.iter(f"{SVG}text"):
            x, y, length = (float(text.get(k, "0")) for k in ("x", "y", "textLength"))
            assert x > 0 and x + length < width and 0 < y < height, text.text
            for left, top, right, bottom in boxes_of(root):
                if left <= x <= right and top <= y <= bottom:
                    assert x + length < right, text.text

    def test_it_is_as_wide_as_a_page(self, name: str) -> None:
        assert float(root_of(name).get("width", "0")) <= 1100


@pytest.mark.parametrize("app", APPS)
def test_every_table_and_key_is_in_the_picture_of_its_app(app: str) -> None:
    texts = [text.text or "" for text in root_of(f"{app}.svg").iter(f"{SVG}text")]

    for model in apps.get_app_config(app).get_models():
        if model._meta.proxy:
            assert f"◦ {model.__name__}" in texts
            continue
        assert model.__name__ in texts and model._meta.db_table in texts
        overview = [text.text or "" for text in root_of("overview.svg").iter(f"{SVG}text")]
        assert model.__name__ in [name.removeprefix("· ") for name in overview]


def test_a_line_leads_to_every_key_of_the_same_app() -> None:
    text = DRAWN["planning.svg"]

    # ObsUnit: program, sub-program, source, mode; one forked end each (two strokes).
    assert text.count('class="line"') >= 8
    for key in ("observing_program", "sub_observing_program ?", "source", "obs_mode"):
        assert f">{key}</text>" in text


def test_the_same_models_give_the_same_picture() -> None:
    assert pictures(APPS) == DRAWN


def test_lanes_and_heads_and_rows_never_share_a_height() -> None:
    box = Box("A", "a", [Row("key")])
    lanes = {GRID // 4, 3 * GRID // 4}

    assert len({port_of(box) % GRID, row_of(box, 0) % GRID} | lanes) == 4


@pytest.mark.parametrize("app", APPS)
def test_no_key_is_left_without_its_line(app: str) -> None:
    """A circle of tables would be cut; until there is one, nothing needs to say where."""
    stacks = stacks_of(app, APPS)

    layout = Layout(stacks, page=900)

    keys = [row for stack in stacks for box in stack.boxes for row in box.rows if row.target]
    assert sum(len(net.rows) for net in layout.nets) == len(keys)
