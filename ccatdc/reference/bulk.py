"""Many new rows in few statements: the rows of one model, inserted as ``save`` would one by one.

A kind of source lies in two tables, which ``bulk_create`` refuses: primary keys are taken from the
sequence of the upper table first, then each table gets its columns. What ``save`` of a model adds to
its fields is said in :func:`_prepare`, for every model that is declared as ``many``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection, models, router
from django.db.models import sql
from polymorphic.models import PolymorphicModel

from ccatdc.reference.stored import through_of
from planning.models import PreScheduledSlot

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


def link(
    field: models.ManyToManyField[Any, Any], pairs: Sequence[tuple[models.Model, models.Model]]
) -> None:
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
