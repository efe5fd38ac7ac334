"""Following an observation, against an HTTP server that gives the answers a test wants."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from ccat_file import Filing, Settings, SettingsError, Sight, StillWaitingError, watch

ONE = UUID(int=1)


def seen(state: str, *, unpackaged: int = 0, status: str = "completed") -> tuple[int, Any]:
    files = {"count": 2, "bytes": 20, "unpackaged": unpackaged}
    execution = {"status": status, "files": files, "packages": {state: 1}}
    return 200, {"state": "archived", "reached": state == "archived", "execution": execution}


def problem(status: int, code: str) -> tuple[int, Any]:
    return status, {"code": code, "status": status, "detail": "Why."}


BUSY = problem(429, "wait.busy")


class Server:
    """Gives its answers one after the other, the last one for ever; remembers what was asked."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.asked: list[tuple[str, str]] = []
        left = list(answers)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                assert query["state"] == ["archived"]
                outer.asked.append((parts.path, query["timeout"][0]))
                status, said = left.pop(0) if len(left) > 1 else left[0]
                text = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def holds(self) -> list[str]:
        return [hold for _, hold in self.asked]


@pytest.fixture
def serve() -> Iterator[Any]:
    started: list[Server] = []

    def start(*answers: tuple[int, Any]) -> Server:
        started.append(Server(*answers))
        return started[-1]

    yield start
    for server in started:
        server.http.shutdown()
        server.http.server_close()
        server.thread.join()


def follow(folder: Path, server: Server, **how: Any) -> list[str]:
    told: list[Sight] = []
    filing = Filing(Settings(folder, server.url, "a-token"), send=False)
    watch(filing, filing.observation(ONE), tell=told.append, **{"interval": 0.05, **how})
    return [str(sight) for sight in told]


def test_the_server_is_asked_to_answer_when_it_is_archived(tmp_path: Path, serve: Any) -> None:
    server = serve(seen("archived"))
    assert follow(tmp_path, server, interval=12.0) == ["completed, 2 files, 0 not yet packaged; 1 packages archived"]
    assert server.asked == [(f"/api/executed_obs_units/{ONE}/wait", "12")]


def test_it_waits_no_longer_than_asked_and_than_the_server_lets_one(tmp_path: Path, serve: Any) -> None:
    server = serve(seen("archived"))
    follow(tmp_path, server, interval=1000.0)
    follow(tmp_path, server, interval=1000.0, seconds=7.9)
    assert server.holds() == ["50", "7"]


def test_changes_are_told_once_each(tmp_path: Path, serve: Any) -> None:
    waiting = seen("waiting", unpackaged=1)
    server = serve(waiting, waiting, seen("transferring"), seen("archived"))
    told = follow(tmp_path, server)
    assert [text.rpartition(" ")[2] for text in told] == ["waiting", "transferring", "archived"]


def test_what_failed_is_told_and_it_goes_on_at_its_own_pace(tmp_path: Path, serve: Any) -> None:
    status, document = seen("failed")
    failures = [{"code": "package.failed", "message": "GPS_001 failed; its operations say why"}]
    server = serve((status, {**document, "failures": failures}), seen("archived"))
    began = time.monotonic()
    told = follow(tmp_path, server, interval=0.3)
    assert told[0].endswith("1 packages failed; GPS_001 failed; its operations say why")
    assert time.monotonic() - began > 0.25, "an answer before its time is not asked for again at once"


def test_where_others_wait_already_it_looks_without_waiting(tmp_path: Path, serve: Any) -> None:
    server = serve(BUSY, seen("archived"))
    follow(tmp_path, server, interval=2.0)
    assert server.holds() == ["2", "0"]


def test_an_archive_of_half_an_observation_is_not_the_end(tmp_path: Path, serve: Any) -> None:
    server = serve(seen("archived", status="running"), seen("archived", unpackaged=1), seen("archived"))
    assert len(follow(tmp_path, server)) == 3


def test_what_is_still_spooled_here_is_not_archived(tmp_path: Path, serve: Any) -> None:
    server = serve(seen("archived"))
    filing = Filing(Settings(tmp_path, server.url, "a-token"), send=False)
    filing.observation(ONE).finish()
    with pytest.raises(StillWaitingError, match="1 calls spooled"):
        follow(tmp_path, server, interval=5.0, seconds=0.3)
    assert set(server.holds()) == {"0"}, "nothing to wait for at the server yet"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, b"<html>"), "not from the data center"),
        ((200, ["x"]), "not from the data center"),
        ((200, {"state": "archived"}), "not that of a data center"),
        (problem(404, "request.not_found"), "does not know this observation"),
        (problem(503, "world.database"), "Why."),
        (problem(429, "request.throttled"), "429"),
    ],
)
def test_an_answer_that_says_nothing_of_it_is_told_and_passes(
    tmp_path: Path, serve: Any, answer: tuple[int, Any], said: str
) -> None:
    told = follow(tmp_path, serve(answer, seen("archived")))
    assert said in told[0]
    assert told[-1].endswith("archived")


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_may_not_read_ends_it(tmp_path: Path, serve: Any, status: int) -> None:
    with pytest.raises(SettingsError, match="Why"):
        follow(tmp_path, serve(problem(status, "request.permission_denied")))


def test_the_main_site_can_be_asked_behind_a_gateway(tmp_path: Path, serve: Any) -> None:
    gateway, main = serve(problem(404, "request.not_found")), serve(seen("archived"))
    follow(tmp_path, gateway, at=f"{main.url}/")
    assert (len(gateway.asked), len(main.asked)) == (0, 1)
