"""Log-in by GitHub: its cases run with settings of their own; without settings there is nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.accounts.fake_github import fake_github
from tests.emptying import template_name

ROOT = Path(__file__).resolve().parents[3]


def test_members_come_in_strangers_do_not_and_failures_are_clear(django_db_setup: None) -> None:
    with fake_github() as found:
        address = f"http://127.0.0.1:{found.port}"
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "--create-db",
        "--ds=tests.accounts.github_settings", "tests/accounts/github_cases.py",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "FAKE_GITHUB": address, "MIGRATED": template_name(), "PYTEST_XDIST_WORKER": ""},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@pytest.mark.django_db
def test_where_it_is_not_set_up_there_is_nothing_of_it() -> None:
    assert settings.GITHUB is None
    assert not [app for app in settings.INSTALLED_APPS if "allauth" in app]
    assert not [each for each in settings.MIDDLEWARE if "allauth" in each]
    with pytest.raises(NoReverseMatch):
        reverse("github_login")
    for path in ("/accounts/github/login/", "/accounts/github/login/callback/"):
        assert Client().get(path).status_code == 404
    page = Client().get("/accounts/login/")
    assert "GitHub" not in page.content.decode()
    assert "github" not in page["Content-Security-Policy"]
