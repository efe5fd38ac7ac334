"""What each process does is done with the rights of its role of the database (ccatdc/database_roles).

Tests make their rows as a superuser; from a request of a client, a manager's pass, an operation or a gateway's pass on, the
connection has the role that the process would have.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection
from django.test.client import ClientHandler
from psycopg import sql
from psycopg.pq import TransactionStatus

from ccatdc import notification_loop
from ccatdc.database_roles.granting import role_name
from gateway import loop
from notifications import sending
from transfer.engine import dispatch, watchdog
from transfer.engine.worker import runner
from transfer.managers.base import StageManager

#: Where the work of each role begins.
_ENTRANCES: tuple[tuple[str, Any, str], ...] = (
    ("web", ClientHandler, "get_response"),
    ("managers", StageManager, "run_once"),
    ("managers", dispatch, "dispatch_due"),
    ("managers", watchdog, "watch"),
    ("managers", notification_loop, "evaluate"),
    ("managers", sending, "send_waiting"),
    ("worker", runner, "claim"),
    ("worker", runner, "_run"),
    ("gateway", loop, "replay"),
    ("gateway", loop, "refresh"),
    ("gateway", loop, "prune"),
)


class _Stack(threading.local):
    def __init__(self) -> None:
        self.roles: list[str] = []


_stack = _Stack()


@contextmanager
def as_role(role: str) -> Iterator[None]:
    """The block has this role's rights."""
    _set(role)
    _stack.roles.append(role)
    try:
        yield
    finally:
        _stack.roles.pop()
        _set(_stack.roles[-1] if _stack.roles else None)


def _set(role: str | None) -> None:
    connection.ensure_connection()
    raw: Any = connection.connection
    # Statements of the tests' own, which no test counts. A transaction that failed goes back by itself.
    if raw.closed or raw.info.transaction_status == TransactionStatus.INERROR:
        return
    raw.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role_name(role))) if role else "RESET ROLE")


def _within(role: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def inside(*arguments: Any, **options: Any) -> Any:
        with as_role(role):
            return call(*arguments, **options)

    return inside


def url_as(role: str, database_url: str) -> str:
    """The address for a process of this role; the same one where the server asks for passwords, which no role has here."""
    given = urlsplit(database_url)
    url = given._replace(netloc=f"{role_name(role)}@").geturl()
    if given.hostname:
        return database_url
    psycopg.connect(url).close()
    return url


def enter_as_processes_do(patch: pytest.MonkeyPatch) -> None:
    """From now on."""
    for role, owner, name in _ENTRANCES:
        patch.setattr(owner, name, _within(role, getattr(owner, name)))
