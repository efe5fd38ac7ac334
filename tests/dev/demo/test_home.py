"""The demo's folder: one demo at a time, secrets for the owner only."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path

import pytest

from ccatdc.common.errors import ConfigurationError, ConflictError
from ccatdc.dev.demo.home import Home


def test_a_second_demo_in_the_same_folder_is_refused_and_told_about_the_first(tmp_path: Path) -> None:
    first, second = Home(tmp_path / "demo"), Home(tmp_path / "demo")

    with first.locked():
        first.say_in_lock("process 1, http://127.0.0.1:8000")
        with pytest.raises(ConflictError, match=r"process 1, http://127\.0\.0\.1:8000"), second.locked():
            pass

    with second.locked():
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be the demo's folder"):  # noqa: SIM117
        with Home(tmp_path / "file" / "demo").locked():
            pass


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    home = Home(tmp_path)

    secret = home.secret("PASSWORD_ADMIN")

    assert len(secret) > 20
    assert Home(tmp_path).secret("PASSWORD_ADMIN") == secret
    assert home.secret("OTHER") != secret
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o600


def test_the_environment_can_be_read_by_a_shell(tmp_path: Path) -> None:
    file = Home(tmp_path).write_environment({"A": "x y'z", "B": "postgres://u@/d?host=%2Ft&port=1"})

    assert shlex.split(file.read_text()) == ["A=x y'z", "B=postgres://u@/d?host=%2Ft&port=1"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_remembered_survives_and_a_damaged_file_costs_nothing(tmp_path: Path) -> None:
    Home(tmp_path).remember("s3_port", 4711)
    assert Home(tmp_path).remembered("s3_port") == 4711

    (tmp_path / "state.json").write_text("{")
    assert Home(tmp_path).remembered("s3_port") is None
