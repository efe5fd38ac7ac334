"""Children of the demo: restarted when they die, given up when they keep dying, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ccatdc.common.errors import ExternalError
from ccatdc.dev.demo.children import Children

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
#: Starts a process of its own, tells its number, and does not end when it is asked to.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(inner.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def children(tmp_path: Path, said: list[str]) -> Iterator[Children]:
    made = Children(tmp_path, said.append)
    try:
        yield made
    finally:
        made.stop()


def wait_for(path: Path, text: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} never said {text!r}")


def wait_until_dead(process: psutil.Process) -> None:
    """Gone, or dead and not yet asked for by its parent."""
    deadline = time.monotonic() + 5
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


#: Children of this process that other tests started for the whole run: an S3 server, a browser.
others: set[int] = set()


@pytest.fixture(autouse=True)
def know_the_others() -> None:
    others.clear()
    others.update(child.pid for child in psutil.Process().children())


def own_children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.pid not in others]


def test_a_child_runs_until_it_is_stopped(children: Children, tmp_path: Path) -> None:
    children.start("the sleeper", "-c", SLEEP)
    wait_for(tmp_path / "the-sleeper.log", "up")
    (process,) = own_children()

    children.watch()
    assert process.is_running()

    begin = time.monotonic()
    children.stop()
    assert time.monotonic() - begin < 5
    assert not process.is_running()


def test_a_child_that_dies_is_started_again(children: Children, tmp_path: Path, said: list[str]) -> None:
    children.start("sleeper", "-c", SLEEP)
    wait_for(tmp_path / "sleeper.log", "up")
    (first,) = own_children()
    os.kill(first.pid, signal.SIGKILL)
    wait_until_dead(first)

    children.watch()

    (second,) = own_children()
    assert second.pid != first.pid
    assert said[0].startswith("Process 'sleeper' ended with status -9; started again")


def test_a_child_that_keeps_dying_ends_with_its_log(children: Children) -> None:
    children.start("faulty", "-c", "raise SystemExit('the reason')")

    with pytest.raises(ExternalError, match="the reason") as caught:
        for _ in range(200):
            children.watch()
            time.sleep(0.05)

    assert caught.value.code == "demo.child_died"


def test_what_a_stubborn_child_started_ends_with_it(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccatdc.dev.demo.children._PATIENCE_SECONDS", 0.5)
    children.start("stubborn", "-c", STUBBORN)
    inner = psutil.Process(int(wait_for(tmp_path / "stubborn.log", "\n")))
    (outer,) = own_children()

    children.stop()

    assert not outer.is_running()
    assert not psutil.pid_exists(inner.pid) or inner.status() == psutil.STATUS_ZOMBIE


def test_a_child_ends_when_we_are_killed(tmp_path: Path) -> None:
    program = (
        "import pathlib, time\n"
        "from ccatdc.dev.demo.children import Children\n"
        f"Children(pathlib.Path({str(tmp_path)!r}), print).start('sleeper', '-c', {SLEEP!r})\n"
        "time.sleep(600)\n"
    )
    us = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    wait_for(tmp_path / "sleeper.log", "up")
    (child,) = psutil.Process(us.pid).children()

    us.kill()
    us.wait(5)

    wait_until_dead(child)
