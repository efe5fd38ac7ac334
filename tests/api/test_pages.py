"""Pages: every row once, whatever is inserted or deleted between two of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import models

from accounts.models import ApiToken
from ccatdc.common.api.views import StrictListView
from datamgmt.models import RawDataPackage
from planning.models import ExecutedObsUnit
from tests.api.conftest import ApiClient, problem
from tests.api.test_access import ENDPOINTS, SINGLE
from tests.factories.datamgmt import RawDataFileFactory, RawDataFilePhysicalCopyFactory, RawDataPackageFactory
from tests.factories.planning import START, ExecutedObsUnitFactory, FixedSourceFactory
from tests.factories.transfer import DataTransferLogFactory, LocationCheckFactory

pytestmark = pytest.mark.django_db

EXECUTIONS = "/api/executed_obs_units/"
LISTS = [
    (address, view)
    for address, method, view in ENDPOINTS
    if method == "GET" and issubclass(view, StrictListView) and address not in SINGLE
]


def walk(api: ApiClient, address: str, between: Callable[[], object] = lambda: None, **query: Any) -> list[list[str]]:
    """The keys of each page, by the links from one to the next; ``between`` is called after each."""
    pages = []
    page = api.get(address, **query).json()
    while True:
        pages.append([str(row["id"]) for row in page["results"]])
        if not page["next"]:
            return pages
        between()
        parts = urlsplit(page["next"])
        page = api.http.get(f"{parts.path}?{parts.query}").json()


def make_execution(**fields: Any) -> Any:
    return ExecutedObsUnitFactory.create(**fields)


#: Large tables, how their rows are made, and a column on which rows tie.
LARGE: list[tuple[str, Callable[..., Any]]] = [
    (EXECUTIONS, make_execution),
    ("/api/raw_data_packages/", RawDataPackageFactory.create),
    ("/api/raw_data_files/", RawDataFileFactory.create),
    ("/api/physical_copies/", RawDataFilePhysicalCopyFactory.create),
    ("/api/transfer/operations/", LocationCheckFactory.create),
    ("/api/data_transfer_logs/", DataTransferLogFactory.create),
]


def fresh(make: Callable[..., Any], number: int) -> Any:
    """A row; of checks there is one open for each place."""
    if make == LocationCheckFactory.create:
        return make(completed=True)
    if make == DataTransferLogFactory.create:
        return make(timestamp=START + timedelta(seconds=number // 3))
    return make()


@pytest.mark.parametrize(("address", "make"), LARGE, ids=[address for address, _ in LARGE])
class TestLargeTables:
    def test_rows_that_are_inserted_meanwhile_shift_nothing(
        self, viewer_api: ApiClient, address: str, make: Callable[..., Any]
    ) -> None:
        there = {str(fresh(make, number).pk) for number in range(9)}
        numbers = iter(range(100, 200))

        pages = walk(viewer_api, address, lambda: fresh(make, next(numbers)), page_size=2)

        seen = [key for page in pages for key in page]
        assert len(seen) == len(set(seen)), "no row twice"
        assert there <= set(seen), "none left out"

    def test_a_row_that_goes_takes_no_other_with_it(
        self, viewer_api: ApiClient, address: str, make: Callable[..., Any]
    ) -> None:
        rows = [fresh(make, number) for number in range(7)]
        first = viewer_api.get(address, page_size=3).json()
        last_shown = first["results"][-1]["id"]
        (gone,) = [row for row in rows if str(row.pk) == str(last_shown)]
        type(gone)._base_manager.filter(pk=gone.pk).delete()

        parts = urlsplit(first["next"])
        second = viewer_api.http.get(f"{parts.path}?{parts.query}").json()

        seen = {str(row["id"]) for page in (first, second) for row in page["results"]}
        assert len(seen) == 6


class TestTies:
    """The framework's own cursor counts the rows that tie, and counts one too few when another appears."""

    def test_rows_that_began_at_the_same_moment_come_once(self, viewer_api: ApiClient) -> None:
        there = {str(ExecutedObsUnitFactory.create().pk) for _ in range(9)}

        pages = walk(viewer_api, EXECUTIONS, ExecutedObsUnitFactory.create, page_size=2)

        seen = [key for page in pages for key in page]
        assert len(seen) == len(set(seen))
        assert there <= set(seen)

    def test_a_microsecond_is_a_difference(self, viewer_api: ApiClient) -> None:
        for microsecond in range(6):
            ExecutedObsUnitFactory.create(start_time=START + timedelta(microseconds=microsecond))

        pages = walk(viewer_api, EXECUTIONS, page_size=1)

        keys = ExecutedObsUnit.objects.order_by("-start_time").values_list("pk", flat=True)
        assert pages == [[str(key)] for key in keys]


