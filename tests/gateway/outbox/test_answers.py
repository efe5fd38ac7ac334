"""What an answer of the main site, or of whoever answers in its place, means for a call."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.outbox.answers import Meaning, judge

EXECUTION = "00000000-0000-4000-8000-000000000001"


def answer(status: int, body: Any = None, **headers: str) -> httpx.Response:
    if body is None or isinstance(body, str):
        return httpx.Response(status, text=body or "", headers=headers)
    return httpx.Response(status, json=body, headers=headers)


def problem(status: int, code: str, **more: Any) -> httpx.Response:
    return answer(status, {"status": status, "code": code, "detail": "It is so.", **more})


@pytest.mark.parametrize(
    ("response", "meaning"),
    [
        (answer(201, {"id": EXECUTION}), Meaning.ACCEPTED),
        (answer(200, {"id": EXECUTION, "status": "running"}), Meaning.ACCEPTED),
        (answer(200, "<html>Log in to the hotel's network</html>"), Meaning.AWAY),
        (answer(200, {"id": "another"}), Meaning.AWAY),
        (answer(200, []), Meaning.AWAY),
        (answer(302, ""), Meaning.AWAY),
        (answer(404, "nothing here"), Meaning.AWAY),
        (answer(401, "who are you?"), Meaning.AWAY),
        (answer(500, "oops"), Meaning.AWAY),
        (answer(502, "bad gateway"), Meaning.AWAY),
        (problem(503, "world.database", retryable=True), Meaning.AWAY),
        (problem(429, "request.throttled"), Meaning.AWAY),
        (problem(408, "request.timeout"), Meaning.AWAY),
        (problem(400, "filing.invalid_rows"), Meaning.REFUSED),
        (problem(404, "filing.unknown_execution"), Meaning.REFUSED),
        (problem(409, "filing.differs"), Meaning.REFUSED),
        (problem(403, "token.other_instrument"), Meaning.REFUSED),
        (answer(413, "too large, says the proxy"), Meaning.REFUSED),
        (problem(401, "request.authentication_failed"), Meaning.DENIED),
        (problem(403, "request.permission_denied"), Meaning.DENIED),
        (problem(403, "token.may_not_relay"), Meaning.DENIED),
        (problem(500, "internal.error"), Meaning.LATER),
        (problem(409, "filing.busy", retryable=True), Meaning.LATER),
    ],
    ids=lambda value: value.value if isinstance(value, Meaning) else f"{value.status_code}",
)
def test_meaning(response: httpx.Response, meaning: Meaning) -> None:
    assert judge(response, {"id": EXECUTION}).meaning is meaning


def test_a_bulk_call_is_accepted_when_all_of_its_rows_are_counted() -> None:
    body = {"created": 7, "unchanged": 3}
    assert judge(answer(201, body), {"rows": 10}).meaning is Meaning.ACCEPTED
    assert judge(answer(201, body), {"rows": 11}).meaning is Meaning.AWAY


def test_it_says_when_to_ask_again_and_what_was_said() -> None:
    verdict = judge(answer(503, "Later.\nPlease.", **{"Retry-After": "17"}), {"id": EXECUTION})
    assert verdict.after_seconds == 17
    assert verdict.said == "503 Later. Please."
    dated = answer(503, "", **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert judge(dated, {"id": EXECUTION}).after_seconds == 0
