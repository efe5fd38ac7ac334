"""History as people read it: names instead of keys, labels instead of codes, one entry for what was done at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst

from accounts.models import Change, ChangeAction
from ccatdc.common.audit.triggers import root_of
from ccatdc.common.units import NOTHING

#: (label of a model, key) of something that a change refers to.
Key = tuple[str, str]
#: How a request or command is called, by the "how" of its context.
HOW_WORDS = {
    "portal": "in the portal",
    "api": "through the API",
    "pages": "on the scientists' pages",
    "command": "by a command",
    "database": "straight in the database",
}
LONGEST_VALUE = 200
#: Columns that name a row, the best first.
NAME_COLUMNS = ("name", "username", "codename", "short_name")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: from what to what. ``words`` replaces both where that is not to be told."""

    name: str
    before: str = ""
    after: str = ""
    words: str = ""


@dataclass(slots=True)
class Entry:
    """What one action did to one thing."""

    change: Change
    kind: str
    how: str
    detail: str
    fields: list[FieldChange] = field(default_factory=list)

    @property
    def who(self) -> str:
        return str(self.change.user) if self.change.user else NOTHING


def entries_of(changes: Iterable[Change], *, together: bool = False) -> list[Entry]:
    """Rows of history as entries. With ``together`` rows about the two tables of a kind that were written at once are
    one.
    """
    rows = list(changes)
    names = _names(rows)
    entries: list[Entry] = []
    tables: set[str] = set()
    for change in rows:
        if together and entries and change.table_name not in tables:
            last = entries[-1].change
            if (last.at, last.action, last.context) == (change.at, change.action, change.context):
                tables.add(change.table_name)
                entries[-1].fields += _fields(change, names)
                continue
        tables = {change.table_name}
        entries.append(_entry(change, names))
    return entries


def kind_words(label: str) -> str:
    """What a thing is called, by the label of its model; the label where there is no such model any more."""
    try:
        return capfirst(str(apps.get_model(label)._meta.verbose_name))
    except LookupError:
        return label


def _entry(change: Change, names: Mapping[Key, str]) -> Entry:
    context = change.context
    how = HOW_WORDS.get(context.get("how", ""), NOTHING)
    program = str(context.get("program", "")).removeprefix("ccatdc").strip()
    token = f"token {context['token']}" if "token" in context else ""
    detail = token or program or str(context.get("url", ""))
    return Entry(change, kind_words(change.object_type), how, detail, _fields(change, names))


def _fields(change: Change, names: Mapping[Key, str]) -> list[FieldChange]:
    model = _model_of(change.table_name)
    if change.action == ChangeAction.CHANGED:
        return [_changed(model, column, pair, names) for column, pair in sorted(change.changes.items())]
    shown = []
    for column, value in change.changes.items():
        column_field = _field_of(model, column)
        own_key = column_field is not None and column_field.primary_key
        if own_key or column == "polymorphic_ctype_id" or value in (None, "", [], {}):
            continue
        text = _value(column_field, value, names)
        side = "after" if change.action == ChangeAction.ADDED else "before"
        shown.append(FieldChange(_label(column_field, column), **{side: text}))
    return shown


def _changed(model: type[models.Model] | None, column: str, pair: Any, names: Mapping[Key, str]) -> FieldChange:
    column_field = _field_of(model, column)
    label = _label(column_field, column)
    if pair is None:
        return FieldChange(label, words="changed; its value is not kept")
    before, after = pair
    if column_field is not None and column_field.many_to_many:
        gone, new = (_linked(column_field, keys, names) for keys in (before, after))
        words = [f"without {gone}"] if gone else []
        return FieldChange(label, words=", ".join([*words, *([f"with {new}"] if new else [])]))
    return FieldChange(label, _value(column_field, before, names), _value(column_field, after, names))


def _linked(column_field: Any, keys: list[Any] | None, names: Mapping[Key, str]) -> str:
    return ", ".join(_value(column_field, key, names) for key in keys or ())


def _value(column_field: Any, value: Any, names: Mapping[Key, str]) -> str:
    if value is None or value == "":
        return "nothing"
    if column_field is not None and column_field.is_relation:
        key = _key(column_field, value)
        return names.get(key) or f"{kind_words(key[0]).lower()} {value}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column_field is not None and column_field.flatchoices:
        return str(dict(column_field.flatchoices).get(value, value))
    if isinstance(column_field, models.DateTimeField):
        when = parse_datetime(str(value))
        return f"{when:%Y-%m-%d %H:%M:%S}" if when else str(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _label(column_field: Any, column: str) -> str:
    return capfirst(str(column_field.verbose_name)) if column_field is not None else column


@cache
def _models() -> dict[str, type[models.Model]]:
    return {model._meta.db_table: model for model in apps.get_models() if not model._meta.proxy}


def _model_of(table: str) -> type[models.Model] | None:
    return _models().get(table)


def _columns(model: Any) -> dict[str, Any]:
    own: dict[str, Any] = {f.column: f for f in model._meta.local_fields}
    return own | {link.name: link for link in model._meta.local_many_to_many}


def _field_of(model: type[models.Model] | None, column: str) -> Any:
    """The field of a column; None for one that is no more."""
    return _columns(model).get(column) if model is not None else None


def _key(column_field: Any, value: Any) -> Key:
    return root_of(column_field.related_model)._meta.label_lower, str(value)


def _names(rows: Iterable[Change]) -> dict[Key, str]:
    """What the things are called that these rows refer to."""
    return names_of({key for change in rows for key in _references(change)})


def names_of(keys: set[Key]) -> dict[Key, str]:
    """What things are called: history knows, in one query, also when they are gone; of others, one query for each kind."""
    if not keys:
        return {}
    wanted = models.Q()
    for label in sorted({label for label, _ in keys}):
        wanted |= models.Q(object_type=label, object_id__in=[k for at, k in keys if at == label])
    found = Change.objects.filter(wanted).order_by("object_type", "object_id", "-id")
    latest = found.distinct("object_type", "object_id")
    names = {(row.object_type, row.object_id): row.object_name for row in latest}
    return names | _names_without_history(keys - names.keys())


def _names_without_history(keys: set[Key]) -> dict[Key, str]:
    """Of rows that are older than their history, or keep none: one query for each kind."""
    names: dict[Key, str] = {}
    for label in sorted({label for label, _ in keys}):
        model = apps.get_model(label)
        rows = model._base_manager.order_by().filter(pk__in=[k for at, k in keys if at == label])
        # A name that is made of other rows' names would ask for each.
        column = next((name for name in NAME_COLUMNS if name in _columns(model)), "pk")
        names |= {(label, str(pk)): str(name) for pk, name in rows.values_list("pk", column)}
    return names


def _references(change: Change) -> Iterable[Key]:
    model = _model_of(change.table_name)
    for column, value in change.changes.items():
        column_field = _field_of(model, column)
        if column_field is None or not column_field.is_relation or value is None:
            continue
        sides = value if change.action == ChangeAction.CHANGED else [value]
        for side in sides:
            for key in side if isinstance(side, list) else [side]:
                if key is not None:
                    yield _key(column_field, key)
