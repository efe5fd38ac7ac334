"""The sender, against a real HTTP server that gives the answers a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ccat_file import Settings, SettingsError
from ccat_file.answers import seconds_after
from ccat_file.calls import Call
from ccat_file.sender import MAX_AFTER, Backoff, Sender
from ccat_file.spool import Spool

ONE, OTHER = UUID(int=1), UUID(int=2)
TAKEN: tuple[int, Any] = (201, {"id": "x"})


class Server:
    """Answers with what ``answer`` says to path and number of the try; remembers the paths."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.retry_after = ""
        self.answer: Callable[[str, int], tuple[int, Any]] = lambda _path, _n: TAKEN
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.paths.append(self.path)
                status, said = outer.answer(self.path, outer.paths.count(self.path))
                text = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                if status >= 400 and outer.retry_after:
                    self.send_header("Retry-After", outer.retry_after)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def send(spool: Spool, server: Server) -> list[str]:
    said: list[str] = []
    settings = Settings(spool.folder, server.url, "a-token")
    Sender(spool, settings, say=said.append, longest_pause=0.05).run()
    return said


def call(path: str, observation: UUID = ONE) -> Call:
    return Call(observation, "POST", path, {}, {"id": "x"})


def problem(status: int, code: str, *, retryable: bool) -> tuple[int, Any]:
    return status, {"code": code, "status": status, "retryable": retryable, "detail": "Why."}


def test_calls_are_sent_in_order_and_leave_the_spool(spool: Spool, server: Server) -> None:
    spool.append([call("/1"), call("/2", OTHER), call("/3")])
    send(spool, server)
    assert server.paths == ["/1", "/2", "/3"]
    assert spool.waiting() == []


def test_a_refused_call_blocks_nothing(spool: Spool, server: Server) -> None:
    refusal = problem(409, "filing.differs", retryable=False)
    server.answer = lambda path, _n: refusal if path == "/1" else TAKEN
    spool.append([call("/1"), call("/2"), call("/3", OTHER)])
    send(spool, server)
    assert server.paths == ["/1", "/3", "/2"]
    assert spool.dead()[0].document()["refused"]["code"] == "filing.differs"
    server.answer = lambda _path, _n: TAKEN
    spool.retry()
    send(spool, server)
    assert server.paths == ["/1", "/3", "/2", "/1"]


def test_a_refused_start_blocks_its_observation_only(spool: Spool, server: Server) -> None:
    refusal = problem(400, "filing.unknown_obs_unit", retryable=False)
    server.answer = lambda path, _n: refusal if path == "/start" else TAKEN
    spool.append([call("/start"), call("/2"), call("/3", OTHER)])
    send(spool, server)
    assert server.paths == ["/start", "/3"]
    server.answer = lambda _path, _n: TAKEN
    spool.retry()
    send(spool, server)
    assert server.paths == ["/start", "/3", "/start", "/2"]


@pytest.mark.parametrize(
    "first",
    [
        problem(503, "world.database", retryable=True),
        problem(500, "internal.error", retryable=False),
        problem(409, "filing.concurrent", retryable=True),
    ],
)
def test_what_passes_is_tried_again_and_holds_only_its_observation(
    spool: Spool, server: Server, first: tuple[int, Any]
) -> None:
    server.answer = lambda path, n: first if path == "/1" and n < 3 else TAKEN
    spool.append([call("/1"), call("/2"), call("/3", OTHER)])
    send(spool, server)
    assert server.paths == ["/1", "/3", "/1", "/1", "/2"]
    assert spool.dead() == []


@pytest.mark.parametrize(
    "first",
    [
        (200, b"<html>Please log in to the network</html>"),
        (200, {"id": "of another"}),
        (200, ["x"]),
        (404, b"<html>no such page</html>"),
        (403, b"forbidden by a proxy"),
        (502, b"bad gateway"),
        (302, b""),
        problem(429, "request.throttled", retryable=False),
    ],
)
def test_an_answer_that_is_no_word_on_the_call_holds_everything(
    spool: Spool, server: Server, first: tuple[int, Any]
) -> None:
    server.answer = lambda path, n: first if path == "/1" and n == 1 else TAKEN
    spool.append([call("/1"), call("/2", OTHER)])
    said = send(spool, server)
    assert server.paths == ["/1", "/1", "/2"]
    assert spool.dead() == []
    assert "Everything waits" in said[0]


