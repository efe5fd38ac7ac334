"""A client that stops in the middle of its request holds up nobody, also where no nginx stands in front: in the demo."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccatdc.dev.demo.__main__ import WEB_LIMITS
from tests.gateway.sites import free_port

APP = 'def app(environ, start):\n    start("200 OK", [("Content-Length", "2")])\n    return [b"ok"]\n'


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The web process of the demo, with two threads."""
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", *WEB_LIMITS, "--threads=2", "app:app"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    yield "127.0.0.1", port
    process.terminate()
    process.wait(30)


def test_half_sent_requests_hold_up_nobody(address: tuple[str, int]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(address).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            break
    half = [socket.create_connection(address) for _ in range(20)]
    for number, connection in enumerate(half):
        body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        connection.sendall(body if number % 2 else b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")

    for _ in range(3):
        with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/", timeout=20) as answer:
            assert answer.read() == b"ok"
    for connection in half:
        connection.close()
