"""Runs a translated query: read-only, as a role that sees the views of TAP and nothing else, within limits of time, rows
and how many run at once. The views ask the session who it is, and show what that person may see.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from psycopg.errors import QueryCanceled

from accounts.models import User
from ccatdc.common.errors import ExternalError
from planning.models import ObservingProgram
from transfer.tap.nodes import names_of
from transfer.tap.parsing import QueryError
from transfer.tap.tables import Column, bare
from transfer.tap.translating import Translated

#: The role of the database; one without it (roles were never made) runs with the rights of the process, read-only too.
ROLE: Final = "ccatdc_tap"
#: Rows that are fetched at a time.
_CHUNK: Final = 1000
#: What sorting may take on the database's disk, where create_database_roles was run by a superuser.
_ON_DISK: Final = "2GB"
#: Advisory locks: one for each query that runs.
_LOCKS: Final = 6_027_740
_TYPES: Final = {16: "boolean", 20: "long", 21: "short", 23: "int", 700: "float", 701: "double", 1700: "double"}
_TIMESTAMPS: Final = frozenset({1114, 1184})


@dataclass(frozen=True, slots=True)
class Asker:
    """What somebody may see beside what is public: programs by their keys, or all."""

    programs: tuple[int, ...] = ()
    sees_all: bool = False

    @classmethod
    def of(cls, user: Any) -> Asker:
        """Of a person or program that may read observations; of nobody what is public."""
        if not isinstance(user, User) or not user.is_active:
            return cls()
        keys = ObservingProgram.objects.of(user).order_by().values_list("pk", flat=True)
        return cls(tuple(keys), user.sees_all_programs)


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows of the answer, and seconds."""

    rows: int
    seconds: float


class TooBusyError(ExternalError):
    """As many queries run as may; the same one succeeds later."""

    default_code = "tap.busy"


@contextmanager
def rows_of_query(query: Translated, asker: Asker, limits: Limits) -> Iterator[tuple[list[Column], Iterator[Any]]]:
    """Columns with their types, and rows while they come: one more than the limit, so that an overflow shows.

    Raises QueryError for what the database cannot compute or would compute for too long.
    """
    ends_at = time.monotonic() + limits.seconds
    with _told_as_errors(), transaction.atomic():
        _prepare(asker, limits)
        with connection.chunked_cursor() as cursor:
            cursor.execute(query.sql, query.parameters)
            first = cursor.fetchmany(_CHUNK)
            yield _typed(query.columns, cursor.description), _rows(first, cursor, limits, ends_at)
        # All that was set for the transaction goes with it, inside of another one too.
        transaction.set_rollback(True)


def _prepare(asker: Asker, limits: Limits) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), set_config('ccatdc.programs', %s, true),"
            " set_config('ccatdc.sees_all', %s, true), set_config('ccatdc.authority', %s, true),"
            " set_config('ccatdc.base_url', %s, true), set_config('max_parallel_workers_per_gather', '0', true),"
            " set_config('work_mem', '32MB', true), set_config('join_collapse_limit', '12', true),"
            " set_config('from_collapse_limit', '12', true),"
            " CASE WHEN has_parameter_privilege('temp_file_limit', 'SET') THEN set_config('temp_file_limit', %s, true) END,"
            " to_regrole(%s) IS NOT NULL",
            [
                str(int(limits.seconds * 1000)),
                ",".join(map(str, asker.programs)),
                "on" if asker.sees_all else "off",
                settings.IVOA_AUTHORITY,
                settings.PORTAL_URL.rstrip("/"),
                _ON_DISK,
                ROLE,
            ],
        )
        (*_, has_role) = cursor.fetchone()
        if not any(_is_free(cursor, number) for number in range(settings.TAP_QUERIES)):
            raise TooBusyError("As many queries run as may at a time.", remedy="Try again in a minute, or as a job.")
        if has_role:
            cursor.execute(f"SET LOCAL ROLE {ROLE}")


def _is_free(cursor: Any, number: int) -> bool:
    """One of the places for queries, until the transaction ends."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCKS + number])
    return bool(cursor.fetchone()[0])


@contextmanager
def _told_as_errors() -> Iterator[None]:
    """What the database says of a query, as the person's own trouble where it is."""
    try:
        yield
    except DatabaseError as error:
        cause = error.__cause__
        state = getattr(cause, "sqlstate", None) or ""
        if isinstance(cause, QueryCanceled):
            raise _too_long() from error
        if state[:2] in ("53", "54"):
            raise QueryError("The query takes more memory than it may.", code="tap.too_large") from error
        if state[:2] in ("22", "42", "21", "2F", "0A"):
            told = getattr(getattr(cause, "diag", None), "message_primary", "") or "it is not understood"
            raise QueryError(f"The database cannot compute this: {told}.") from error
        raise


def _too_long() -> QueryError:
    return QueryError(
        "The query takes longer than it may.",
        code="tap.too_long",
        remedy="Narrow it, by position or time; or run it as a job, which has more time.",
    )


def _rows(first: list[Any], cursor: Any, limits: Limits, ends_at: float) -> Iterator[Any]:
    left, rows = limits.rows + 1, first
    while rows and left > 0:
        yield from rows[:left]
        left -= len(rows)
        if left <= 0:
            return
        if time.monotonic() > ends_at:
            raise _too_long()
        rows = cursor.fetchmany(_CHUNK)


def _typed(columns: list[Column], description: Any) -> list[Column]:
    """With the types of what was computed, and each name once."""
    found = []
    for name, column, told in zip(names_of(columns), columns, description, strict=True):
        kind = _TYPES.get(told.type_code, "char")
        xtype = "timestamp" if told.type_code in _TIMESTAMPS else column.xtype
        known = column.datatype or kind
        found.append(
            Column(
                name if bare(column.name) != name else column.name,
                known,
                column.unit,
                column.ucd,
                column.description,
                column.utype,
                xtype,
            )
        )
    return found


def as_text(value: Any) -> str | None:
    """A value as VOTable and CSV write it; None for null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    if isinstance(value, Decimal):
        return repr(float(value))
    if isinstance(value, float):
        return "NaN" if value != value else repr(value).replace("inf", "Inf")  # noqa: PLR0124
    return str(value)
