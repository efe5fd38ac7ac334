"""Short folders for servers, and a second Python process that starts one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short enough to hold a socket, unlike ``tmp_path``."""
    folder = Path(tempfile.mkdtemp(prefix="s-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def other_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python code in a process of its own; ``sys.argv[1:]`` are the arguments."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    """What a process printed first; its errors when it printed nothing."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, process.communicate(timeout=30)[1]
    return line


def wait_until_gone(pid: int, seconds: float = 20) -> None:
    """Wait for the end of a process that is not our child. A zombie has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still runs after {seconds} s")
