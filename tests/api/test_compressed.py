"""Bulk bodies packed with gzip: unpacked, bounded, and refused when they are none."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from datamgmt.models import RawDataFile
from tests.api.bodies import BULK, file_body
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> ApiClient:
    return client_with("write:observations")


def send(api: ApiClient, body: bytes, encoding: str = "gzip") -> Any:
    return api.http.generic("POST", BULK, body, content_type="application/json", headers={"Content-Encoding": encoding})


def rows(number: int = 3) -> bytes:
    execution = ExecutedObsUnitFactory.create()
    return json.dumps([file_body(execution) for _ in range(number)]).encode()


def test_a_packed_call_is_filed(api: ApiClient) -> None:
    assert send(api, gzip.compress(rows())).json() == {"created": 3, "unchanged": 0}
    assert send(api, gzip.compress(rows()), "GZIP").status_code == 201
    assert send(api, rows(), "identity").status_code == 201
    assert RawDataFile.objects.count() == 9


@pytest.mark.parametrize(
    "spoil",
    [
        lambda packed: b"",
        lambda packed: b"no gzip",
        lambda packed: packed[:-9],
        lambda packed: packed + b"more",
        lambda packed: packed[:20] + b"\0\0\0\0" + packed[24:],
    ],
    ids=["empty", "text", "cut", "followed", "damaged"],
)
def test_what_is_no_whole_gzip_is_refused(api: ApiClient, spoil: Any) -> None:
    answer = send(api, spoil(gzip.compress(rows())))
    problem(answer, 400, answer.json()["code"])
    assert not RawDataFile.objects.exists()


def test_what_unpacks_to_too_much_is_refused(api: ApiClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000
    bomb = gzip.compress(b" " * 200_000)
    assert len(bomb) < 1000
    problem(send(api, bomb), 413, "request.too_large")
