"""The page *Over time*: throughput and fill forecast one click from the first page, as charts and as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ccatdc.portal.charts import MOST_SERIES, Chart, Series, chart
from ccatdc.portal.over_time import SPANS, OverTime, span_named
from datamgmt.models import DataLocation
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import ArchiveLocationFactory, BufferLocationFactory, SiteFactory, SourceLocationFactory
from tests.factories.transfer import LocationUsageFactory, WorkTotalFactory
from tests.portal.conftest import logged_in, person
from transfer.models.totals import FILING
from transfer.pipeline import OperationType

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 4, 30, tzinfo=UTC)
HOUR = NOW.replace(minute=0)
TB = 10**12
#: Session, person and rights; locations and four questions to the totals.
MOST_QUERIES = 12


def shown(span: str = "day", now: datetime = NOW) -> OverTime:
    return OverTime(span_named(span), now)


def the(page: OverTime, key: str) -> Chart:
    return next(each for each in page.charts if each.key == key)


def fills(location: Any, percent: float, hours: float | None, now: datetime) -> None:
    """A location of 100 TB was found so full just now, and will be full after so many hours."""
    used = int(percent * TB)
    speed = None if hours is None else (95 - percent) * TB / (hours * 3600)
    DataLocation.objects.non_polymorphic().filter(pk=location.pk).update(
        used_bytes=used, capacity_bytes=100 * TB, checked_at=now, fill_bytes_per_s=speed
    )


def test_throughput_is_summed_for_each_step_of_the_flow() -> None:
    source, archive = SourceLocationFactory.create(), ArchiveLocationFactory.create()
    for hours, size in ((0, 1), (3, 2), (40, 5)):
        at = HOUR - timedelta(hours=hours)
        WorkTotalFactory.create(starts_at=at, kind=FILING, location=source, bytes=size * TB, files=10)
        WorkTotalFactory.create(starts_at=at, location=archive, bytes=size * TB // 2, files=5)
    rows = {row["name"]: row for row in shown().throughput}
    assert (rows["Filed"]["bytes"], rows["Filed"]["files"]) == (3 * TB, 20)
    assert rows["Archived"]["bytes"] == 1.5 * TB
    assert rows["Staged"]["bytes"] == 0
    assert rows["Filed"]["percent"] == pytest.approx(100 * 3 / 8 * 24 / 24.5)
    assert {row["name"]: row["bytes"] for row in shown("week").throughput}["Filed"] == 8 * TB


def test_a_chart_has_a_value_for_each_step_and_its_table_the_steps_with_something() -> None:
    WorkTotalFactory.create(starts_at=HOUR - timedelta(hours=2), bytes=TB)
    drawn = the(shown(), "bytes")
    assert len(drawn.labels) == 25
    assert [series.name for series in drawn.series] == ["Archived"]
    assert drawn.series[0].values == [TB if n == 22 else 0 for n in range(25)]
    assert drawn.rows == [("02:00", ["1 TB"])]
    assert drawn.limit == ("8 TB a day", 8 * TB / 24)
    assert drawn.spoken == "Archived: at most 1 TB"


def test_days_make_months() -> None:
    for day, size in ((datetime(2026, 1, 3, tzinfo=UTC), 1), (datetime(2026, 1, 30, tzinfo=UTC), 2)):
        WorkTotalFactory.create(period="day", starts_at=day, bytes=size * TB)
    WorkTotalFactory.create(starts_at=datetime(2026, 1, 3, 4, tzinfo=UTC), bytes=TB)
    assert the(shown("decade"), "bytes").rows == [("2026-01", ["3 TB"])]
    assert len(the(shown("year"), "bytes").rows) == 2


def test_the_forecast_is_that_of_the_first_page_and_goes_on_from_the_last_check() -> None:
    buffer, archive = BufferLocationFactory.create(), ArchiveLocationFactory.create()
    for location in (buffer, archive):
        LocationUsageFactory.create(
            starts_at=HOUR, location=location, used_bytes=60 * TB, capacity_bytes=100 * TB
        )  # the most of the hour
    fills(buffer, 55, 10, NOW)
    fills(archive, 55, None, NOW)
    page = shown()
    lines = {row["location"].full_name: row for row in page.forecast}
    assert lines[buffer.full_name]["full_at"] == NOW + timedelta(hours=10)
    assert lines[buffer.full_name]["daily"] == pytest.approx(40 * TB * 2.4)
    assert lines[archive.full_name]["full_at"] is None
    drawn = the(page, "fill")
    assert [series.name for series in drawn.series if series.dashed] == [f"{buffer.full_name}, forecast"]
    dashed = next(series for series in drawn.series if series.dashed)
    assert dashed.values[:24] == [None] * 24
    assert dashed.values[24] == pytest.approx(55)
    assert dashed.values[24 + 5] == pytest.approx(55 + 4 * 4.5)
    assert dashed.values[-1] == 100
    assert all(len(series.values) == len(drawn.labels) for series in drawn.series)


def test_links_failures_durations_and_queues_have_their_lines() -> None:
    buffer = BufferLocationFactory.create()
    far = BufferLocationFactory.create(site=SiteFactory.create(short_name="cologne"), name="input_buffer")
    WorkTotalFactory.create(
        starts_at=HOUR, kind=OperationType.DATA_TRANSFER, location=buffer, destination=far, bytes=10**10, seconds=100,
        done=4, failed=2, waiting=7, oldest_wait_seconds=3600,
    )  # fmt: skip
    page = shown()
    last = {key: [(s.name, s.values[-1]) for s in the(page, key).series] for key in ("links", "failures", "durations")}
    assert last["links"] == [(f"{buffer.full_name} to {far.full_name}", 10**8)]
    assert the(page, "links").series[0].values[-2] is None, "without transfers a link has no rate"
    assert the(page, "failures").series[0].values[-2] == 0
    assert last["failures"] == [("Data transfer", 2)]
    assert last["durations"] == [("Data transfer", 25)]
    name = f"Data transfer at {buffer.full_name}"
    assert [(s.name, s.values[-1]) for key in ("waiting", "age") for s in the(page, key).series] == [
        (name, 7),
        (name, 3600),
    ]
    assert [(row["label"], row["done"], row["failed"], row["mean"]) for row in page.work] == [
        ("Data transfer", 4, 2, 25)
    ]


def test_of_many_lines_the_largest_are_drawn_with_their_forecasts() -> None:
    series = [each for n in range(12) for each in (Series(f"{n}", [n]), Series(f"{n}, forecast", [n], dashed=True))]
    drawn = chart(["now"], series, key="k", title="T", says="S", unit="%")
    assert [each.name for each in drawn.series if not each.dashed] == [str(n) for n in range(12 - MOST_SERIES, 12)]
    assert len(drawn.series) == 2 * MOST_SERIES
    assert drawn.left_out == 11 - MOST_SERIES


def test_the_page_is_one_click_from_the_first_and_opens_in_few_queries(operator: Client) -> None:
    for hours in range(48):
        WorkTotalFactory.create(starts_at=timezone.now().replace(minute=0) - timedelta(hours=hours))
    address = reverse("admin:over_time")
    first = operator.get(reverse("admin:index")).content.decode()
    assert first.count(f'href="{address}') >= 2, "in the menu and on the page"
    for span in SPANS:
        with CaptureQueriesContext(connection) as queries:
            answer = operator.get(address, {"span": span.key})
        assert answer.status_code == 200
        assert len(queries) <= MOST_QUERIES
        assert f"Throughput in {span.label.lower()}" in answer.content.decode()
    assert operator.get(address, {"span": "'; DROP"}).context["shown"].span == SPANS[0]


def test_only_who_sees_all_programs_sees_it(operator: Client) -> None:
    address = reverse("admin:over_time")
    assert logged_in(person("viewer")).get(address).status_code == 403
    assert logged_in(UserFactory.create(is_staff=True)).get(address).status_code == 403
    assert Client().get(address).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_charts_are_drawn_in_both_themes_from_files_of_ours(live_server: Any, page: Page) -> None:
    """Light and dark, at the width of a telephone; nothing is loaded from elsewhere."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    buffer = BufferLocationFactory.create()
    LocationUsageFactory.create(starts_at=now, location=buffer)
    fills(buffer, 50, 10, now)
    for hours in range(3):
        WorkTotalFactory.create(starts_at=now - timedelta(hours=hours))
    client = logged_in(person("admin"))
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{live_server.url}{reverse('admin:index')}")
    page.locator("#overview").get_by_role("link", name="Over time").click()
    page.get_by_role("img", name="Bytes in each hour").scroll_into_view_if_needed()
    page.wait_for_function("Chart.getChart(document.querySelector('#fill canvas'))?.data.datasets.length === 2")
    colour = "Chart.getChart(document.querySelector('#bytes canvas')).data.datasets[0].borderColor"
    light = page.evaluate(colour)
    page.evaluate("document.documentElement.classList.toggle('dark')")
    page.wait_for_function(f"{colour} !== '{light}'")
    page.locator("#bytes summary").click()
    assert page.locator("#bytes table").get_by_text("100 GB").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert errors == []
    assert [url for url in asked if not url.startswith((live_server.url, "data:"))] == []
