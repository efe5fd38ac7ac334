"""Real worker and manager processes on the test database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
from django.db import connection

from transfer.models import Operation, ServiceHeartbeat

ROOT = Path(__file__).resolve().parents[2]


def environment(log_dir: Path, **more: str) -> dict[str, str]:
    """That of this process, with the test database and logs below ``log_dir``."""
    url = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(url._replace(path="/" + connection.settings_dict["NAME"]))
    return os.environ | {
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "ccatdc.settings.test",
        "CCATDC_LOG_DIR": str(log_dir),
        "PYTHONPATH": str(ROOT),
        **more,
    }


@contextmanager
def running(*arguments: str, log_dir: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A management command, with fake stages, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.transfer.launch", *arguments], env=environment(log_dir, **more), cwd=ROOT
    ) as process:
        try:
            yield process
        finally:
            family = tree(process.pid)
            process.kill()
            psutil.wait_procs(family, timeout=10)


@contextmanager
def workers(*names: str, log_dir: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """``run_location``, when all its locations have come up."""
    with running("run_location", *names, log_dir=log_dir, **more) as process:
        wanted = {name for name in names if not name.startswith("-")} - {"1", "2"}
        assert eventually(lambda: wanted <= alive()), "the workers did not start"
        yield process


def alive() -> set[str]:
    """Names of the services that beat."""
    return set(ServiceHeartbeat.objects.alive().values_list("name", flat=True))


def tree(pid: int) -> list[psutil.Process]:
    """All descendants of a process; none when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.03)
    return False


def becomes(operation: Operation, status: str, seconds: float = 20) -> bool:
    """Whether the row got this status in time; the row in memory is the last one read."""

    def reached() -> bool:
        operation.refresh_from_db()
        return operation.status == status

    return eventually(reached, seconds)


def stop(process: subprocess.Popen[bytes], seconds: float = 20) -> float:
    """SIGTERM, and the seconds until it had ended."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(seconds)
    return time.monotonic() - begun
