"""At a gateway: what becomes of reference data that the main site has deleted.

It goes, unless something that was filed here refers to it. Such a row stays, switched off and under another name, so
that nothing filed is ever lost and the name is free.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from psycopg import sql

from gateway.reference.tables import LOCAL_KEYS, TABLES, Table


def delete_gone(table: Table) -> int:
    """Delete what is not wanted and not referred to; how many. After the tables that refer to this one."""
    parent = _parent(table)
    if parent is not None:
        return 0  # with its parent
    kinds = [each for each in TABLES if _parent(each) is table]
    kept = [_refers(owner, column) for owner, column in _references([table, *kinds])]
    deleted = _execute(
        sql.SQL("DELETE FROM {table} t WHERE {gone} {kept}").format(
            table=sql.Identifier(table.name),
            gone=_gone(table),
            kept=sql.SQL(" ").join(
                sql.SQL("AND NOT EXISTS ({})").format(
                    refers.format(key=sql.SQL("t.{}").format(sql.Identifier(table.key)))
                )
                for refers in kept
            ),
        )
    )
    for kind in kinds:
        _execute(
            sql.SQL(
                "DELETE FROM {kind} t WHERE {gone} AND (NOT EXISTS (SELECT FROM {table} p"
                " WHERE p.{parent_key} = t.{key}) OR EXISTS (SELECT FROM {parent_wanted} w"
                " WHERE w.{parent_key} = t.{key}))"
            ).format(
                kind=sql.Identifier(kind.name),
                gone=_gone(kind),
                table=sql.Identifier(table.name),
                key=sql.Identifier(kind.key),
                parent_key=sql.Identifier(table.key),
                parent_wanted=_wanted(table),
            )
        )
    return deleted


def withdraw(table: Table) -> int:
    """Switch off and rename what is not wanted and still there; how many that were not yet."""
    changes = [
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.SQL(value)) for column, value in table.withdrawn.items()
    ]
    changes += [_renamed(table, column) for column in table.names]
    if not changes:
        return 0
    mark = table.names[0] if table.names else next(iter(table.withdrawn))
    todo = (
        sql.SQL("{} NOT LIKE '%%~' || t.{}").format(sql.Identifier(mark), sql.Identifier(table.key))
        if table.names
        else sql.SQL("{} IS DISTINCT FROM {}").format(sql.Identifier(mark), sql.SQL(table.withdrawn[mark]))
    )
    return _execute(
        sql.SQL("UPDATE {table} t SET {changes} WHERE {gone} AND {todo}").format(
            table=sql.Identifier(table.name), changes=sql.SQL(", ").join(changes), gone=_gone(table), todo=todo
        )
    )


def _renamed(table: Table, column: str) -> sql.Composed:
    """``GEco`` as ``GEco~12``, no longer than the column."""
    field = next(f for f in table.model._meta.local_concrete_fields if f.column == column)
    key = sql.Identifier(table.key)
    return sql.SQL("{0} = left({0}, {1} - 1 - length({2}::text)) || '~' || {2}").format(
        sql.Identifier(column), sql.Literal(int(field.max_length or 0)), key
    )


def _gone(table: Table) -> sql.Composed:
    """Rows ``t`` that the main site does not have, without those that are the gateway's own."""
    key = sql.Identifier(table.key)
    gone = sql.SQL("NOT EXISTS (SELECT FROM {} w WHERE w.{} = t.{})").format(_wanted(table), key, key)
    if not table.has_local_rows:
        return gone
    return sql.SQL("t.{} < {} AND {}").format(key, sql.Literal(LOCAL_KEYS), gone)


def _references(tables: list[Table]) -> list[tuple[str, str]]:
    """Every table and column of the database that refers to one of these, other than these kinds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT owner.relname, a.attname FROM pg_constraint c"
            " JOIN pg_class owner ON owner.oid = c.conrelid"
            " JOIN pg_class target ON target.oid = c.confrelid"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
            " WHERE c.contype = 'f' AND cardinality(c.conkey) = 1"
            " AND c.connamespace = current_schema()::regnamespace"
            " AND target.relname = ANY(%s) AND NOT owner.relname = ANY(%s)",
            [[table.name for table in tables], [table.name for table in tables]],
        )
        return list(cursor.fetchall())


def _refers(owner: str, column: str) -> sql.SQL:
    quote = connection.ops.quote_name
    return sql.SQL(f"SELECT FROM {quote(owner)} r WHERE r.{quote(column)} = {{key}}")


def _parent(table: Table) -> Table | None:
    """The table of which this one is a kind."""
    field = table.model._meta.pk
    target: Any = field.remote_field.model if field.remote_field is not None else None
    return next((each for each in TABLES if each.model is target), None)


def _wanted(table: Table) -> sql.Identifier:
    return sql.Identifier(f"gateway_wanted_{table.name}")


def _execute(statement: sql.Composed) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, [])
        return int(cursor.rowcount)
