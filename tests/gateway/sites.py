"""A gateway as it runs at the telescope: a database of its own, gunicorn, ``run_gateway`` processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import psycopg
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils import timezone

from gateway.reference.refresh import take
from gateway.reference.snapshot import snapshot
from tests.emptying import template_name

ROOT = Path(__file__).resolve().parents[2]
#: Tables that a migrated database has rows in and that a new test keeps.
_KEPT = {"django_migrations", "django_content_type"}


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(happened: Callable[[], Any], seconds: float = 20.0, what: str = "it") -> Any:
    """Wait until a condition holds; AssertionError when it does not come."""
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.05)
    return found


@dataclass
class GatewaySite:
    """The secondary site. Its web process serves all tests of a session; its tables are emptied between."""

    folder: Path
    database_url: str
    port: int
    extra: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Of its web process."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **more: str) -> dict[str, str]:
        """Of its processes: a production's, but for short waits."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CCATDC_")}
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": "ccatdc.settings.base",
            "CCATDC_SECRET_KEY": "of-a-test",
            "CCATDC_PLAIN_HTTP": "1",
            "CCATDC_SITE_ROLE": "gateway",
            "DATABASE_URL": self.database_url,
            "CCATDC_GATEWAY_RETRY_MAX_SECONDS": "0.5",
            **self.extra,
            **more,
        }

    def start_web(self) -> subprocess.Popen[bytes]:
        """gunicorn, listening."""
        command = ["gunicorn", "ccatdc.wsgi", "--bind", f"127.0.0.1:{self.port}", "--threads", "4"]
        web = self.start("-m", *command, log="web")
        until(self._answers, 60, "gunicorn's start")
        return web

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def start(self, *arguments: str, log: str = "gateway") -> subprocess.Popen[bytes]:
        """A process of Python in the project's folder."""
        with (self.folder / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.environment(), stdout=output, stderr=output
            )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def copy_reference_data(self) -> None:
        """What ``refresh_reference`` does, without a process and a request."""
        tag, document = snapshot()
        with as_default(unquote(urlsplit(self.database_url).path.lstrip("/"))):
            take(document.decode(), tag, timezone.now())

    def run_gateway(self) -> subprocess.Popen[bytes]:
        """The replaying process; ended with the test."""
        process = self.start("manage.py", "run_gateway")
        self.running.append(process)
        return process

    def stop_all(self) -> None:
        """End what a test started."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(10)
        self.running.clear()

    @property
    def log(self) -> str:
        """What ``run_gateway`` wrote."""
        path = self.folder / "gateway.log"
        return path.read_text() if path.exists() else ""

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Of its database."""
        with psycopg.connect(self.database_url, autocommit=True) as link:
            return link.execute(query, values or None).fetchall()

    def do(self, statement: str, *values: Any) -> None:
        """To its database."""
        with psycopg.connect(self.database_url, autocommit=True) as link:
            link.execute(statement, values or None)

    def empty(self) -> None:
        """As after its first ``migrate``."""
        names = [
            f'"{name}"'
            for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            if name not in _KEPT
        ]
        self.do(f"TRUNCATE {', '.join(names)} CASCADE")
        self.extra.clear()
        (self.folder / "gateway.log").unlink(missing_ok=True)

    def open_items(self) -> int:
        """Calls that the main site does not have."""
        query = "SELECT count(*) FROM gateway_outbox WHERE status IN ('waiting', 'dead')"
        return int(self.rows(query)[0][0])

    def until_sent(self, seconds: float = 30.0) -> None:
        """Wait until the main site has everything."""
        try:
            until(lambda: not self.open_items(), seconds, "sending everything")
        except AssertionError as error:
            error.add_note(self.log[-3000:])
            raise

    def client(self, secret: str) -> httpx.Client:
        """An instrument with a token."""
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


@contextmanager
def as_default(name: str) -> Iterator[None]:
    """In this thread, another database of the same server in place of the tests' own."""
    own = connections["default"]
    other = DatabaseWrapper({**own.settings_dict, "NAME": name}, "default")
    connections["default"] = other
    try:
        yield
    finally:
        other.close()
        connections["default"] = own


@contextmanager
def second_database() -> Iterator[str]:
    """A new, migrated database beside that of the tests, and its address."""
    name = f"{connection.settings_dict['NAME']}_site"
    given = urlsplit(os.environ["DATABASE_URL"])
    maintenance = given._replace(path="/postgres").geturl()
    with psycopg.connect(maintenance, autocommit=True) as link:
        link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        link.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_name()}"')
        yield given._replace(path="/" + quote(name)).geturl()
        link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def allow_connections(name: str, *, allowed: bool) -> None:
    """Lock everybody out of a database, those that are connected included; or let them in again."""
    maintenance = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres").geturl()
    with psycopg.connect(maintenance, autocommit=True) as link:
        link.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {str(allowed).lower()}')
        if not allowed:
            link.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
