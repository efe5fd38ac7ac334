"""What production gets without saying anything, and what it has to say to get less."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client

from ccatdc.content_policy import policy_for
from tests.factories.accounts import UserFactory
from tests.portal.conftest import logged_in

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_AGE", "DEBUG",
]  # fmt: skip
SHOW = f"""
import json, django
from django.conf import settings
django.setup()
found = {{name: getattr(settings, name) for name in {NAMES!r}}}
print(json.dumps({{**found, "proxies": settings.PROXIES, "web_workers": settings.WEB_WORKERS}}))
"""


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in an environment of its own, as in production."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": "postgres://nobody@localhost:9/nothing",
        "CCATDC_SECRET_KEY": secrets.token_urlsafe(50),
        "CCATDC_ALLOWED_HOSTS": "data.example.org",
        "DJANGO_SETTINGS_MODULE": "ccatdc.settings.base",
        **variables,
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def shown(**variables: str) -> dict[str, Any]:
    done = run("-c", SHOW, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.django_db
def shipped(key: Path) -> dict[str, str]:
    """The settings of deploy/environment, with a key that is there."""
    lines = (ROOT / "deploy" / "environment").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert found["CCATDC_SECRET_KEY_FILE"] == "/etc/ccatdc/secret_key"
    key.write_text(secrets.token_urlsafe(50))
    return {**found, "CCATDC_SECRET_KEY_FILE": str(key)}


def test_the_shipped_environment_has_nothing_that_djangos_check_warns_of(tmp_path: Path) -> None:
    database = urlsplit(os.environ["DATABASE_URL"])  # with tables: the description of the API reads some
    done = run(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        **{
            **shipped(tmp_path / "key"),
            "DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        },
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_a_short_key_is_warned_of() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", CCATDC_SECRET_KEY="short")
    assert done.returncode != 0
    assert "security.W009" in done.stderr


def test_everything_is_closed_unless_it_is_opened() -> None:
    found = shown()
    assert found["DEBUG"] is False
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_SSL_REDIRECT"] is True
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000
    assert found["SESSION_COOKIE_AGE"] == 12 * 3600
    assert (found["proxies"], found["web_workers"]) == (0, 1)


def test_plain_http_has_to_be_asked_for() -> None:
    found = shown(CCATDC_PLAIN_HTTP="1", WEB_CONCURRENCY="3", CCATDC_SESSION_HOURS="0.5")
    assert found["SESSION_COOKIE_SECURE"] is found["SECURE_SSL_REDIRECT"] is False
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert found["web_workers"] == 3
    assert found["SESSION_COOKIE_AGE"] == 1800


def test_behind_a_proxy_its_word_is_taken() -> None:
    assert shown(CCATDC_BEHIND_TLS_PROXY="1")["proxies"] == 1
    assert shown(CCATDC_BEHIND_TLS_PROXY="1", CCATDC_PROXIES="2")["proxies"] == 2


def test_log_in_by_github_is_set_up_whole_or_not_at_all() -> None:
    done = run("-c", SHOW, CCATDC_GITHUB_CLIENT_ID="x")
    assert done.returncode != 0
    assert "needs all of CCATDC_GITHUB_CLIENT_ID" in done.stderr


class TestPolicy:
    @pytest.mark.django_db
    @pytest.mark.parametrize("path", ["/accounts/login/", "/health", "/nothing", "/api/schema/"])
    def test_every_answer_has_one(self, path: str) -> None:
        policy = Client().get(path)["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "object-src 'none'" in policy

    @pytest.mark.django_db
    def test_only_pages_of_libraries_may_run_inline_scripts(self) -> None:
        client = logged_in(UserFactory.create(is_superuser=True, is_staff=True))
        allowed = {
            path
            for path in ("/", "/staging/", "/staging/jobs/", "/portal/", "/api/docs/")
            if "unsafe-inline" in client.get(path)["Content-Security-Policy"].split("style-src")[0]
        }
        assert allowed == {"/portal/", "/api/docs/"}
        assert "unsafe-eval" not in policy_for("/api/docs/")

    @pytest.mark.django_db
    def test_cookies_are_not_for_scripts_nor_for_other_sites(self) -> None:
        user = UserFactory.create()
        client = Client()
        client.post("/accounts/login/", {"username": user.username, "password": "correct-horse-battery"})
        for name in ("sessionid",):
            assert client.cookies[name]["httponly"]
            assert client.cookies[name]["samesite"] == "Lax"
