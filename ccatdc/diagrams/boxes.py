"""What stands in the picture of an app: a box for each table, and what its keys refer to.

A kind (a table that extends another one) stands below its base, both in one stack. The keys of a
table are the rows of its box: those that lead to a table of the same picture get a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps as registry
from django.db import models

from ccatdc.diagrams.letters import width_of

#: All heights and places are multiples of it, so that lines of different sorts never meet: the
#: middle of a box's head, that of a row and a lane between boxes have remainders of their own.
GRID = 16
HEAD = 2 * GRID
#: How far a kind stands right of its base.
INDENT = 14
_PADDING = 10
TITLE_SIZE, TABLE_SIZE, ROW_SIZE = 12.5, 10.0, 11.0


@dataclass(frozen=True, slots=True)
class Row:
    """A key. ``target`` is the title of the box that a line leads to, or empty."""

    text: str
    target: str = ""
    #: Whether one row here at most refers to one there.
    single: bool = False


@dataclass(slots=True)
class Box:
    """A table."""

    title: str
    table: str
    rows: list[Row]
    is_kind: bool = False
    x: float = 0
    y: int = 0

    @property
    def width(self) -> float:
        """As wide as its widest text."""
        texts = [
            width_of(self.title, TITLE_SIZE, bold=True),
            width_of(self.table, TABLE_SIZE),
            *(width_of(row.text, ROW_SIZE) for row in self.rows),
        ]
        return round(max(texts) + 2 * _PADDING)

    @property
    def height(self) -> int:
        """Head and rows."""
        return HEAD + GRID * len(self.rows)


@dataclass(slots=True)
class Stack:
    """A table and its kinds, from top to bottom; what is moved as one."""

    boxes: list[Box]
    column: int = 0
    y: int = 0
    #: Of a stack that is only a passage for the line to this box, see :mod:`.layers`.
    passes: str = ""

    @property
    def height(self) -> int:
        """With the spaces between its boxes."""
        if self.passes:
            return GRID
        return sum(box.height for box in self.boxes) + GRID * (len(self.boxes) - 1)

    @property
    def width(self) -> float:
        """With the indentation of kinds."""
        return max((box.width + INDENT * box.is_kind for box in self.boxes), default=0)


@dataclass(slots=True)
class Net:
    """The lines to one box, from all rows that refer to it."""

    target: str
    rows: list[tuple[Box, int]] = field(default_factory=list)


def stacks_of(app: str, shown_apps: Iterable[str]) -> list[Stack]:
    """The boxes of an app, in the order of their tables' names."""
    shown = frozenset(shown_apps)
    tables = [m for m in registry.get_app_config(app).get_models() if not m._meta.proxy]
    tables.sort(key=lambda model: model._meta.db_table)
    bases = [model for model in tables if _base_in(app, model) is None]
    found = []
    for base in bases:
        kinds = [model for model in tables if _base_in(app, model) is base]
        boxes = [_box(model, app, shown) for model in (base, *kinds)]
        for box in boxes[1:]:
            box.is_kind = True
        found.append(Stack(boxes))
    return found


def relations(model: type[models.Model]) -> Iterator[tuple[models.Field[Any, Any], Any]]:
    """The keys and many-to-many fields of a table itself, with the models that they lead to."""
    for column in model._meta.local_fields:
        target = column.related_model
        if isinstance(target, type) and not _is_parent(column):
            yield column, target
    for link in model._meta.local_many_to_many:
        if isinstance(link.related_model, type):
            yield link, link.related_model


def _box(model: type[models.Model], app: str, shown: frozenset[str]) -> Box:
    rows = []
    for column, target in relations(model):
        label = target._meta.app_label
        if label not in shown:
            continue
        mark = " *" if column.many_to_many else " ?" if column.null else ""
        if label == app:
            rows.append(Row(f"{column.name}{mark}", target.__name__, bool(column.one_to_one)))
        else:
            said = column.name.startswith(target._meta.db_table)
            rows.append(Row(f"{column.name}{mark} →" + ("" if said else f" {target.__name__}")))
    rows.sort(key=lambda row: not row.target)  # those with lines first, in the order of the model
    kinds = [
        m for m in registry.get_app_config(app).get_models() if m._meta.concrete_model is model
    ]
    rows += [Row(f"◦ {kind.__name__}") for kind in kinds if kind._meta.proxy]
    return Box(model.__name__, model._meta.db_table, rows)


def _base_in(app: str, model: type[models.Model]) -> type[models.Model] | None:
    """The topmost table of the app that this one extends."""
    bases = [p for p in model._meta.get_parent_list() if p._meta.app_label == app]
    return bases[-1] if bases else None


def _is_parent(column: models.Field[Any, Any]) -> bool:
    return bool(getattr(column.remote_field, "parent_link", False))
