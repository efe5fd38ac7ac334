"""The programs of PostgreSQL that do the work, and how they reach the database."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from ccatdc.common.errors import ConfigurationError, ExternalError

#: Of what a program says about its failure.
_SAID_BYTES = 2000


def run(program: str, *arguments: str, database: str | None = None) -> None:
    """Run one of PostgreSQL's client programs on the database of DATABASE_URL, or on another one of that server.

    The password is in the program's environment, never in a command line, which everybody on the host may read.

    Raises ConfigurationError ``backup.no_program`` when it is not there, ExternalError ``backup.program_failed`` with
    the end of what it said.
    """
    environment = {**os.environ, **_place(), "PGCONNECT_TIMEOUT": "10"}
    if database is not None:
        environment["PGDATABASE"] = database
    done = subprocess.run(
        [_path_of(program), "--no-password", *arguments], env=environment, capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-_SAID_BYTES:]
        if "server version mismatch" in said:
            raise ConfigurationError(f"{program} is older than the server: {said}", code="backup.no_program")
        raise ExternalError(f"{program} ended with {done.returncode}: {said}", code="backup.program_failed")


def _place() -> dict[str, str]:
    """Where Django's connection leads, for libpq."""
    connection.ensure_connection()
    assert connection.connection is not None  # noqa: S101  it was just made
    info = connection.connection.info
    options = connection.get_connection_params()
    encryption = {f"PG{name.upper()}": str(options[name]) for name in _ENCRYPTION if name in options}
    found = {
        "PGHOST": info.host,
        "PGPORT": str(info.port),
        "PGUSER": info.user,
        "PGPASSWORD": info.password,
        "PGDATABASE": info.dbname,
    }
    return {**{name: value for name, value in found.items() if value}, **encryption}


_ENCRYPTION = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def _path_of(program: str) -> str:
    found: Any = shutil.which(program, path=settings.PG_BIN or None)
    if found is None:
        where = settings.PG_BIN or "PATH"
        raise ConfigurationError(
            f"There is no {program} in {where}.",
            code="backup.no_program",
            remedy="Install PostgreSQL's client programs, or name their folder with CCATDC_PG_BIN.",
        )
    return str(Path(found))
