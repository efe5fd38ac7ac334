"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.transfer.fakes import FakeOperation, faked


@pytest.fixture
def fake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> Iterator[type[FakeOperation]]:
    """All stages run a fake operation; logs go below ``tmp_path``."""
    settings.LOG_DIR = tmp_path / "log"
    with faked(monkeypatch) as operation_class:
        yield operation_class
