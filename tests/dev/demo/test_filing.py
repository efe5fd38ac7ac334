"""The demo's client against a real HTTP server that plays a portal with troubles."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import pytest

from ccatdc.common.errors import CcatError, ExternalError, RequestError
from ccatdc.dev.demo import filing
from ccatdc.dev.demo.filing import Api, file_observation, wait_until_healthy
from ccatdc.dev.demo.writing import Written

NOW = datetime(2026, 11, 21, 3, 45, tzinfo=UTC)


class Portal:
    """Answers with what is queued, then 200; remembers what it was sent."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any, str]] = []
        self.answers: list[tuple[int, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sent = json.loads(body) if body else None
                token = self.headers.get("Authorization", "")
                outer.calls.append((self.command, self.path, sent, token))
                status, said = outer.answers.pop(0) if outer.answers else (200, {})
                text = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    monkeypatch.setattr(filing, "_PAUSE_SECONDS", 0.01)
    made = Portal()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def written(number: int) -> Written:
    return Written(UUID(int=number), f"run/{number}", 5, "blake3:00", "ab", "md5", "lfa", "spectra", NOW)


def observe(portal: Portal, count: int) -> None:
    with Api(portal.url, "secret") as api:
        file_observation(
            api,
            instrument="chai",
            location="ccat_chai_raw_data",
            program="GEco",
            obs_unit="M17SW map",
            start=NOW,
            end=NOW,
            files=[written(number) for number in range(count)],
            conditions={"pwv_mm_mean": 0.5},
        )


def test_an_observation_is_started_filled_and_finished(portal: Portal) -> None:
    observe(portal, 2)

    (start, files, finish) = portal.calls
    assert start[:2] == ("POST", "/api/executed_obs_units/start")
    assert (start[2]["program"], start[2]["obs_unit_name"]) == ("GEco", "M17SW map")
    assert files[:2] == ("POST", "/api/raw_data_files/bulk")
    assert files[2][1]["relative_path"] == "run/1"
    assert {row["executed_obs_unit"] for row in files[2]} == {start[2]["id"]}
    assert finish[:2] == ("PUT", f"/api/executed_obs_units/{start[2]['id']}/finish")
    assert {call[3] for call in portal.calls} == {"Bearer secret"}


def test_many_files_go_in_several_calls(portal: Portal) -> None:
    observe(portal, 2001)

    sizes = [len(call[2]) for call in portal.calls if call[1].endswith("/bulk")]
    assert sizes == [1000, 1000, 1]


def test_a_call_is_sent_again_when_the_portal_fails(portal: Portal) -> None:
    portal.answers = [(503, {}), (500, b"oops"), (201, {"fine": True})]

    with Api(portal.url, "secret") as api:
        assert api.call("POST", "/x", {"id": 1}) == {"fine": True}

    assert [call[2] for call in portal.calls] == [{"id": 1}] * 3


def test_a_refusal_is_told_in_the_portals_words_and_not_repeated(portal: Portal) -> None:
    portal.answers = [(409, {"title": "It differs.", "detail": "Look.", "code": "filing.differs"})]

    with Api(portal.url, "secret") as api, pytest.raises(RequestError) as caught:
        api.call("POST", "/x", {})

    assert "409: It differs. Look." in str(caught.value)
    assert caught.value.code == "filing.differs"
    assert len(portal.calls) == 1


def test_a_portal_that_keeps_failing_is_an_error(portal: Portal) -> None:
    portal.answers = [(500, b"<html>")] * 10

    with Api(portal.url, "secret") as api, pytest.raises(CcatError, match="500: <html>"):
        api.call("GET", "/x")


def test_a_portal_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filing, "_PAUSE_SECONDS", 0.01)

    with Api("http://127.0.0.1:9", "secret") as api, pytest.raises(ExternalError) as caught:
        api.call("GET", "/x")

    assert caught.value.code == "demo.portal"


def test_the_start_waits_for_a_healthy_portal(portal: Portal) -> None:
    portal.answers = [(503, {}), (404, {})]
    looks: list[UUID] = []

    wait_until_healthy(portal.url, 10, lambda: looks.append(uuid4()))

    assert len(looks) == 2


def test_a_portal_that_never_becomes_healthy_is_an_error(portal: Portal) -> None:
    portal.answers = [(503, {})] * 1000

    with pytest.raises(ExternalError, match=r"did not come up in 0 s: status 503"):
        wait_until_healthy(portal.url, 0.3, lambda: None)
