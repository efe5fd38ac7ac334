"""The two servers that a laptop lacks, PostgreSQL and S3, and the environment that leads to them.

Started before Django is: the settings read this environment, and so do all children.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import environ
from django.db import DatabaseError, connection

from ccatdc.common.errors import ConfigurationError, ExternalError
from ccatdc.database_roles.granting import create_database_roles, role_name
from ccatdc.dev import processes
from ccatdc.dev.demo.home import Home
from ccatdc.dev.postgres import PostgresServer
from ccatdc.dev.s3server import S3Server

HOST: Final = "127.0.0.1"
_DATABASE: Final = "ccatdc"
_FIRST_PORT: Final = 8000
#: Locations with a bucket; one server holds them all.
_ARCHIVES: Final = ("COLOGNE_LONG_TERM_ARCHIVE", "US_LTA")


@dataclass(frozen=True)
class Servers:
    """What runs now, and where the portal will be."""

    s3: S3Server
    postgres_log: Path
    port: int
    environment: dict[str, str]
    postgres: PostgresServer | None

    def database_url(self, role: str) -> str:
        """The address for processes of one role of the database. In a database of somebody else's all are the same."""
        if self.postgres is None:
            return self.environment["DATABASE_URL"]
        return self.postgres.url(_DATABASE, role_name(role))

    @property
    def portal_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def make_roles(self) -> None:
        """The roles, in a database of our own."""
        if self.postgres is not None:
            create_database_roles()

    def require_running(self) -> None:
        """ExternalError, with the end of its log, for a server that is gone."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError as error:
            raise _gone("PostgreSQL", self.postgres_log) from error
        try:
            socket.create_connection((HOST, self.s3.port), timeout=5).close()
        except OSError as error:
            raise _gone("The S3 server", self.s3.log) from error


@contextmanager
def servers(home: Home, wanted_port: int | None) -> Iterator[Servers]:
    """PostgreSQL and S3 below the demo's folder, as long as the block runs.

    Sets the environment of this process. With ``DATABASE_URL`` set, that database is used and none started. Raises
    ConfigurationError and ExternalError where a server cannot be started.
    """
    port = _portal_port(wanted_port)
    access_key, secret_key = home.secret("S3_ACCESS_KEY", length=12), home.secret("S3_SECRET_KEY")
    with _database(home) as (database_url, postgres), _s3(home, access_key, secret_key) as s3:
        environment = {
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "ccatdc.settings.base",
            "CCATDC_DEBUG": "0",
            "CCATDC_PLAIN_HTTP": "1",  # on this machine only
            "CCATDC_SECRET_KEY": home.secret("SECRET_KEY"),
            "CCATDC_LOG_DIR": str(home.log / "operations"),
            "CCATDC_RESULT_DIR": str(home.root / "results"),
            "CCATDC_STATIC_ROOT": str(home.static),
            "CCATDC_PORTAL_URL": f"http://{HOST}:{port}",
            # Its database is nobody's: no backup of it is watched.
            "CCATDC_BACKUP_MAX_AGE_HOURS": "0",
            # Nobody waits an hour for the next try on a laptop.
            "CCATDC_RETRY_BASE_SECONDS": "5",
            "CCATDC_RETRY_MAX_SECONDS": "60",
        }
        for name in _ARCHIVES:
            environment[f"CCATDC_S3_{name}_ACCESS_KEY"] = access_key
            environment[f"CCATDC_S3_{name}_SECRET_KEY"] = secret_key
        for name in environment:
            os.environ.pop(f"{name}_FILE", None)  # it would win over the value
        os.environ.update(environment)
        yield Servers(s3, home.log / "postgres.log", port, environment, postgres)


@contextmanager
def _database(home: Home) -> Iterator[tuple[str, PostgresServer | None]]:
    given = environ.FileAwareEnv().str("DATABASE_URL", default="")
    if given:
        yield given, None
        return
    with PostgresServer(home.postgres, durable=True) as postgres:
        link = home.log / "postgres.log"  # the server writes beside its folder; all logs are found in one place
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(postgres.log, home.log))
        postgres.ensure_database(_DATABASE)
        yield postgres.url(_DATABASE), postgres


@contextmanager
def _s3(home: Home, access_key: str, secret_key: str) -> Iterator[S3Server]:
    """On the port of the last start if it is free: the locations' rows hold the address."""
    kept = home.remembered("s3_port")
    port = kept if isinstance(kept, int) and _is_free(kept) else 0
    with S3Server(home.s3, access_key=access_key, secret_key=secret_key, port=port, log=home.log / "s3.log") as server:
        home.remember("s3_port", server.port)
        yield server


def _gone(server: str, log: Path) -> ExternalError:
    return ExternalError(
        f"{server} does not answer any more. Its log {log} ends:\n{processes.tail(log)}",
        code="demo.server_gone",
        remedy="\nStart again: what was begun goes on.",
    )


def _portal_port(wanted: int | None) -> int:
    if wanted is not None and not _is_free(wanted):
        raise ConfigurationError(
            f"Port {wanted} is in use.", code="demo.port", remedy="Choose another one with --port, or leave it out."
        )
    if wanted or _is_free(_FIRST_PORT):
        return wanted or _FIRST_PORT
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