@pytest.mark.parametrize(
    "answer",
    [
        problem(401, "request.authentication_failed", retryable=False),
        problem(403, "request.permission_denied", retryable=False),
    ],
)
def test_a_wrong_token_is_no_fault_of_the_calls(spool: Spool, server: Server, answer: tuple[int, Any]) -> None:
    server.answer = lambda _path, _n: answer
    spool.append([call("/1")])
    with pytest.raises(SettingsError, match="Why"):
        send(spool, server)
    assert len(spool.waiting()) == 1


def test_a_token_of_another_instrument_refuses_the_call(spool: Spool, server: Server) -> None:
    server.answer = lambda _path, _n: problem(403, "token.other_instrument", retryable=False)
    spool.append([call("/1")])
    send(spool, server)
    assert len(spool.dead()) == 1


def test_a_bulk_answer_counts_all_rows(spool: Spool, server: Server) -> None:
    server.answer = lambda _path, n: (201, {"created": n, "unchanged": 1})
    spool.append([Call(ONE, "POST", "/bulk", [], {"rows": 3})])
    send(spool, server)
    assert server.paths == ["/bulk", "/bulk"]


def test_a_spoiled_file_is_put_aside_and_blocks_only_its_observation(spool: Spool, server: Server) -> None:
    spoiled, _ = spool.append([call("/1"), call("/2", OTHER)])
    spoiled.path.write_text("{")
    said = send(spool, server)
    assert server.paths == ["/2"]
    assert "not JSON" in said[0]
    assert [entry.number for entry in spool.dead()] == [spoiled.number]


def test_a_call_that_is_spooled_while_others_are_sent_is_sent_too(spool: Spool, server: Server) -> None:
    def answer(path: str, _n: int) -> tuple[int, Any]:
        if path == "/1":
            spool.append([call("/2")])
        return TAKEN

    server.answer = answer
    spool.append([call("/1")])
    send(spool, server)
    assert server.paths == ["/1", "/2"]


def test_nobody_sends_while_another_does(spool: Spool, server: Server) -> None:
    spool.append([call("/1")])
    with spool.sender_lock():
        send(spool, server)
    assert server.paths == []


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_how_long_to_wait(spool: Spool, server: Server, status: int) -> None:
    busy = problem(status, "world.database", retryable=True)
    server.answer = lambda path, n: busy if n == 1 else TAKEN
    server.retry_after = "2"
    spool.append([call("/1")])
    said = send(spool, server)  # its own pauses are at most 0.05 s
    assert "waits 2.0 s" in said[0]
    assert server.paths == ["/1", "/1"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("0", 0), ("", 0), ("-5", 0), ("soon", 0), ("9" * 400, 999_999_999),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Fri, 99 Foo 2015", 0)],
)  # fmt: skip
def test_retry_after_is_read(text: str, seconds: float) -> None:
    assert seconds_after(text) == seconds


def test_retry_after_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=60)
    for zone in ("GMT", "-0000"):
        assert 58 <= seconds_after(f"{later:%a, %d %b %Y %H:%M:%S} {zone}") <= 60


def test_a_pause_that_a_server_asks_for_has_an_end() -> None:
    assert Backoff(longest=1.0).next(at_least=86_400) == MAX_AFTER


def test_pauses_double_to_a_limit_with_jitter() -> None:
    backoff = Backoff(longest=8.0)
    pauses = [backoff.next() for _ in range(8)]
    for pause, full in zip(pauses, [0.5, 1, 2, 4, 8, 8, 8, 8], strict=True):
        assert full / 2 <= pause <= full
    assert len(set(pauses[4:])) > 1
    assert backoff.next(at_least=7.9) >= 7.9
