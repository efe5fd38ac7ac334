"""The pages in a real browser: a scientist gets data, an operator watches; also without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from ccatdc.common.states import Status
from datamgmt.models import RawDataPackage
from tests.factories.accounts import PASSWORD
from tests.factories.transfer import DataTransferFactory, ServiceHeartbeatFactory
from tests.portal.conftest import person
from tests.staging.conftest import member
from tests.staging.conftest import two_packages as _two_packages  # noqa: F401
from transfer.models import Operation, StagingJob

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NARROW: Any = {"width": 390, "height": 844}
#: Pages refresh themselves every five seconds.
SOON = 9_000


def _was_left(request: Any) -> bool:
    """Whether the page went on while it asked for its news."""
    return str(request.failure) == "net::ERR_ABORTED"


@pytest.fixture
def strict_page(page: Page, live_server: Any) -> Iterator[Page]:
    """A page on which any error of a script, and any request to another host, fails the test."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: None if _was_left(request) else wrong.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((live_server.url, "data:"))
            else wrong.append(f"left our host: {request.url}")
        ),
    )
    page.on("response", lambda answer: wrong.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
    yield page
    assert wrong == []


def log_in(page: Page, live_server: Any, username: str, address: str = "/") -> None:
    page.goto(f"{live_server.url}{address}")
    if address == "/":  # everybody's first page
        page.get_by_role("link", name="Log in").click()
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live_server.url}{address}")


def fits(page: Page) -> bool:
    """Nothing sticks out at the side of a narrow screen."""
    overflow: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return overflow <= 0


def choose_two_and_submit(page: Page, live_server: Any) -> None:
    """Tick one package on each of two pages, go on, and ask for them."""
    page.get_by_role("link", name="Find data").first.click()
    page.get_by_role("checkbox", name="Choose orion_b").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("checkbox", name="Choose orion_a").check()
    page.get_by_role("button", name="Stage them").click()
    page.wait_for_url(f"{live_server.url}/staging/request/")
    assert "2 packages, 4 GB" in page.inner_text("main")
    page.get_by_label("Name of the job").fill("Orion in a browser")
    page.get_by_role("button", name="Stage 4 GB").click()
    page.wait_for_url(re.compile(r"/staging/jobs/\d+/$"))


@pytest.fixture
def one_package_per_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two packages are two pages."""
    monkeypatch.setattr("transfer.staging.views.PER_PAGE", 1)


@pytest.fixture
def archive(transactional_db: None, request: pytest.FixtureRequest) -> list[RawDataPackage]:
    """Two packages, archived one after the other, for a server in another thread."""
    packages: list[RawDataPackage] = request.getfixturevalue("two_packages")
    RawDataPackage.objects.filter(name="orion_b").update(archived_at=timezone.now())
    return packages


def test_a_scientist_ticks_two_packages_and_follows_the_job(
    strict_page: Page, live_server: Any, archive: Any, one_package_per_page: None
) -> None:
    member()
    log_in(strict_page, live_server, "viewer")
    strict_page.get_by_role("link", name="Find data").first.click()
    expect(strict_page.locator("#chosen-size")).to_have_text("0 B")
    strict_page.get_by_role("checkbox", name="Choose orion_b").check()
    # The sum is there before anything is sent.
    expect(strict_page.locator("#chosen-size")).to_have_text("2.5 GB")
    strict_page.get_by_role("link", name="My jobs").click()
    strict_page.get_by_role("link", name="Find data").first.click()
    # Leaving by a link keeps the ticks too.
    expect(strict_page.locator("#chosen-size")).to_have_text("2.5 GB")

    choose_two_and_submit(strict_page, live_server)

    job = StagingJob.objects.get()
    assert strict_page.get_by_role("heading", level=1).inner_text() == "Orion in a browser"
    assert "0 of 2 packages" in strict_page.inner_text("main")
    StagingJob.objects.filter(pk=job.pk).update(status=Status.FAILED, failure_error_message="A disk broke.")
    # Nobody reloads it.
    strict_page.get_by_text("A disk broke.").wait_for(timeout=SOON)
    strict_page.set_viewport_size(NARROW)
    assert fits(strict_page)


def test_all_of_it_works_without_javascript(
    browser: Browser, live_server: Any, archive: Any, one_package_per_page: None
) -> None:
    member()
    context = browser.new_context(java_script_enabled=False, viewport=NARROW)
    page = context.new_page()
    log_in(page, live_server, "viewer")

    choose_two_and_submit(page, live_server)

    assert StagingJob.objects.get().raw_data_packages.count() == 2
    assert page.get_by_role("heading", level=1).inner_text() == "Orion in a browser"
    context.close()


def test_an_operator_sees_trouble_come_and_helps_with_a_button(
    strict_page: Page, live_server: Any, transactional_db: None
) -> None:
    person("admin")
    ServiceHeartbeatFactory.create()
    log_in(strict_page, live_server, "admin", "/portal/")
    strict_page.get_by_text("All is well.").wait_for()
    strict_page.get_by_role("link", name="Packages").last.focus()

    operation = DataTransferFactory.create(failed=True)

    strict_page.get_by_text("There is no such file.").wait_for(timeout=SOON)
    # What had the focus before the page changed has it still.
    assert strict_page.evaluate("document.activeElement.textContent") == "Packages"
    retry = strict_page.get_by_role("button", name="Retry")
    retry.click()
    strict_page.get_by_text(f"Retry: Data transfer {operation.pk}").wait_for()
    assert strict_page.url == f"{live_server.url}/portal/"
    row = Operation.objects.non_polymorphic().get(pk=operation.pk)
    assert row.status == Status.PENDING
    strict_page.set_viewport_size(NARROW)
    assert fits(strict_page)
