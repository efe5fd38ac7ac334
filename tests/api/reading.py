"""What tests of reading share."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import ApiClient

PACKAGES = "/api/raw_data_packages/"


def queries_of(api: ApiClient, address: str, **query: Any) -> int:
    with CaptureQueriesContext(connection) as seen:
        answer = api.get(address, **query)
    assert answer.status_code == 200, answer.content
    return len(seen)


def names_in(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]
