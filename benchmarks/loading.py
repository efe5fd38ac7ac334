"""Rows by the million: COPY of text, without triggers, into tables whose indexes are made afterwards.

What a row does not say is as an unsaved row of its model has it, so that a column that is added
later is filled too. Needs a superuser's connection, and a database that is thrown away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, Final

import psycopg
from django.db import connection, models
from psycopg import sql

#: Lines that go to the server at once.
BLOCK: Final = 5000
NULL: Final = r"\N"


def raw_connection() -> psycopg.Connection[Any]:
    """psycopg's own connection below Django's."""
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


def copy_text(template: models.Model, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """COPY ``rows`` of plain values (``columns``: attribute names) and return how many there were.

    Values are written as ``str()`` makes them: None, and texts without tabs and backslashes.
    """
    model = template._meta.concrete_model or type(template)
    fields = {field.attname: field for field in model._meta.local_concrete_fields}
    own = [fields.pop(name) for name in columns]
    rest = [
        field
        for field in fields.values()
        if not (isinstance(field, models.AutoField) or field.has_db_default() or field.generated)
    ]
    constants = [_as_text(field.pre_save(template, add=True)) for field in rest]
    end = "".join(f"\t{text}" for text in constants) + "\n"
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(template._meta.db_table),
        sql.SQL(", ").join(sql.Identifier(str(field.column)) for field in (*own, *rest)),
    )
    lines = ("\t".join([NULL if v is None else str(v) for v in row]) + end for row in rows)
    count = 0
    with raw_connection().cursor() as cursor, cursor.copy(statement) as copy:
        while block := list(islice(lines, BLOCK)):
            count += len(block)
            copy.write("".join(block))
    return count


@contextmanager
def without_indexes(tables: Iterable[str]) -> Iterator[None]:
    """Triggers, foreign keys' too, are silent, and indexes that are no constraint are away; then they
    are made anew, counters are set behind the last row, and the planner learns what is there.
    """
    names = list(tables)
    raw = raw_connection()
    raw.execute("SET session_replication_role = replica")
    raw.execute("SET maintenance_work_mem = '512MB'")
    found = raw.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = ANY(%s::regclass[]) AND NOT EXISTS"
        " (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
        [[f'"{name}"' for name in names]],
    ).fetchall()
    for index, _ in found:
        raw.execute(f"DROP INDEX {index}")
    yield
    for _, definition in found:
        raw.execute(definition)
    for name in names:
        _set_counter(raw, name)
    raw.execute("SET session_replication_role = origin")
    raw.execute("VACUUM ANALYZE")


def _set_counter(raw: psycopg.Connection[Any], table: str) -> None:
    known = raw.execute(
        "SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = 'id' AND is_identity = 'YES'",
        [table],
    )
    if known.fetchone() is not None:
        raw.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({0}, 'id'), (SELECT coalesce(max(id), 1) FROM {1}))").format(
                f'"{table}"', sql.Identifier(table)
            )
        )


def _as_text(value: object) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)
