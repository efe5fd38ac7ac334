"""The data model as a document with Mermaid diagrams, written from the models themselves: docs/data-model.md.

``manage.py describe_data_model docs`` after a change of the models; a test says when that was forgotten.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models

from ccatdc.common.units import UNITS, unit_ending

APPS = ("observatory", "accounts", "notifications", "planning", "datamgmt", "transfer", "gateway")
_HEAD = """\
# The data model

Written by `manage.py describe_data_model docs` from the models; do not edit. Every table of the data center, app by app, from
the ground up. **null** may be empty; a key → refers to another table, with what happens here when that row is deleted.
Names end in their units. Times are UTC. Kinds (subclasses) have the fields of their base as well.
Which app refers to which:
"""


def document() -> str:
    lines = [_HEAD, *_layers(), *(line for app in APPS for line in _app(app))]
    return "\n".join(lines).rstrip() + "\n"


def _layers() -> Iterator[str]:
    yield "```mermaid\nflowchart BT"
    for app in APPS:
        models_of = _tables(app)
        yield f'    {app}["{app}: {len(models_of)} tables"]'
        targets = {target._meta.app_label for _, _, target in _relations(app)} & set(APPS)
        yield from (f"    {app} --> {target}" for target in sorted(targets - {app}))
    yield "```\n"


def _diagram(label: str) -> Iterator[str]:
    """The tables of an app with their keys, and what they refer to. Tables of other apps have no columns."""
    yield "```mermaid\nerDiagram"
    relations = list(_relations(label))
    for model in _tables(label):
        yield f"    {model.__name__} {{"
        for field in model._meta.local_fields:
            if field.primary_key or field.unique:
                key = "PK" if field.primary_key else "UK"
                yield f"        {field.get_internal_type().removesuffix('Field')} {field.column} {key}"
        yield "    }"
    for model, field, target in relations:
        if field.many_to_many:
            ends = "}o--o{"
        elif field.one_to_one:
            ends = "|o--||"
        else:
            ends = "}o--o|" if field.null else "}o--||"
        yield f"    {model.__name__} {ends} {target.__name__} : {field.name}"
    yield "```\n"


def _tables(label: str) -> list[type[models.Model]]:
    shown = sorted(apps.get_app_config(label).get_models(), key=lambda m: m._meta.db_table)
    return [model for model in shown if not model._meta.proxy]


def _relations(label: str) -> Iterator[tuple[type[models.Model], Any, type[models.Model]]]:
    for model in _tables(label):
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many):
            target = field.related_model
            if isinstance(target, type) and target._meta.app_label in APPS:
                yield model, field, target


def _app(label: str) -> Iterator[str]:
    shown = sorted(apps.get_app_config(label).get_models(), key=lambda m: m._meta.db_table)
    yield f"## {label}\n"
    yield from _diagram(label)
    for model in shown:
        yield from _kind(model) if model._meta.proxy else _table(model)


def _kind(model: type[models.Model]) -> Iterator[str]:
    yield f"### {model.__name__}: kind of `{model._meta.db_table}`\n"
    yield f"{_words(model)}\n"


def _table(model: type[models.Model]) -> Iterator[str]:
    meta = model._meta
    yield f"### {model.__name__}: `{meta.db_table}`\n"
    yield f"{_words(model)}\n"
    yield "| field | type | unit | meaning |"
    yield "|---|---|---|---|"
    for field in meta.local_fields:
        if field.name != "polymorphic_ctype":
            yield f"| {field.name} | {_type(field)} | {_unit(field)} | {_meaning(field)} |"
    for link in meta.local_many_to_many:
        through = link.m2m_db_table()
        target = getattr(link.related_model, "__name__", "")
        yield f"| {link.name} | ↔ {target}, table `{through}` | | {link.help_text} |"
    yield ""
    rules = [*map(_constraint, meta.constraints), *map(_index, meta.indexes)]
    if rules:
        yield from (f"- {rule}" for rule in rules)
        yield ""


def _words(model: type[models.Model]) -> str:
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def _type(field: models.Field[Any, Any]) -> str:
    target = field.related_model
    kind = field.get_internal_type().removesuffix("Field")
    if isinstance(target, type):
        deletion: Any = getattr(field.remote_field, "on_delete", None)
        # Polymorphic models wrap what is done.
        deletion = getattr(deletion, "action", deletion).__name__
        kind = f"→ {target.__name__} ({deletion})"
    elif isinstance(field, models.DecimalField):
        kind = f"Decimal({field.max_digits},{field.decimal_places})"
    elif field.max_length is not None:
        kind = f"{kind}({field.max_length})"
    marks = [
        word
        for word, holds in (
            ("key", field.primary_key),
            ("unique", field.unique and not field.primary_key),
            ("null", field.null),
        )
        if holds
    ]
    return ", ".join([kind, *marks])


def _unit(field: models.Field[Any, Any]) -> str:
    ending = unit_ending(field.name)
    plain = isinstance(field, models.FloatField | models.IntegerField | models.DecimalField)
    return UNITS[ending] if ending and plain else ""


def _meaning(field: models.Field[Any, Any]) -> str:
    parts = [str(field.help_text)] if field.help_text else []
    if field.choices:
        parts.append(" ".join(f"`{value}`" for value, _label in field.flatchoices if value))
    return " ".join(parts).replace("|", "\\|").replace("\n", " ")


def _constraint(constraint: models.BaseConstraint) -> str:
    kind = type(constraint).__name__
    if isinstance(constraint, models.CheckConstraint):
        return f"`{constraint.name}`: check {condition_in_words(constraint.condition)}"
    own: Any = constraint
    fields = ", ".join(getattr(own, "fields", ()))
    if isinstance(constraint, models.UniqueConstraint):
        where = f" where {condition_in_words(constraint.condition)}" if constraint.condition else ""
        return f"`{constraint.name}`: unique ({fields}){where}"
    if kind == "CompositeForeignKey":
        to = ", ".join(own.to_fields)
        return f"`{constraint.name}`: ({fields}) → {own.to} ({to})"
    return f"`{constraint.name}`: {kind}: {constraint.violation_error_message}"


def _index(index: models.Index) -> str:
    where = f" where {condition_in_words(index.condition)}" if index.condition else ""
    columns = index.fields or map(str, index.expressions)
    return f"`{index.name}`: index ({', '.join(columns)}){where}"


_OPERATORS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "exact": "=", "range": "between"}


def condition_in_words(condition: Any) -> str:
    """A Q in words."""
    if not isinstance(condition, models.Q):
        return str(condition)
    parts = []
    for child in condition.children:
        if isinstance(child, tuple):
            parts.append(_comparison(*child))
        else:
            several = isinstance(child, models.Q) and len(child) > 1
            parts.append(f"({condition_in_words(child)})" if several else condition_in_words(child))
    text = f" {condition.connector.lower()} ".join(parts)
    return f"not ({text})" if condition.negated else text


def _comparison(lookup: str, value: Any) -> str:
    name, _, operator = lookup.rpartition("__")
    if operator == "isnull" and name:
        return f"{name} is {'' if value else 'not '}null"
    if not name:
        name, operator = lookup, "exact"
    shown = getattr(value, "name", value)  # of a field, or what is written
    if isinstance(value, set | frozenset):
        value = sorted(value)
    if isinstance(value, list | tuple):
        shown = ", ".join(str(item) for item in value)
    return f"{name} {_OPERATORS.get(operator, operator)} {shown}"
