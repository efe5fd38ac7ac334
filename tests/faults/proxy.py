"""An S3 server with moods: forwards to a real one, and answers some requests otherwise, as servers and links do."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "content-length"})


def xml(code: str) -> bytes:
    """An error as S3 servers write it."""
    text = f"<Error><Code>{code}</Code><Message>made by a test</Message></Error>"
    return b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode()


@dataclass
class Fault:
    """What happens to the next ``times`` requests with one of these methods whose path ends so.

    ``how``: ``answer`` without asking the server; ``cut`` the answer in the middle; ``flip`` a bit of the answer; ``reset``
    the connection; ``damage`` a bit of what is sent; ``lose`` the answer after the server has done what was asked.
    """

    how: str
    methods: tuple[str, ...]
    times: int
    status: int = 200
    body: bytes = b""
    suffix: str = ""
    query: str = ""
    hit: int = field(default=0, init=False)

    def takes(self, method: str, target: str) -> bool:
        path, _, query = target.partition("?")
        return (
            self.hit < self.times
            and method in self.methods
            and path.endswith(self.suffix)
            and self.query in f"&{query}"
        )


class FaultyStore:
    """The proxy. ``fault`` may be set at any time; None: all goes through."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.fault: Fault | None = None
        self._lock = threading.Lock()

    def fault_for(self, method: str, target: str) -> Fault | None:
        with self._lock:
            if self.fault is None or not self.fault.takes(method, target):
                return None
            self.fault.hit += 1
            return self.fault


def _handler(store: FaultyStore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = store.fault_for(self.command, self.path)
            how = fault.how if fault is not None else ""
            if fault is not None and how == "answer":
                self._answer(fault.status, [("Content-Type", "application/xml")], fault.body)
            elif how == "reset":
                self._reset()
            else:
                if how == "damage":
                    body = _flipped(body)
                response, content = self._forward(body)
                if how == "lose":
                    self._reset()
                    return
                headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP]
                length = response.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
                if how == "flip":
                    content = _flipped(content)
                self._answer(response.status, headers, content, length=length, cut=how == "cut")

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815

        def _forward(self, body: bytes) -> tuple[HTTPResponse, bytes]:
            link = HTTPConnection("127.0.0.1", store.upstream, timeout=30)
            # The Host is part of the signature.
            link.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP:
                    link.putheader(name, value)
            link.putheader("Content-Length", str(len(body)))
            link.endheaders(body)
            response = link.getresponse()
            content = response.read()
            link.close()
            return response, content

        def _answer(
            self, status: int, headers: list[tuple[str, str]], content: bytes, *, length: str = "", cut: bool = False
        ) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.close_connection = True

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, *_: object) -> None:
            """Nothing: what matters is asserted."""

    return Handler


def _flipped(content: bytes) -> bytes:
    if not content:
        return content
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was reset on purpose is no news."""


@contextmanager
def faulty_store(upstream: int) -> Iterator[tuple[FaultyStore, str]]:
    """The proxy in front of the server at this port, and its address."""
    store = FaultyStore(upstream)
    server = _Server(("127.0.0.1", 0), _handler(store))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
