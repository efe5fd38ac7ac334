"""At a gateway: makes the tables of reference data equal to a snapshot, in one transaction.

Rows that changed are taken out and put in again, so that names may move between rows; foreign keys are checked when the
transaction ends. A row that the main site deleted goes, unless something here refers to it
(gateway/reference/leaving.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, models, transaction
from psycopg import sql

from ccatdc.common.errors import ConfigurationError
from gateway.outbox.locks import take_reference_data
from gateway.reference.leaving import delete_gone, withdraw
from gateway.reference.snapshot import is_content_type
from gateway.reference.tables import FORMAT, TABLES, Table

#: What a column that each site keeps for itself begins with, where the model's default will not do.
_BEGINNINGS = {"password": "!"}


@dataclass
class Applied:
    """How many rows came, changed, went, and stayed though the main site has deleted them."""

    added: int = 0
    changed: int = 0
    deleted: int = 0
    withdrawn: int = 0

    def __str__(self) -> str:
        return f"{self.added} rows added, {self.changed} changed, {self.deleted} deleted, {self.withdrawn} withdrawn"


def apply_snapshot(text: str) -> Applied:
    """Make the copy equal to the snapshot.

    Raises ConfigurationError when it is of another version than this gateway.
    """
    _check(json.loads(text))
    applied = Applied()
    with transaction.atomic():
        _load(text)
        take_reference_data()
        execute("SET CONSTRAINTS ALL DEFERRED")
        for table in TABLES:
            applied.changed += _take_out_changed(table)
        for table in reversed(TABLES):
            applied.deleted += delete_gone(table)
            applied.withdrawn += withdraw(table)
        for table in TABLES:
            applied.added += _put_in(table)
        applied.added -= applied.changed
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        _clear_away()
    return applied


def _check(document: Any) -> None:
    """The same tables with the same columns, or the two sites are of different versions."""
    theirs = {}
    if isinstance(document, Mapping) and document.get("format") == FORMAT:
        theirs = {each["table"]: each["columns"] for each in document["tables"]}
    ours = {table.name: table.columns for table in TABLES}
    if theirs == ours:
        return
    differing = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    raise ConfigurationError(
        f"The main site's reference data has other columns than ours: {', '.join(differing)}.",
        code="gateway.other_version",
        remedy="Filing goes on with the old copy. Bring both sites to the same version.",
    )


def _load(text: str) -> None:
    """The wanted rows of each table, in temporary tables that the end of the transaction drops."""
    execute("CREATE TEMPORARY TABLE gateway_document ON COMMIT DROP AS SELECT %s::json AS d", text)
    execute(
        "CREATE TEMPORARY TABLE gateway_rows ON COMMIT DROP AS "
        "SELECT t->>'table' AS name, t->'rows' AS rows "
        "FROM gateway_document, json_array_elements(d->'tables') t"
    )
    for table in TABLES:
        names = _names(table)
        execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {row_type} ON COMMIT DROP AS SELECT {as_sent} FROM {table} WITH NO DATA"
            ).format(as_sent=_columns(table, "NULL::text AS {}", "{}"), **names)
        )
        execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {wanted} ON COMMIT DROP AS SELECT {columns} "
                "FROM json_populate_recordset("
                "NULL::{row_type}, (SELECT rows FROM gateway_rows WHERE name = %s))"
            ).format(
                columns=_columns(
                    table,
                    "(SELECT c.id FROM django_content_type c WHERE c.app_label || '.' || c.model = {0}) AS {0}",
                    "{0}",
                ),
                **names,
            ),
            table.name,
        )


def _clear_away() -> None:
    """Another snapshot may be applied in the same transaction."""
    execute("DROP TABLE gateway_document, gateway_rows")
    for table in TABLES:
        execute(sql.SQL("DROP TABLE {row_type}, {wanted}, {old}").format(**_names(table)))


def _take_out_changed(table: Table) -> int:
    """Rows that will be others; kept aside, with what this site alone knows about them."""
    columns = [sql.Identifier(name) for name in table.columns]
    execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {old} ON COMMIT DROP AS SELECT t.* FROM {table} t "
            "JOIN {wanted} w USING ({key}) WHERE ({ours}) IS DISTINCT FROM ({theirs})"
        ).format(
            ours=sql.SQL(", ").join(sql.SQL("t.{}").format(each) for each in columns),
            theirs=sql.SQL(", ").join(sql.SQL("w.{}").format(each) for each in columns),
            **_names(table),
        )
    )
    return execute(sql.SQL("DELETE FROM {table} t USING {old} o WHERE t.{key} = o.{key}").format(**_names(table)))


def _put_in(table: Table) -> int:
    own = table.own_columns
    insert = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {values} FROM {wanted} w "
        "LEFT JOIN {old} o USING ({key}) "
        "WHERE NOT EXISTS (SELECT FROM {table} t WHERE t.{key} = w.{key})"
    ).format(
        columns=sql.SQL(", ").join(map(sql.Identifier, [*table.columns, *own])),
        values=sql.SQL(", ").join(
            [
                *(sql.SQL("w.{}").format(sql.Identifier(name)) for name in table.columns),
                *(sql.SQL("COALESCE(o.{}, %s)").format(sql.Identifier(name)) for name in own),
            ]
        ),
        **_names(table),
    )
    return execute(insert, *(_beginning(table, name) for name in own))


def _beginning(table: Table, column: str) -> Any:
    field = _field(table, column)
    value = _BEGINNINGS.get(column, field.get_default())
    return field.get_db_prep_save(value, connection)


def _columns(table: Table, of_kinds: str, of_others: str) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL(of_kinds if is_content_type(_field(table, name)) else of_others).format(sql.Identifier(name))
        for name in table.columns
    )


def _field(table: Table, column: str) -> models.Field[Any, Any]:
    return next(f for f in table.model._meta.local_concrete_fields if f.column == column)


def _names(table: Table) -> dict[str, sql.Identifier]:
    return {
        "table": sql.Identifier(table.name),
        "key": sql.Identifier(table.key),
        "row_type": sql.Identifier(f"gateway_row_type_{table.name}"),
        "wanted": sql.Identifier(f"gateway_wanted_{table.name}"),
        "old": sql.Identifier(f"gateway_old_{table.name}"),
    }


def execute(statement: str | sql.Composed, *values: Any) -> int:
    """Run it; the number of rows that it moved."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return int(cursor.rowcount)
