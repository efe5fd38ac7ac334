"""After a test that committed rows: the database as the migrations left it, in milliseconds.

Django truncates every table and then makes content types, permissions and default roles anew, with some hundred queries.
Here what the migrations left is kept in a schema of its own, and copied back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from django.test import TransactionTestCase

_SCHEMA: Final = "as_migrated"


def keep_as_migrated() -> None:
    """Copy all that there is now. Needs a superuser, as the tests do anyway: they make roles."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE; CREATE SCHEMA {_SCHEMA}")
        for table in _tables():
            cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")')  # noqa: S608 - a name of our own
            if cursor.fetchone() == (True,):
                cursor.execute(f'CREATE TABLE {_SCHEMA}."{table}" AS TABLE "{table}"')


@contextmanager
def migrated_template() -> Iterator[None]:
    """A copy of the database as it is now, of which others are made in a moment: see :func:`template_name`."""
    name = template_name()
    connection.close()
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
    maintenance = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres").geturl()
    with psycopg.connect(maintenance, autocommit=True) as link:
        link.execute(drop)
        link.execute(f'CREATE DATABASE "{name}" TEMPLATE "{connection.settings_dict["NAME"]}"')
    yield
    with psycopg.connect(maintenance, autocommit=True) as link:
        link.execute(drop)


def template_name() -> str:
    return f"{connection.settings_dict['NAME']}_migrated"


def empty_fast(patch: pytest.MonkeyPatch) -> None:
    """Have Django's test cases that commit do it this way."""
    patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: _back_to_migrated())


def _back_to_migrated() -> None:
    # Foreign keys and the triggers of the history are triggers: without them the order does not matter.
    deletes = "".join(f'DELETE FROM "{table}";' for table in _tables())  # noqa: S608
    inserts = "".join(f'INSERT INTO "{table}" SELECT * FROM {_SCHEMA}."{table}";' for table in _kept())  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"BEGIN; RESET ROLE; SET LOCAL session_replication_role = replica; {deletes} {inserts} COMMIT")


_known: dict[str, list[Any]] = {}


def _tables() -> list[str]:
    if "tables" not in _known:
        _known["tables"] = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return _known["tables"]


def _kept() -> list[str]:
    if "kept" not in _known:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [_SCHEMA])
            _known["kept"] = [name for (name,) in cursor.fetchall()]
    return _known["kept"]
