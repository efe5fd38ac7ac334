"""Rows of a sidecar become rows of this database.

A sidecar has each row under the key that it had in the database that wrote it. Here it may have another one: a row is
the same when a unique name is the same (``short_name``, or module and name), or the key where that is a UUID. What is
here already is left as it is. A column that refers to people, tokens or content types is not in a sidecar's power: it
stays empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.apps import apps
from django.db import models

from datamgmt.packaging.sidecar import LINKED_LATER, is_remembered

#: The rows of a sidecar that stand under a name of their own, and their tables. ``related`` has others by table.
NAMED: Final[Mapping[str, str]] = {
    "observatory": "observatory.Observatory",
    "telescope": "observatory.Telescope",
    "instrument": "observatory.Instrument",
    "instrument_module": "observatory.InstrumentModule",
    "data_stream": "observatory.DataStream",
    "processing_run": "datamgmt.ProcessingRun",
    "observing_program": "planning.ObservingProgram",
    "sub_observing_program": "planning.SubObservingProgram",
    "obs_mode": "planning.ObsMode",
    "source": "planning.Source",
    "obs_unit": "planning.ObsUnit",
    "executed_obs_unit": "planning.ExecutedObsUnit",
}
Columns = Mapping[str, Any]
_Identity = tuple[type[models.Model], Any]


class Rows:
    """The rows of one sidecar. Use inside a transaction."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._columns: dict[_Identity, tuple[type[models.Model], Columns]] = {}
        self._here: dict[_Identity, Any] = {}
        for name, label in NAMED.items():
            if document.get(name) is not None:
                self._remember(apps.get_model(label), document[name])
        for table, rows in document["related"].items():
            for columns in rows:
                self._remember(_model_of_table(table), columns)

    def add_all(self) -> int:
        """Add what is not here; how many rows that were."""
        before = self._added = 0
        for identity in list(self._columns):
            self._key_here(*identity)
        return self._added - before

    def key_here(self, label: str, key: Any) -> Any:
        """The key in this database of a row of the sidecar."""
        model = apps.get_model(label)
        return self._key_here(_root(model), model._meta.pk.to_python(key))

    def key_of(self, label: str, key: Any) -> Any:
        """The same of a reference that may be empty."""
        return None if key is None else self.key_here(label, key)

    def _remember(self, model: type[models.Model], columns: Columns) -> None:
        kind = _kind_with(model, set(columns))
        key = kind._meta.pk
        assert key is not None  # noqa: S101  concrete models have one
        self._columns[_root(kind), key.to_python(columns[key.attname])] = kind, columns

    def _key_here(self, root: type[models.Model], key: Any) -> Any:
        if (root, key) not in self._here:
            # A row that refers to itself over others would never end; there is none in the data model.
            self._here[root, key] = self._find_or_add(*self._columns[root, key])
        return self._here[root, key]

    def _find_or_add(self, kind: type[models.Model], columns: Columns) -> Any:
        values = {field.attname: self._value(field, columns[field.attname]) for field in _filled(kind, columns)}
        found = _same(kind, values)
        if found is not None:
            return found
        self._added += 1
        return self._add(kind, values, columns)

    def _value(self, field: Any, value: Any) -> Any:
        target = field.related_model
        if value is None or target is None:
            return field.to_python(value)
        if not is_remembered(target) or field.name in LINKED_LATER:
            return None
        return self.key_here(target._meta.label, value)

    def _add(self, kind: type[models.Model], values: dict[str, Any], columns: Columns) -> Any:
        row = kind(**values)
        row.save(force_insert=True)
        for model in (kind, *kind._meta.get_parent_list()):
            # What a save sets by itself is what it was.
            own = {f.attname for f in model._meta.local_concrete_fields if getattr(f, "auto_now_add", False)}
            times = {name: values[name] for name in own if name in values}
            if times:
                model._base_manager.filter(pk=row.pk).update(**times)
        for many in kind._meta.many_to_many:
            target: Any = many.related_model
            if is_remembered(target) and many.name not in LINKED_LATER:
                keys = [self.key_here(target._meta.label, key) for key in columns.get(many.name, [])]
                getattr(row, many.name).add(*keys)
        return row.pk


def _filled(kind: type[models.Model], columns: Columns) -> Iterator[Any]:
    """The columns that a row is made of. Keys that a database counts are given anew; the kind of a polymorphic row is
    known by its class.
    """
    for field in kind._meta.concrete_fields:
        is_counted = field.primary_key and not isinstance(field, models.UUIDField)
        is_parent = getattr(field.remote_field, "parent_link", False)
        is_parent_key = field.model is not kind and field.model._meta.pk is field
        skipped = is_counted or is_parent or is_parent_key or field.attname == "polymorphic_ctype_id"
        if not skipped and field.attname in columns:
            yield field


def _same(kind: type[models.Model], values: Mapping[str, Any]) -> Any:
    """The key of the row here that is the same, or None."""
    for names in _unique_names(kind):
        wanted = {name: values.get(name) for name in names}
        if None in wanted.values() or "" in wanted.values():
            continue
        owner = next(model for model in (kind, *kind._meta.get_parent_list()) if _has(model, names))
        found = owner._base_manager.filter(**wanted).values_list("pk", flat=True).first()
        if found is not None:
            return found
    return None


def _unique_names(kind: type[models.Model]) -> Iterator[tuple[str, ...]]:
    """By which columns a row is known: unique ones, and together unique ones. Without any, all of its columns."""
    found = False
    for model in (kind, *kind._meta.get_parent_list()):
        for field in model._meta.local_concrete_fields:
            is_uuid = isinstance(field, models.UUIDField)
            if (field.unique and not field.primary_key) or (field.primary_key and is_uuid):
                found = True
                yield (field.attname,)
        for constraint in model._meta.constraints:
            if isinstance(constraint, models.UniqueConstraint) and "id" not in constraint.fields:
                found = True
                yield tuple(model._meta.get_field(name).attname for name in constraint.fields)  # type: ignore[union-attr]
    if not found:
        yield tuple(f.attname for f in kind._meta.local_concrete_fields if f.related_model and not f.null) + tuple(
            f.attname for f in kind._meta.local_concrete_fields if isinstance(f, models.DateTimeField) and not f.null
        )


def _has(model: type[models.Model], names: Iterable[str]) -> bool:
    own = {field.attname for field in model._meta.local_concrete_fields}
    return own.issuperset(names)


def _kind_with(model: type[models.Model], names: set[str]) -> type[models.Model]:
    """The kind of a row with these columns: of a polymorphic table, the child that has them all."""
    kinds = [model, *model.__subclasses__()]
    return max(kinds, key=lambda kind: len(names & {f.attname for f in kind._meta.concrete_fields}))


def _root(model: type[models.Model]) -> type[models.Model]:
    """The table that gives a row its key."""
    parents = model._meta.get_parent_list()
    return parents[-1] if parents else model


def _model_of_table(table: str) -> type[models.Model]:
    found = [model for model in apps.get_models() if model._meta.db_table == table and not model._meta.proxy]
    if not found:
        raise ValueError(f"there is no table {table}")
    return found[0]
