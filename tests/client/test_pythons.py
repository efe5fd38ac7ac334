"""The client runs on every Python that instruments have, installed as they install it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.client.conftest import PACKAGE, Instrument


def interpreter(version: str) -> str | None:
    """A Python of this version, on the path or among pyenv's."""
    homes = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions").glob(f"{version}.*/bin")
    for folder in (None, *homes):
        found = shutil.which(f"python{version}", path=None if folder is None else str(folder))
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    return None


@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_it_installs_and_files(version: str, instrument: Instrument, unit: ObsUnit, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"There is no Python {version} on this machine.")
    package = tmp_path / "client"
    shutil.copytree(PACKAGE.parent, package, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__"))
    home = tmp_path / "venv"
    for command in ([python, "-m", "venv", str(home)], [str(home / "bin/pip"), "install", "-q", str(package)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    environment = {name: value for name, value in instrument.environment().items() if name != "PYTHONPATH"}

    def file(*arguments: str) -> str:
        done = subprocess.run(
            [home / "bin/ccat-file", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    observation = file("start", "--obs-unit-id", str(unit.pk), "--start-time", "2026-05-01T22:00:00Z")
    file("finish", observation, "--end-time", "2026-05-01T22:30:00+00:00", "--wait", "20")

    execution = ExecutedObsUnit.objects.get(pk=observation)
    assert execution.status == ExecutionStatus.COMPLETED
