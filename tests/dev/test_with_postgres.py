"""One command with a database of its own: what scripts/test and scripts/check stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.dev.conftest import PROJECT, wait_until_gone

RUNNER = [sys.executable, "-m", "ccatdc.dev.with_postgres"]
LOOK = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    print(connection.info.dbname, connection.info.host, connection.info.backend_pid, flush=True)
"""


@pytest.fixture
def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}


def test_the_command_finds_an_empty_database_and_nothing_is_left(environment: dict[str, str], short: Path) -> None:
    done = subprocess.run(
        [*RUNNER, sys.executable, "-c", LOOK],
        cwd=PROJECT,
        env={**environment, "TMPDIR": str(short)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "ccatdc"
    assert not Path(done.stdout.split()[1]).exists()
    assert list(short.iterdir()) == []


@pytest.mark.parametrize(("command", "status"), [("exit 3", 3), ("kill -9 $$", 137)])
def test_the_exit_status_is_that_of_the_command(environment: dict[str, str], command: str, status: int) -> None:
    done = subprocess.run([*RUNNER, "sh", "-c", command], cwd=PROJECT, env=environment, check=False, timeout=120)
    assert done.returncode == status


def test_ending_the_runner_ends_command_and_server(environment: dict[str, str], short: Path) -> None:
    code = LOOK + "\nimport time; print(os.getpid(), flush=True); time.sleep(600)"
    with subprocess.Popen(
        [*RUNNER, sys.executable, "-c", code],
        cwd=PROJECT,
        env={**environment, "TMPDIR": str(short)},
        stdout=subprocess.PIPE,
        text=True,
    ) as runner:
        assert runner.stdout is not None
        backend = int(runner.stdout.readline().split()[2])
        child = int(runner.stdout.readline())
        begin = time.monotonic()
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(timeout=60) == 128 + signal.SIGTERM
        assert time.monotonic() - begin < 30
    wait_until_gone(child)
    wait_until_gone(backend)
    assert list(short.iterdir()) == []
