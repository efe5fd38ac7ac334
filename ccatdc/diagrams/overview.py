"""All tables in one picture: the floors of the house, from the ground up, and which floor refers to which."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps as registry
from django.db import models

from ccatdc.diagrams.boxes import GRID, ROW_SIZE, TABLE_SIZE, TITLE_SIZE, relations
from ccatdc.diagrams.drawing import EDGE, document, text
from ccatdc.diagrams.letters import width_of

_WIDTH, _COLUMNS = 800, 4
_TRACK = 26
_COLOURS = ("#2f6fb3", "#b3541e", "#3b8a3b", "#8a4fb0", "#b08a00", "#0f8a8a")


@dataclass(slots=True)
class _Floor:
    """An app: its tables, kinds after their base with a dot, and what it refers to below."""

    app: str
    names: list[str]
    refers: dict[str, list[str]]
    y: int = 0

    @property
    def rows(self) -> int:
        return -(-len(self.names) // _COLUMNS)

    @property
    def height(self) -> int:
        return GRID * (self.rows + len(self.refers) + 2) + (GRID // 2 if self.refers else 0)


def overview(apps: tuple[str, ...]) -> str:
    """The SVG; ``apps`` from the ground up. The ground is drawn at the bottom."""
    floors = [_floor(app, apps) for app in reversed(apps)]
    y = EDGE
    for floor in floors:
        floor.y = y
        y += floor.height + GRID
    parts = [part for floor in floors for part in _box(floor)]
    right = EDGE + _WIDTH
    targets = [f for f in floors if any(f.app in other.refers for other in floors)]
    for number, target in enumerate(reversed(targets)):
        parts += _lines(target, floors, right + _TRACK * (number + 1), _COLOURS[number])
    width = right + _TRACK * (len(targets) + 1)
    return document(width, y - GRID + EDGE, "All tables", parts)


def _floor(app: str, apps: tuple[str, ...]) -> _Floor:
    tables = [m for m in registry.get_app_config(app).get_models() if not m._meta.proxy]
    refers: dict[str, set[str]] = {}
    for model in tables:
        for _, target in relations(model):
            label = target._meta.app_label
            if label != app and label in apps:
                refers.setdefault(label, set()).add(target.__name__)
    ordered = {label: sorted(refers[label]) for label in reversed(apps) if label in refers}
    return _Floor(app, [_name(m) for m in sorted(tables, key=_family)], ordered)


def _family(model: type[models.Model]) -> tuple[str, str]:
    """Sorts kinds after their base."""
    names = [parent.__name__ for parent in reversed(_bases(model))]
    return (names[0] if names else model.__name__, "" if not names else model.__name__)


def _bases(model: type[models.Model]) -> list[type[models.Model]]:
    return [p for p in model._meta.get_parent_list() if p._meta.app_label == model._meta.app_label]


def _name(model: type[models.Model]) -> str:
    return f"· {model.__name__}" if _bases(model) else model.__name__


def _box(floor: _Floor) -> list[str]:
    step = _WIDTH // _COLUMNS
    parts = [
        f'<rect class="box" x="{EDGE}" y="{floor.y}" width="{_WIDTH}" height="{floor.height}" rx="4"/>',
        f'<rect class="head" x="{EDGE}" y="{floor.y}" width="{_WIDTH}" height="{GRID + 8}" rx="4"/>',
        text(EDGE + 10, floor.y + 17, floor.app, TITLE_SIZE, bold=True),
    ]
    for number, name in enumerate(floor.names):
        column, row = divmod(number, floor.rows)
        y = floor.y + GRID * (row + 2) + 8
        parts.append(text(EDGE + 10 + step * column, y, name, ROW_SIZE))
    for number, (label, names) in enumerate(floor.refers.items()):
        words = f"refers to {label}: {', '.join(names)}"
        parts.append(text(EDGE + 10, _reference(floor, number) + 4, words, TABLE_SIZE, quiet=True))
        assert width_of(words, TABLE_SIZE) < _WIDTH - 20, words  # noqa: S101 - else break the line
    return parts


def _reference(floor: _Floor, number: int) -> int:
    """The height of a floor's line about what it refers to."""
    return floor.y + GRID * (floor.rows + 2 + number) + GRID


def _lines(target: _Floor, floors: list[_Floor], track: int, colour: str) -> list[str]:
    """From all floors that refer to this one, with an arrow at its head."""
    right, end = EDGE + _WIDTH, target.y + 12
    path, dots, top = f"M{track} {end}H{right}l6 -4m-6 4l6 4", [], end
    for floor in floors:
        if target.app in floor.refers:
            y = _reference(floor, list(floor.refers).index(target.app))
            path += f"M{right} {y}H{track}"
            top = min(top, y)
            dots.append(y)
    path += f"M{track} {top}V{end}"
    return [
        f'<path class="line" stroke="{colour}" d="{path}"/>',
        *(
            f'<circle cx="{track}" cy="{dot}" r="2.2" fill="{colour}"/>'
            for dot in dots
            if dot != top
        ),
    ]
