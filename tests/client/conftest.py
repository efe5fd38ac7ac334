"""A real server over real HTTP, a link to it that can be cut, the command as a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import ccat_file
from ccat_file import Filing, Settings
from planning.models import ObsUnit
from tests.client.gate import Gate
from tests.factories.accounts import ApiTokenFactory
from tests.factories.datamgmt import SourceLocationFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import ObsUnitFactory

PACKAGE = Path(ccat_file.__file__).parent.parent


def senders(spool: Path) -> list[int]:
    """Process ids of the senders of this spool, found by their environment."""
    wanted = f"CCAT_FILE_SPOOL={spool}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if (
                folder.name.isdigit()
                and b"-m\0ccat_file\0send\0" in (folder / "cmdline").read_bytes()
                and wanted in (folder / "environ").read_bytes().split(b"\0")
            ):
                found.append(int(folder.name))
        except OSError:  # it ended
            continue
    return found


def kill(pid: int) -> None:
    """End a process that a test started; it may have ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@dataclass
class Instrument:
    """An instrument computer: environment, spool, data folder."""

    folder: Path
    url: str
    token: str
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def root(self) -> Path:
        return self.folder / "data"

    @property
    def settings(self) -> Settings:
        return Settings(self.spool, self.url, self.token)

    def filing(self, *, send: bool = False) -> Filing:
        return Filing(self.settings, send=send)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CCAT_FILE_")}
        known = {"CCAT_FILE_URL": self.url, "CCAT_FILE_SPOOL": str(self.spool)}
        return {**kept, **known, "CCAT_FILE_TOKEN": self.token, "PYTHONPATH": str(PACKAGE), **self.extra}

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """``ccat-file`` with these arguments."""
        return self.python("-m", "ccat_file", *map(str, arguments))

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def write(self, name: str, content: bytes = b"data") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def until_sent(self, seconds: float = 20) -> None:
        """Wait until the spool is empty."""
        deadline = time.monotonic() + seconds
        spool = self.filing().spool
        while spool.waiting():
            assert time.monotonic() < deadline, spool.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def computer(tmp_path: Path) -> Iterator[Instrument]:
    """An instrument computer whose server is away."""
    made = Instrument(tmp_path, "http://127.0.0.1:9", "ccatdc_of-a-test")
    yield made
    for pid in senders(made.spool):
        kill(pid)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a sender may be ending


@pytest.fixture
def unit(transactional_db: None) -> ObsUnit:
    """What is observed, and all that its files name."""
    InstrumentModuleFactory.create()
    SourceLocationFactory.create()
    return ObsUnitFactory.create()


@pytest.fixture
def gate(live_server: Any) -> Iterator[Gate]:
    """The link to the server; it is cut."""
    made = Gate(live_server.thread.port)
    yield made
    made.cut()


@pytest.fixture
def instrument(computer: Instrument, gate: Gate, unit: ObsUnit) -> Iterator[Instrument]:
    """An instrument computer with a token; the link to its server is open."""
    computer.url = gate.url
    computer.token = ApiTokenFactory.create().secret  # type: ignore[attr-defined]
    gate.open()
    yield computer
    for pid in senders(computer.spool):  # before the database of the test goes
        kill(pid)


def place() -> Sequence[str]:
    """The arguments of ``ccat-file files`` that name where the files are."""
    module = InstrumentModuleFactory.create()
    location = SourceLocationFactory.create()
    return (
        "--instrument",
        module.instrument.short_name,
        "--module",
        module.short_name,
        "--location",
        location.full_name,
    )
