"""GitHub as far as log-in uses it, on loopback: it answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class FakeGitHub:
    """The person who logs in, and what is out of order."""

    port: int
    person: dict[str, Any] = field(default_factory=dict)
    state: str | None = "active"
    teams: list[str] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """A member called octavia, in no team."""
        self.person = {"id": 4711, "login": "octavia", "name": "Octavia E.", "email": "octavia@example.org"}
        self.state, self.teams, self.status = "active", [], {}
        self.asked.clear()

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Status and document."""
        self.asked.append(path)
        for part, status in self.status.items():
            if part in path:
                return status, {"message": "out of order"}
        if path == "/api/v3/user":
            return 200, self.person
        if path == "/api/v3/user/memberships/orgs/ccatobs":
            return (200, {"state": self.state}) if self.state else (404, {"message": "Not Found"})
        if path == "/api/v3/user/teams":
            start = 100 * (int(query["page"][0]) - 1)
            found = [team.split("/") for team in self.teams[start : start + 100]]
            return 200, [{"organization": {"login": org}, "slug": slug} for org, slug in found]
        return 404, {"message": "Not Found"}


@contextmanager
def fake_github(port: int = 0) -> Iterator[FakeGitHub]:
    """One that runs as long as the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            assert self.headers["Authorization"].split() in (["Bearer", "the-token"], ["token", "the-token"])
            self._send(*github.answer(parts.path, parse_qs(parts.query)))

        def do_POST(self) -> None:
            body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            right = body["client_secret"] == ["the-secret"] and body["code"] == ["the-code"]
            status, _ = github.answer("/login/oauth/access_token", {})
            if status not in (200, 404):
                self._send(status, {})
            elif right and body.get("code_verifier"):
                self._send(200, {"access_token": "the-token", "token_type": "bearer"})
            else:
                self._send(200, {"error": "bad_verification_code"})

        def _send(self, status: int, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    github = FakeGitHub(server.server_address[1])
    github.reset()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
