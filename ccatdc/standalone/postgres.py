"""A real PostgreSQL server from a wheel, for ``scripts/demo`` and ``scripts/test`` (decision 001).

It listens on a unix socket only, in a folder that nobody else may enter; that is its whole access
control. It stops when we stop, also when we are killed. Production has its own server and never
comes here.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import errors as pg_errors
from psycopg import sql

from ccatdc.common.errors import ConfigurationError, WorldError
from ccatdc.standalone import pgdata, processes
from ccatdc.standalone.identity import Identity, choose_identity
from ccatdc.standalone.sockets import make_private, socket_folder

PORT: Final = 5432
"""Part of the socket's name only; nothing listens on the network."""

_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "300",  # every worker process of the demo holds a few
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NOT_DURABLE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer:
    """One embedded server and its data folder; a context manager, or ``start()`` and ``stop()``.

    ``settings`` are added to the server's own. ``durable=False`` gives safety on power loss away
    for speed: for data that the next run makes anew. ``started`` says whether the server is ours,
    or (after ``start()``) one that ran in this folder already and that ``stop()`` leaves alone.
    """

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] | None = None, durable: bool
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.log = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self.socket_dir = socket_folder(self.data_dir)
        self._durable = durable
        self._settings = {
            **_SETTINGS,
            **({} if durable else _NOT_DURABLE),
            **(settings or {}),
            "unix_socket_directories": str(self.socket_dir),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def started(self) -> bool:
        """Whether the running server is ours, and ``stop()`` ends it."""
        return self._process is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, or attach to the one that runs in this folder. Returns when it answers.

        Call it from a thread that lives as long as the server has to (``processes``). Raises
        ConfigurationError where this account or this folder cannot hold a server, and WorldError,
        with the end of its log, when the server does not come up.
        """
        if sys.platform != "linux":
            raise ConfigurationError(
                "The embedded PostgreSQL runs on Linux only.",
                code="standalone.platform",
                remedy="Set DATABASE_URL to a PostgreSQL server of version 15 or newer.",
            )
        with self._alone():
            identity = choose_identity(self.data_dir)
            if self._attach():
                return
            programs = pgdata.programs_for(identity, self.data_dir)
            pgdata.initialise(
                self.data_dir, identity, programs, log=self.log, durable=self._durable
            )
            self._launch(identity, programs)

    def stop(self) -> None:
        """Stop the server if it is ours; otherwise leave it alone. May be called twice.

        Never SIGTERM: that waits until every client has gone, which one forgotten connection makes
        for ever.
        """
        process, self._process = self._process, None
        if process is None:
            return
        processes.end(process, [(signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0)])
        if self.socket_dir != self.data_dir:
            shutil.rmtree(self.socket_dir)

    def url(self, database: str) -> str:
        """The address of a database, as libpq, psycopg and django-environ read it alike."""
        where = urlencode({"host": str(self.socket_dir), "port": PORT})
        return f"postgres://{pgdata.USER}@/{quote(database, safe='')}?{where}"

    def ensure_database(self, name: str) -> None:
        """Create a database if it is missing."""
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is not None:
                return
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except (pg_errors.DuplicateDatabase, pg_errors.UniqueViolation):
                return  # somebody else was faster, which is as good

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two starts at once: the second waits, and then finds the server running."""
        folder = self.data_dir.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / f"{self.data_dir.name}.lock").open("w")
        except PermissionError as error:
            raise ConfigurationError(
                f"You may not write in {folder}, where the database is to live.",
                code="standalone.closed_folder",
                remedy="Choose a folder of your own (--root), or start as the user it belongs to.",
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _attach(self) -> bool:
        """Whether a server of this folder runs and answers. One going down is waited for."""
        deadline = time.monotonic() + _START_SECONDS
        while (pid := self._running_pid()) is not None:
            try:
                self._connect().close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise WorldError(
                        f"The PostgreSQL server in {self.data_dir} does not answer: {error}",
                        code="standalone.no_answer",
                        remedy=f"Look into {self.log}, or end the process {pid} with SIGINT.",
                    ) from error
                time.sleep(_POLL_SECONDS)
            else:
                return True
        return False

    def _running_pid(self) -> int | None:
        """The process that serves this folder. A lock file that names another one is removed."""
        lock = self.data_dir / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        if not self._is_our_server(pid):
            lock.unlink(missing_ok=True)
            return None
        return pid

    def _is_our_server(self, pid: int) -> bool:
        """Whether a process serves this folder: it works inside it, which a reused number does not.

        One that we may not look at (root in a container is not always allowed to) is believed: two
        servers on one folder would destroy it.
        """
        try:
            os.kill(pid, 0)
            return Path(f"/proc/{pid}/comm").read_text() == "postgres\n" and (
                Path(f"/proc/{pid}/cwd").samefile(self.data_dir)
            )
        except ProcessLookupError:
            return False
        except (PermissionError, FileNotFoundError):
            return True

    def _launch(self, identity: Identity, programs: Path) -> None:
        start = processes.size_of(self.log)
        command: list[str | Path] = [programs / "postgres", "-D", self.data_dir]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        if self.socket_dir != self.data_dir:
            make_private(self.socket_dir, identity.owner)
        # No server runs here (`_attach`), so a socket's lock file is of one that was killed. Its
        # number may have been given out again, which the server would take for a rival.
        (self.socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        self._process = pgdata.run(command, identity, log=self.log)
        try:
            self._wait(self._process, start)
        except BaseException:
            self.stop()
            raise

    def _wait(self, process: subprocess.Popen[bytes], log_start: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise pgdata.failure("PostgreSQL did not start", self.log, log_start) from error
                time.sleep(_POLL_SECONDS)
            else:
                return
