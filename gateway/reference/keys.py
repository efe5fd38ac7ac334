"""At a gateway: rows that are made there get keys that the main site never gives."""

from __future__ import annotations

from django.db import connections

from gateway.reference.tables import LOCAL_KEYS, TABLES


def keep_keys_apart(using: str = "default") -> None:
    """Let the keys of the tables of reference data begin at LOCAL_KEYS. Idempotent."""
    with connections[using].cursor() as cursor:
        present = set(connections[using].introspection.table_names(cursor))
        for table in TABLES:
            if table.name not in present:
                continue
            cursor.execute("SELECT pg_get_serial_sequence(quote_ident(%s), %s)", [table.name, table.key])
            (sequence,) = cursor.fetchone()
            if sequence is not None:
                cursor.execute(
                    f"SELECT setval(%s, %s) FROM {sequence} WHERE last_value < %s",  # noqa: S608
                    [sequence, LOCAL_KEYS, LOCAL_KEYS],
                )
