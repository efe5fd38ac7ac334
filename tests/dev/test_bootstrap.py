"""``scripts/bootstrap``: installs once, again on change, and never leaves half an installation."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.dev.conftest import PROJECT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A project in a path with a space that needs no package."""
    root = tmp_path / "my clone"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(PROJECT / "scripts" / "bootstrap", root / "scripts")
    (root / "requirements.txt").write_text("# nothing\n")
    (root / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return root


def bootstrap(clone: Path, *arguments: str, python: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "scripts" / "bootstrap", *arguments],
        cwd="/",
        env={**os.environ, "CCATDC_PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def test_installs_once_and_again_when_the_requirements_change(clone: Path) -> None:
    first = bootstrap(clone, "dev")
    assert first.returncode == 0, first.stderr
    assert first.stdout == ""
    assert "Installing requirements-dev.txt" in first.stderr
    for arguments in ([], ["dev"]):
        again = bootstrap(clone, *arguments)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    (clone / "requirements.txt").write_text("# nothing new\n")
    for arguments in ([], ["dev"]):
        assert "Installing" in bootstrap(clone, *arguments).stderr
    assert bootstrap(clone, "dev").stderr == ""


def test_a_failed_installation_shows_why_and_is_tried_again(clone: Path) -> None:
    assert bootstrap(clone).returncode == 0
    (clone / "requirements.txt").write_text("./missing-package\n")
    for _ in range(2):
        failed = bootstrap(clone)
        assert failed.returncode == 1
        assert "missing-package" in failed.stderr
    (clone / "requirements.txt").write_text("# mended\n")
    assert bootstrap(clone).returncode == 0


def test_a_broken_environment_is_made_anew(clone: Path) -> None:
    assert bootstrap(clone).returncode == 0
    (clone / ".venv" / "bin" / "python").unlink()
    mended = bootstrap(clone)
    assert mended.returncode == 0, mended.stderr
    assert "Making .venv" in mended.stderr
    assert bootstrap(clone).stderr == ""


def test_two_starts_at_once_install_once(clone: Path) -> None:
    both = [subprocess.Popen([clone / "scripts" / "bootstrap"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Installing" in text for text in said) == 1


def test_an_old_python_is_named_with_what_is_needed(clone: Path, tmp_path: Path) -> None:
    old = tmp_path / "old python"
    old.write_text('#!/bin/sh\ncase "$2" in *exit*) exit 1 ;; esac\necho 3.9\n')
    old.chmod(0o755)
    refused = bootstrap(clone, python=str(old))
    assert refused.returncode == 1
    assert "is version 3.9, and 3.11 or newer is needed" in refused.stderr
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_is_named_with_the_package_that_is_missing(clone: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\necho 3.11\n')
    bare.chmod(0o755)
    refused = bootstrap(clone, python=str(bare))
    assert refused.returncode == 1
    assert "apt-get install python3.11-venv" in refused.stderr
