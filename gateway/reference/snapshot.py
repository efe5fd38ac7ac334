"""At the main site: all reference data as one document, made by the database in one statement.

PostgreSQL writes the rows as JSON and reads them again at the gateway, so that every type comes through as it is. The
tag of an unchanged document costs no transfer of it.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Final

from django.db import connection, models
from psycopg import sql

from gateway.reference.tables import FORMAT, TABLES, Table

#: A content type has another number in each database: its name goes over the link.
_KIND: Final = sql.SQL("(SELECT c.app_label || '.' || c.model FROM django_content_type c WHERE c.id = t.{column})")


def snapshot_tag() -> str:
    """The tag of what :func:`snapshot` would return now."""
    return _tag(dict(_ask(sql.SQL("md5({rows})"))))


def snapshot() -> tuple[str, bytes]:
    rows = dict(_ask(sql.SQL("{rows}")))
    tag = _tag({name: _md5(text) for name, text in rows.items()})
    tables = ",".join(
        f'{{"table":{json.dumps(table.name)},"columns":{json.dumps(table.columns)},"rows":{rows[table.name]}}}'
        for table in TABLES
    )
    return tag, f'{{"format":{FORMAT},"tag":"{tag}","tables":[{tables}]}}'.encode()


def _ask(columns: sql.SQL) -> list[tuple[str, str]]:
    """One statement, so that all tables are seen at one moment."""
    parts = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {name}, {columns}").format(
            name=sql.Literal(table.name), columns=columns.format(rows=_rows(table))
        )
        for table in TABLES
    )
    with connection.cursor() as cursor:
        cursor.execute(parts)
        return list(cursor.fetchall())


def _rows(table: Table) -> sql.Composed:
    columns = sql.SQL(", ").join(
        sql.SQL("{value} AS {column}").format(value=_value(table, column), column=sql.Identifier(column))
        for column in table.columns
    )
    return sql.SQL(
        "(SELECT coalesce(json_agg(r ORDER BY r.{key}), '[]')::text FROM (SELECT {columns} FROM {table} t) r)"
    ).format(columns=columns, table=sql.Identifier(table.name), key=sql.Identifier(table.key))


def _value(table: Table, column: str) -> sql.Composable:
    field = next(f for f in table.model._meta.local_concrete_fields if f.column == column)
    if is_content_type(field):
        return _KIND.format(column=sql.Identifier(column))
    return sql.SQL("t.{}").format(sql.Identifier(column))


def is_content_type(field: models.Field[object, object]) -> bool:
    """Whether a column holds the number of a content type."""
    target = field.related_model
    return isinstance(target, type) and target._meta.label == "contenttypes.ContentType"


def _md5(text: str) -> str:
    from hashlib import md5

    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _tag(digests: dict[str, str]) -> str:
    columns = [[table.name, *table.columns] for table in TABLES]
    facts = json.dumps([FORMAT, columns, sorted(digests.items())])
    return sha256(facts.encode()).hexdigest()[:32]
