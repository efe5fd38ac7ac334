"""Bodies that are no JSON, too large, or of another kind."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests.api.bodies import BULK, FILES, START, file_body
from tests.api.conftest import ApiClient, problem

pytestmark = pytest.mark.django_db


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"nonsense",
            b"\xff\xfe",
            b'{"a": NaN}',
            b'{"a": 1e999}',
            b'{"a": -Infinity}',
            b'{"id": 1, "id": 2}',
            b"[" * 100_000,
            b'{"a": ' * 50_000,
            b"1" * 5000,
        ],
    )
    def test_what_is_no_json_document_is_400(self, instrument_api: ApiClient, body: bytes) -> None:
        for path in (START, FILES, BULK):
            answer = instrument_api.post(path, body)
            assert answer.status_code == 400, answer.content
            assert answer["Content-Type"] == "application/problem+json"

    def test_a_body_over_the_limit_is_413(self, instrument_api: ApiClient, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
        problem(instrument_api.post(BULK, b" " * 1001), 413, "request.too_large")
        problem(instrument_api.post(BULK, b" " * 1000), 400, "request.parse_error")

    def test_another_media_type_is_415(self, instrument_api: ApiClient) -> None:
        for media_type in ("text/plain", "multipart/form-data; boundary=x", "application/xml"):
            answer = instrument_api.http.generic("POST", START, b"x", content_type=media_type)
            problem(answer, 415, "request.unsupported_media_type")

    def test_the_charset_of_the_header_is_not_followed(self, instrument_api: ApiClient) -> None:
        answer = instrument_api.http.generic("POST", START, b"{}", content_type="application/json; charset=bz2")
        problem(answer, 400, "request.invalid")

    def test_whatever_a_client_accepts_it_gets_json(self, instrument_api: ApiClient) -> None:
        answer = instrument_api.http.get("/api/obs_units/", headers={"accept": "text/html"})
        assert answer["Content-Type"] == "application/json"


def test_filing_leaves_no_open_transaction(instrument_api: ApiClient) -> None:
    """A refused call does not poison the next one on the same connection."""
    instrument_api.post(FILES, file_body(size=-1))
    stored = file_body()
    instrument_api.post(FILES, stored)
    instrument_api.post(FILES, {**stored, "size": 3})
    assert instrument_api.post(FILES, file_body()).status_code == 201
    assert not connection.needs_rollback


@pytest.mark.parametrize("name", ["\ud800", "a\x00b", "\udfff" * 3])
def test_what_utf8_cannot_hold_is_escaped_in_the_answer(instrument_api: ApiClient, name: str) -> None:
    for path, body in ((START, {name: 1}), (FILES, {name: 1}), (BULK, [{name: name}])):
        answer = instrument_api.post(path, body)
        assert answer.status_code == 400, answer.content
        fields = {error["field"] for error in answer.json()["errors"]}
        assert name.encode(errors="backslashreplace").decode() in fields
