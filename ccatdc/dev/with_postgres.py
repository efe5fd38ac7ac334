"""Run one command with a database: ``python -m ccatdc.dev.with_postgres COMMAND...``.

Starts an embedded PostgreSQL in a temporary folder, gives its address to the command as ``DATABASE_URL``, and stops it
when the command ends, however it ends. ``scripts/test`` and ``scripts/check`` run themselves with it when
``DATABASE_URL`` is not set.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final

from ccatdc.common.errors import CcatError
from ccatdc.dev.postgres import PostgresServer

_DATABASE: Final = "ccatdc"


def run(command: list[str]) -> int:
    """Run the command with an empty database; returns its exit status, as a shell counts it."""
    with tempfile.TemporaryDirectory(prefix="ccatdc-") as folder:
        # Where the server runs as another account, it passes through; its own folder is closed.
        Path(folder).chmod(0o711)
        with PostgresServer(Path(folder) / "pg", durable=False) as server:
            server.ensure_database(_DATABASE)
            environment = {**os.environ, "DATABASE_URL": server.url(_DATABASE)}
            with subprocess.Popen(command, env=environment) as child:
                try:
                    status = child.wait()
                except KeyboardInterrupt:
                    # The terminal told the child too; it ends in its own time.
                    status = child.wait()
                except BaseException:
                    child.terminate()
                    raise
    return status if status >= 0 else 128 - status


def main() -> int:
    """Run the command of our arguments. A server that does not start is reported in plain words."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave)
    try:
        return run(sys.argv[1:])
    except CcatError as error:
        print(error, file=sys.stderr)
        return 1


def _leave(signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
