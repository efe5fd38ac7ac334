"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.transfer.fakes import FakeOperation, faked


@pytest.fixture
def fake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> Iterator[type[FakeOperation]]:
    """All stages run a fake operation; logs go below ``tmp_path``."""
    settings.LOG_DIR = tmp_path / "log"
    with faked(monkeypatch) as operation_class:
        yield operation_class


@pytest.fixture
def second_connection(transactional_db: None) -> Iterator[Any]:
    """``with second_connection(sql):`` runs ``sql`` in another session's transaction, open until the end."""

    @contextmanager
    def run(sql: str) -> Iterator[psycopg.Connection[Any]]:
        parameters = connection.get_connection_params()
        parameters.pop("cursor_factory", None)
        parameters.pop("context", None)
        parameters.pop("prepare_threshold", None)
        with psycopg.connect(**parameters) as other:
            other.execute(sql)
            yield other
            other.rollback()

    yield run
