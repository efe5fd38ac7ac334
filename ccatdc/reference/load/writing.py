"""Rows that the loader found new or changed, into the database. What it refuses becomes a problem with field and
reason.

New rows of a model of which there may be many are kept until the next model begins, and are inserted together, as
``save`` would insert them one by one. When the database refuses some of them, halves are tried until the refused ones
are found. A kind of source lies in two tables, which ``bulk_create`` refuses: primary keys are taken from the sequence
of the upper table first, then each table gets its columns. What ``save`` of a model adds to its fields is said in
:func:`_prepare`, for every model that is declared as ``many``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DatabaseError, connection, models, router, transaction
from django.db.models import sql
from polymorphic.models import PolymorphicModel

from ccatdc.common.db.constraints import CompositeForeignKey
from ccatdc.data_model import condition_in_words
from ccatdc.reference.entries import Problem
from ccatdc.reference.load.merging import Row
from ccatdc.reference.load.resolving import Resolved
from ccatdc.reference.load.stored import through_of
from planning.models import PreScheduledSlot

_KEY = re.compile(r"Key \((?P<columns>[^)]*)\)=\((?P<values>.*)\) already exists")


def refused_by_database(error: DatabaseError, model: type[models.Model], written: Container[str]) -> tuple[str, str]:
    """The field (of those written, where possible) and the reason of a refused row."""
    diagnosis = getattr(error.__cause__, "diag", None)
    name = getattr(diagnosis, "constraint_name", None) or ""
    taken = _KEY.search(getattr(diagnosis, "message_detail", None) or "")
    if taken is not None:
        columns = [column.strip().removesuffix("_id") for column in taken["columns"].split(",")]
        reason = f"{taken['values']} is taken by another {model._meta.db_table}"
        return _first(columns, written), reason
    constraint = next((c for c in _constraints(model) if c.name == name), None)
    if isinstance(constraint, models.CheckConstraint) and isinstance(constraint.condition, models.Q):
        fields = sorted(constraint.condition.referenced_base_fields)
        if constraint.violation_error_message != constraint.default_violation_error_message:
            return _first(fields, written), str(constraint.violation_error_message)
        words = condition_in_words(constraint.condition)
        return _first(fields, written), f"breaks the rule {name}: {words}"
    if isinstance(constraint, ExclusionConstraint):
        fields = [name for expression, _ in constraint.expressions for name in _columns(expression)]
        return _first(fields, written), str(constraint.get_violation_error_message())
    if isinstance(constraint, CompositeForeignKey):
        return _first(list(constraint.fields), written), str(constraint.violation_error_message)
    return "", str(error.__cause__ or error).splitlines()[0]


def _constraints(model: type[models.Model]) -> list[models.BaseConstraint]:
    tables = [model, *model._meta.get_parent_list()]
    return [constraint for table in tables for constraint in table._meta.constraints]


def _columns(expression: Any) -> list[str]:
    """The fields in an expression of an exclusion constraint."""
    if isinstance(expression, str):
        return [expression]
    return [str(vars(part)["name"]) for part in expression.flatten() if isinstance(part, models.F)]


def _first(fields: list[str], written: Container[str]) -> str:
    return next((name for name in fields if name in written), fields[0] if fields else "")


#: Rows of one statement: enough to make the round trip small, few enough to be held at once.
_ROWS = 2000


def insert(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model and give them their primary keys.

    Raises DatabaseError when one is refused; in a transaction the caller takes the others back.
    """
    for row in rows:
        _prepare(row)
    parents = model._meta.get_parent_list()
    if not parents:
        model._base_manager.bulk_create(rows, batch_size=_ROWS)
        return
    tables = [*reversed(parents), model]
    for row, pk in zip(rows, _new_keys(tables[0], len(rows)), strict=True):
        for table in tables:
            setattr(row, table._meta.pk.attname, pk)
    for table in tables:
        for start in range(0, len(rows), _ROWS):
            _insert_columns(table, rows[start : start + _ROWS])
    for row in rows:
        row._state.adding = False
        row._state.db = router.db_for_write(model)


def link(field: models.ManyToManyField[Any, Any], pairs: Sequence[tuple[models.Model, models.Model]]) -> None:
    """Insert links of new rows: (row, row that it is linked to)."""
    through = through_of(field)
    here, there = f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"
    rows = [through(**{here: row.pk, there: target.pk}) for row, target in pairs]
    through._base_manager.bulk_create(rows, batch_size=_ROWS)