class TestLinks:
    def test_the_way_back_is_the_way_there(self, viewer_api: ApiClient) -> None:
        for number in range(7):
            FixedSourceFactory.create(name=f"S{number}")
        there = walk(viewer_api, "/api/sources/", page_size=3)
        page = viewer_api.get("/api/sources/", page_size=3, order="id").json()
        while page["next"]:
            last = page
            parts = urlsplit(page["next"])
            page = viewer_api.http.get(f"{parts.path}?{parts.query}").json()

        back = []
        while page["previous"]:
            parts = urlsplit(page["previous"])
            page = viewer_api.http.get(f"{parts.path}?{parts.query}").json()
            back.append([str(row["id"]) for row in page["results"]])

        assert back == there[-2::-1]
        assert page["previous"] is None
        assert page["next"] is not None
        assert last["previous"] is not None

    def test_one_page_has_no_neighbours(self, viewer_api: ApiClient) -> None:
        FixedSourceFactory.create()
        page = viewer_api.get("/api/sources/").json()
        assert (page["next"], page["previous"]) == (None, None)

    def test_an_empty_list_has_none_either(self, viewer_api: ApiClient) -> None:
        assert viewer_api.get("/api/sources/").json() == {"next": None, "previous": None, "results": []}

    def test_the_next_page_is_filtered_and_ordered_as_this_one(self, viewer_api: ApiClient) -> None:
        for name in ("a1", "b1", "a2", "a3"):
            FixedSourceFactory.create(name=name)
        query: dict[str, Any] = {"name": "a", "order": "-name", "page_size": 1}
        page = viewer_api.get("/api/sources/", **query).json()
        kept = parse_qs(urlsplit(page["next"]).query)
        assert {name: kept[name] for name in query} == {"name": ["a"], "order": ["-name"], "page_size": ["1"]}
        assert len(walk(viewer_api, "/api/sources/", **query)) == 3

    def test_a_cursor_of_another_order_is_refused(self, viewer_api: ApiClient) -> None:
        for name in ("a", "b"):
            FixedSourceFactory.create(name=name)
        page = viewer_api.get("/api/sources/", order="name", page_size=1).json()
        (cursor,) = parse_qs(urlsplit(page["next"]).query)["cursor"]

        answer = viewer_api.get("/api/sources/", order="-name", cursor=cursor)

        assert "no cursor of this list" in problem(answer, 400, "request.invalid")["detail"]


class TestParameters:
    @pytest.mark.parametrize("size", ["0", "-1", "1001", "many", "1.5", "١٠", "9" * 30])  # noqa: RUF001
    def test_a_page_size_that_makes_no_sense_is_refused(self, viewer_api: ApiClient, size: str) -> None:
        answer = problem(viewer_api.get("/api/sources/", page_size=size), 400, "request.invalid")
        assert [error["field"] for error in answer["errors"]] == ["page_size"]

    def test_an_order_that_there_is_not_names_those_that_there_are(self, viewer_api: ApiClient) -> None:
        answer = problem(viewer_api.get(EXECUTIONS, order="quality"), 400, "request.invalid")
        assert "-start_time, start_time" in answer["detail"]

    def test_a_list_with_one_order_has_no_such_parameter(self, viewer_api: ApiClient) -> None:
        answer = problem(viewer_api.get("/api/sites/", order="id"), 400, "request.invalid")
        assert answer["errors"][0]["field"] == "order"


@pytest.mark.parametrize(("address", "view"), LISTS, ids=[address for address, _ in LISTS])
def test_every_order_is_by_a_column_that_is_never_empty(address: str, view: Any) -> None:
    """Null is neither before nor after: a page that ends there would be the last."""
    if view.queryset is None:
        return
    for order in view.orders:
        field = view.queryset.model._meta.get_field(order.lstrip("-"))
        assert isinstance(field, models.Field)
        assert not field.null, order


@pytest.mark.parametrize(("address", "view"), LISTS, ids=[address for address, _ in LISTS])
def test_every_list_answers_in_every_order(instrument_api: ApiClient, address: str, view: Any) -> None:
    assert isinstance(instrument_api.token, ApiToken)
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    ExecutedObsUnitFactory.create(start_time=moment)
    RawDataPackageFactory.create(archived=True)
    RawDataPackage.objects.update(created_at=moment)
    for order in view.orders if len(view.orders) > 1 else ():
        answer = instrument_api.get(address, order=order, page_size=1)
        assert answer.status_code in {200, 403, 404}, answer.content
