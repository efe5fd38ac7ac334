"""What tests with thousands of calls share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _thousands_of_calls(settings: Any) -> Iterator[None]:
    """From one token, and most of them refused, each with a line in the log."""
    settings.TOKEN_REQUESTS_PER_MINUTE = 1_000_000
    log = logging.getLogger("django.request")
    before = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(before)
