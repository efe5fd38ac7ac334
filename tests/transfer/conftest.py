"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.transfer.fakes import FakeOperation, faked
from tests.transfer.world import World
from transfer.models import Operation


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Iterator[type[FakeOperation]]:
    """All stages run a fake operation; logs go below ``tmp_path``."""
    settings.STORAGES = {
        **settings.STORAGES,
        "logs": {**settings.STORAGES["logs"], "OPTIONS": {"location": tmp_path / "log"}},
    }
    with faked(monkeypatch) as operation_class:
        yield operation_class


def other_session() -> psycopg.Connection[Any]:
    """A session of its own in the test database."""
    wanted = ("host", "port", "user", "password", "dbname")
    parameters = connection.get_connection_params()
    return psycopg.connect(**{name: parameters[name] for name in wanted if name in parameters})


@pytest.fixture
def locked_elsewhere(transactional_db: None) -> Callable[[Operation], Any]:
    """``with locked_elsewhere(operation):`` another session holds the row until the end."""

    @contextmanager
    def lock(operation: Operation) -> Iterator[None]:
        with other_session() as session:
            session.execute("SELECT 1 FROM operation WHERE id = %s FOR UPDATE", [operation.pk])
            yield
            session.rollback()

    return lock


@pytest.fixture
def world(db: None) -> World:
    """Two sites with their locations, as rows."""
    return World()
