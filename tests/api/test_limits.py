"""Bodies that cost more than they say: many names, many values, deep nesting, forged lines."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from ccatdc.common.api import parsers
from planning.models import ExecutedObsUnit
from tests.api.bodies import start_body
from tests.api.conftest import ApiClient, problem
from tests.factories.planning import ExecutedObsUnitFactory, ObsUnitFactory
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db

START_OF_2026 = datetime(2026, 1, 1, tzinfo=UTC)
START = "/api/executed_obs_units/start"
BULK = "/api/raw_data_files/bulk"


class Name(str):
    """A name that counts how often it is hashed or compared."""

    __slots__ = ()
    looks = 0

    def __hash__(self) -> int:
        Name.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Name.looks += 1
        return super().__eq__(other)


def test_a_repeated_name_among_many_is_found_in_linear_time() -> None:
    count = 2_000
    pairs = [(Name(number), 0) for number in range(count)]
    with pytest.raises(ValueError, match="stands twice"):
        parsers._object([*pairs, (Name(0), 0)])
    assert Name.looks < 10 * count  # compared with each other they would be two million


@pytest.mark.parametrize("values", ["[]", "{}", "0"])
def test_a_small_body_that_unpacks_to_many_values_is_refused_before_any_is_built(
    instrument_api: ApiClient, values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = gzip.compress(("[" + ",".join([values] * (parsers.MAX_VALUES + 1)) + "]").encode())
    with monkeypatch.context() as patched:
        patched.setattr(parsers, "json", None)  # nothing is parsed
        answer = instrument_api.http.generic(
            "POST", BULK, body, content_type="application/json", headers={"content-encoding": "gzip"}
        )
    assert "more than 500,000 values" in problem(answer, 400, "request.parse_error")["detail"]


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (nested(350), "too_deep"),
        (nested(8), "too_deep"),
        ({"a": list(range(1001))}, "too_many_values"),
        ({"a": "x" * 16_384}, "max_length"),
    ],
    ids=["very deep", "deep", "many", "long"],
)
def test_parameters_that_are_too_much_are_refused_each_time(
    instrument_api: ApiClient, parameters: dict[str, Any], code: str
) -> None:
    body = start_body(ObsUnitFactory.create(), parameters=parameters)
    for _ in range(2):
        errors = problem(instrument_api.post(START, body), 400, "request.invalid")["errors"]
        assert [(error["field"], error["code"]) for error in errors] == [("parameters", code)]
    assert not ExecutedObsUnit.objects.exists()


def test_parameters_of_some_levels_are_taken(instrument_api: ApiClient) -> None:
    body = start_body(ObsUnitFactory.create(), parameters=nested(6))
    assert instrument_api.post(START, body).status_code == 201


@pytest.mark.parametrize("name", ["two\nlines", "Subject: x\r\nBcc: y", "\x1b[31mred", "\u2028"])
def test_one_line_texts_have_no_control_characters(scientist_api: ApiClient, name: str) -> None:
    body = {"packages": [str(uuid4())], "location": "cologne_ramses_processing", "name": name}
    (error,) = problem(scientist_api.post("/api/staging/jobs/", body), 400, "request.invalid")["errors"]
    assert (error["field"], error["code"]) == ("name", "control_character")


def test_a_change_of_many_rows_at_once_moves_when_they_were_changed() -> None:
    before = ExecutedObsUnitFactory.create()
    ExecutedObsUnit.objects.filter(pk=before.pk).update(updated_at=before.updated_at - timedelta(days=1))
    ExecutedObsUnit.objects.filter(pk=before.pk).update(quality="good")
    after = ExecutedObsUnit.objects.get(pk=before.pk)
    assert after.updated_at > before.updated_at - timedelta(hours=1)


def test_a_change_that_says_when_it_was_is_believed() -> None:
    execution = ExecutedObsUnitFactory.create()
    ExecutedObsUnit.objects.filter(pk=execution.pk).update(updated_at=START_OF_2026)
    assert ExecutedObsUnit.objects.get(pk=execution.pk).updated_at == START_OF_2026


class TestCaches:
    def test_an_answer_to_a_token_is_kept_by_nobody(self, viewer_api: ApiClient) -> None:
        assert viewer_api.get("/api/instruments/")["Cache-Control"] == "private, no-store"

    def test_the_description_is_made_once_and_not_sent_to_who_has_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = Client().get("/api/schema/")
        monkeypatch.setattr("ccatdc.api.SchemaGenerator", lambda: pytest.fail("was made again"))
        assert Client().get("/api/schema/").content == first.content
        again = Client().get("/api/schema/", headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


class TestCost:
    """A statement that takes too long ends with an answer, in the API and in the portal."""

    @pytest.fixture
    def slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def search(*_: Any) -> Any:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(5)")

        monkeypatch.setattr("ccatdc.common.api.views.StrictListView.paginate_queryset", search)
        monkeypatch.setattr("ccatdc.common.admin.base.PortalAdmin.get_search_results", search)

    def test_the_api_says_what_helps(self, viewer_api: ApiClient, slow: None) -> None:
        assert "narrower" in problem(viewer_api.get("/api/instruments/"), 422, "request.too_costly")["detail"]

    def test_a_page_says_what_helps(self, slow: None) -> None:
        page = logged_in(person("admin")).get("/portal/observatory/instrument/", {"q": "x"})
        assert page.status_code == 422
        assert "ask for less" in page.content.decode()

    def test_web_processes_have_a_limit(self) -> None:
        shown = "import os; import ccatdc.wsgi; from django.db import connection; print(connection.get_connection_params()['options'])"
        environment = {**os.environ, "CCATDC_DEBUG": "1", "DJANGO_SETTINGS_MODULE": "ccatdc.settings.base"}
        done = subprocess.run(
            [sys.executable, "-c", shown], env=environment, capture_output=True, text=True, check=True
        )
        assert "statement_timeout=30000" in done.stdout
