"""What tests of every app share: the database for other processes, an S3 server, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from django.conf import settings
from django.core.cache import cache

from accounts.auth.uses import of_sessions, of_tokens
from ccatdc.database_roles.granting import create_database_roles
from ccatdc.dev.s3server import S3Server
from tests.emptying import empty_fast, keep_as_migrated, migrated_template
from tests.roles import enter_as_processes_do

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from pytest_django.plugin import DjangoDbBlocker

_bucket_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: needs Debian's chromium (set by the fixture page)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "page" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="session", autouse=True)
def database_roles() -> Iterator[None]:
    """Requests, managers and operations have the rights of their role of the database, and no others."""
    with pytest.MonkeyPatch.context() as patch:
        enter_as_processes_do(patch)
        empty_fast(patch)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, with the roles."""
    with django_db_blocker.unblock():
        create_database_roles()
        keep_as_migrated()
    with migrated_template():
        yield


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """``DATABASE_URL`` of this test's database, for real processes: rows in it are committed."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path="/" + quote(settings.DATABASES["default"]["NAME"])).geturl()


@pytest.fixture(autouse=True)
def no_earlier_requests() -> None:
    """Limits of addresses count in the memory of the process (accounts/auth/guessing.py)."""
    cache.clear()
    of_tokens.forget()
    of_sessions.forget()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server; its buckets are folders of ``s3_server.root``."""
    root = tmp_path_factory.mktemp("s3")
    with S3Server(root, access_key="ccat-test-access", secret_key="ccat-test-secret") as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> str:
    """The name of a new bucket."""
    return s3_server.ensure_bucket(f"test-{next(_bucket_numbers)}").name


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium. Without it the test is skipped by name, and in CI it is an error."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, in which Django would refuse its ORM.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",  # the sandbox does not work for root, as in CI
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a browser without cookies; use it with ``live_server``."""
    context = browser.new_context()
    yield context.new_page()
    context.close()
