"""What a gateway puts into its outbox for a call, in the transaction of the filing itself."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.urls import URLResolver, get_resolver, resolve

from datamgmt.models import RawDataFile
from gateway.models import Link, OutboxItem
from gateway.outbox import accepting
from gateway.site.not_here import at_main_site
from planning.api.weather_views import WeatherView
from planning.models import ExecutedObsUnit
from tests.api.bodies import BULK, FILES, START, file_body, finish_body, finish_path, start_body
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_gateway")]


@pytest.fixture
def api() -> ApiClient:
    return client_with("read:observations", "write:observations")


def sent() -> list[OutboxItem]:
    return list(OutboxItem.objects.order_by("id"))


def test_each_accepted_call_is_kept_as_it_came(api: ApiClient) -> None:
    start = start_body(parameters={"rate": 4.1e16, "text": "µ"})
    assert api.post(START, start).status_code == 201
    execution = ExecutedObsUnit.objects.get()
    one, two = file_body(execution), file_body(execution)
    assert api.post(FILES, one).status_code == 201
    assert api.post(BULK, [two]).status_code == 201
    finish = finish_body(conditions={"pwv_mm_mean": 0.4})
    assert api.put(finish_path(execution), finish).status_code == 200

    items = sent()
    assert [(item.kind, item.method, item.path, item.files) for item in items] == [
        ("start", "POST", START, 0),
        ("files", "POST", BULK, 1),
        ("files", "POST", BULK, 1),
        ("finish", "PUT", finish_path(execution), 0),
    ]
    assert [json.loads(item.body) for item in items] == [start, [one], [two], finish]
    assert all(item.body.isascii() and item.body_bytes == len(item.body) for item in items)
    assert {item.token for item in items} == {api.token}
    assert api.token is not None
    assert {item.user for item in items} == {api.token.user}
    assert {item.sequence for item in items} == {execution.pk}


def test_a_call_that_changed_nothing_is_not_sent(api: ApiClient) -> None:
    start = start_body()
    file = None
    for _ in range(2):
        api.post(START, start)
        file = file or file_body(ExecutedObsUnit.objects.get())
        api.post(FILES, file)
        api.post(BULK, [file])
        api.put(finish_path(start["id"]), finish_body())
    assert [item.kind for item in sent()] == ["start", "files", "finish"]


def test_a_call_of_which_a_part_is_new_is_sent_whole(api: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create()
    known, new = file_body(execution), file_body(execution)
    api.post(FILES, known)
    assert api.post(BULK, [known, new]).json() == {"created": 1, "unchanged": 1}
    assert [item.files for item in sent()] == [1, 2]


def test_a_call_for_two_observations_is_one_for_each(api: ApiClient) -> None:
    first, second = ExecutedObsUnitFactory.create_batch(2)
    rows = [file_body(each) for each in (first, second, first)]
    assert api.post(BULK, rows).status_code == 201
    assert {(item.sequence, item.files) for item in sent()} == {(first.pk, 2), (second.pk, 1)}
    assert json.loads(OutboxItem.objects.get(sequence=first.pk).body) == [rows[0], rows[2]]


def test_a_refused_call_is_not_sent(api: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create()
    assert api.post(FILES, file_body(execution, size=-1)).status_code == 400
    assert api.put(finish_path(execution), finish_body(end_time="2001-01-01T00:00:00Z")).status_code
    other = InstrumentModuleFactory.create(instrument=InstrumentFactory.create(short_name="chai"))
    bound = client_with("write:observations", instrument=other.instrument)
    problem(bound.post(FILES, file_body(execution)), 403, "token.other_instrument")
    assert sent() == []


def test_nothing_is_filed_when_the_outbox_cannot_have_it(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr(accepting, "notify_gateway", full)
    execution = ExecutedObsUnitFactory.create()
    api.http.raise_request_exception = False
    assert api.post(FILES, file_body(execution)).status_code == 500
    assert api.put(finish_path(execution), finish_body()).status_code == 500
    assert RawDataFile.objects.count() == 0
    assert ExecutedObsUnit.objects.get().status == "running"
    assert sent() == []


def test_what_is_unknown_here_may_be_new_at_the_main_site(api: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create()
    unknown = [
        api.post(START, start_body(obs_unit=10**9)),
        api.post(START, {**_named(), "program": "GEco", "obs_unit_name": "nobody's"}),
        api.post(START, start_body(operator="nobody")),
        api.post(FILES, file_body(execution, module=None) | {"module": "f999"}),
    ]
    for answer in unknown:
        assert answer.status_code == 400
        assert "copy of the reference data is missing yet" in answer.json()["detail"]
    assert Link.row().refresh_wanted


def _named() -> dict[str, Any]:
    body = start_body()
    del body["obs_unit"]
    return body


def test_an_unknown_observation_is_no_question_of_reference_data(api: ApiClient) -> None:
    body = file_body() | {"executed_obs_unit": str(UUID(int=7))}
    answer = problem(api.post(FILES, body), 400, "filing.invalid_rows")
    assert "reference data" not in answer["detail"]
    assert not Link.row().refresh_wanted


def test_every_address_that_files_goes_through_the_outbox() -> None:
    def views(patterns: list[Any]) -> list[Any]:
        found = []
        for each in patterns:
            if isinstance(each, URLResolver):
                found += views(each.url_patterns)
            else:
                found.append(getattr(each.callback, "view_class", None))
        return found

    filing = [
        view
        for view in views(get_resolver("ccatdc.gateway_site.urls").url_patterns)
        if "write:observations" in getattr(view, "needs", {}).values() and view is not WeatherView
    ]
    assert resolve("/api/weather", "ccatdc.gateway_site.urls").func is at_main_site
    assert len(filing) == 4
    assert {view.__module__ for view in filing} == {"gateway.outbox.accepting"}


def test_staging_and_the_flow_say_where_they_are(api: ApiClient) -> None:
    main_site = ("staging/jobs/", "transfer/overview", "reference/snapshot", "processing_runs/", "data_products/bulk")
    for address in (f"/api/{each}" for each in main_site):
        assert "main site" in problem(api.get(address), 404, "gateway.not_here")["detail"]
    assert "main site" in api.get("/").content.decode()


def test_the_description_of_the_api_is_whole(api: ApiClient) -> None:
    schema = api.get("/api/schema/")
    assert schema.status_code == 200
    assert b"register_files" in schema.content