def forget_keys(rows: Sequence[models.Model]) -> None:
    """Make rows new again after their insertion was taken back."""
    for row in rows:
        for table in [type(row), *row._meta.get_parent_list()]:
            setattr(row, table._meta.pk.attname, None)
        row._state.adding = True


def _prepare(row: models.Model) -> None:
    if isinstance(row, PolymorphicModel):
        row.pre_save_polymorphic()
        vars(row)["type"] = vars(type(row))["TYPE"]
    elif isinstance(row, PreScheduledSlot):
        row.telescope_id = row.obs_unit.telescope_id


def _new_keys(table: type[models.Model], count: int) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [table._meta.db_table, table._meta.pk.column, count],
        )
        return iter([pk for (pk,) in cursor.fetchall()])


def _insert_columns(table: type[models.Model], rows: Sequence[models.Model]) -> None:
    query = sql.InsertQuery(table)
    query.insert_values(table._meta.local_concrete_fields, list(rows))
    query.get_compiler(using=router.db_for_write(table)).execute_sql()


@dataclass(frozen=True, slots=True)
class NewRow:
    """A valid row that is not stored yet."""

    row: Row
    instance: models.Model
    found: Resolved


class Writer:
    """Validates and stores. ``on_refusal`` is called for each row that was reported."""

    def __init__(self, problems: list[Problem], on_refusal: Callable[[Row], None]) -> None:
        self._problems = problems
        self._on_refusal = on_refusal
        self._kept: list[NewRow] = []

    def add(self, new: NewRow) -> bool:
        """Store a new row, or keep it for :meth:`finish`. False when it was refused at once."""
        if self._kept and self._kept[0].row.declaration is not new.row.declaration:
            self.finish()
        if new.row.declaration.many:
            self._kept.append(new)
            return True
        if not self.save(new.row, new.instance):
            return False
        for name, targets in new.found.links.items():
            getattr(new.instance, name).set(targets.values())
        return True

    def finish(self) -> None:
        """Store the rows kept so far: before anything refers to them."""
        kept, self._kept = self._kept, []
        if kept:
            self._insert(kept)

    def save(self, row: Row, instance: models.Model) -> bool:
        """Store one row, or report why not."""
        try:
            with transaction.atomic():
                instance.save()
        except DatabaseError as error:
            self._refused(row, error)
            return False
        return True

    def is_valid(self, row: Row, instance: models.Model) -> bool:
        """The model's own rules that need no query; the database judges the rest."""
        declaration, before = row.declaration, len(self._problems)
        missing = [name for name in declaration.required if name not in row.values and instance._state.adding]
        for name in missing:
            self._wrong(row, name, f"is missing: a {declaration.section} needs it")
        exclude = declaration.judged_elsewhere.union(missing)
        self._collect(row, lambda: instance.clean_fields(exclude=exclude))
        if len(self._problems) == before:
            self._collect(row, instance.clean)
        return len(self._problems) == before

    def _insert(self, rows: Sequence[NewRow]) -> None:
        instances = [new.instance for new in rows]
        try:
            with transaction.atomic():
                insert(rows[0].row.declaration.model, instances)
        except DatabaseError as error:
            forget_keys(instances)
            if len(rows) == 1:
                self._refused(rows[0].row, error)
                self._on_refusal(rows[0].row)
                return
            middle = len(rows) // 2
            self._insert(rows[:middle])
            self._insert(rows[middle:])
            return
        for name, field in rows[0].row.declaration.links.items():
            pairs = [(new.instance, target) for new in rows for target in new.found.links.get(name, {}).values()]
            link(field, pairs)

    def _collect(self, row: Row, check: Callable[[], None]) -> None:
        try:
            check()
        except ValidationError as error:
            by_field: Mapping[str, list[ValidationError]] = (
                error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
            )
            for name, errors in by_field.items():
                for message in (text for one in errors for text in one.messages):
                    self._wrong(row, "" if name == NON_FIELD_ERRORS else name, message)

    def _refused(self, row: Row, error: DatabaseError) -> None:
        name, reason = refused_by_database(error, row.declaration.model, row.values)
        self._wrong(row, name, reason)

    def _wrong(self, row: Row, name: str, reason: str) -> None:
        self._problems.append(Problem(row.where(name), name, reason))
