"""Answers to calls that go wrong are those of the API's description, member by member."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError
from drf_spectacular.generators import SchemaGenerator

from ccatdc.common.api.problems import MEDIA_TYPE
from planning.api.timeline_views import TimelineView
from tests.api.bodies import BULK, FILES, file_body, finish_body, finish_path
from tests.api.conftest import ApiClient, client_with
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def description(django_db_setup: None, django_db_blocker: Any) -> Any:
    """The description of the API."""
    generator: Any = SchemaGenerator
    with django_db_blocker.unblock():
        return generator().get_schema(request=None, public=True)


def check(description: Any, method: str, path: str, answer: Any, status: int) -> dict[str, Any]:
    """The problem document, when the description of the endpoint has its status and all its members."""
    assert answer.status_code == status, answer.content
    described = description["paths"][path][method]["responses"][str(status)]
    assert described["content"][MEDIA_TYPE]["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert ("Retry-After" in answer.headers) == ("Retry-After" in described.get("headers", {}))
    document: dict[str, Any] = answer.json()
    schemas = description["components"]["schemas"]
    assert set(document) <= set(schemas["Problem"]["properties"])
    for error in document.get("errors", []):
        assert set(error) <= set(schemas["ProblemError"]["properties"])
    return document


def test_files_that_contradict_what_is_stored(instrument_api: ApiClient, description: Any) -> None:
    body = file_body()
    assert instrument_api.post(FILES, body).status_code == HTTPStatus.CREATED
    answer = instrument_api.post(BULK, [{**body, "size": 7}])
    (error,) = check(description, "post", BULK, answer, 409)["errors"]
    assert error["id"] == body["id"]
    assert error["differences"] == {"size": {"stored": 1000, "sent": 7}}
    answer = instrument_api.post(FILES, {**body, "id": str(uuid4())})
    (error,) = check(description, "post", FILES, answer, 409)["errors"]
    assert error["existing"] == body["id"]


def test_an_end_that_contradicts_what_is_stored(instrument_api: ApiClient, description: Any) -> None:
    execution = ExecutedObsUnitFactory.create()
    instrument_api.put(finish_path(execution), finish_body())
    answer = instrument_api.put(finish_path(execution), finish_body(status="failed"))
    document = check(description, "put", "/api/executed_obs_units/{id}/finish", answer, 409)
    assert document["differences"]["status"] == {"stored": "completed", "sent": "failed"}


def test_rows_of_a_plan(description: Any) -> None:
    api = client_with("write:schedule", "read:observations")
    answer = api.put("/api/plans", {"fixed_source": [{"name": "x", "ra_deg": "far"}]})
    errors = check(description, "put", "/api/plans", answer, 400)["errors"]
    assert errors[0]["section"] == "fixed_source"


def test_a_body_of_another_type_or_size(instrument_api: ApiClient, description: Any, settings: Any) -> None:
    answer = instrument_api.http.post(FILES, "size=1", content_type="text/plain")
    check(description, "post", FILES, answer, 415)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    check(description, "post", FILES, instrument_api.post(FILES, file_body()), 413)


def test_too_many_calls(instrument_api: ApiClient, description: Any, settings: Any) -> None:
    settings.TOKEN_REQUESTS_PER_MINUTE = 1
    assert instrument_api.get("/api/me").status_code == HTTPStatus.OK
    document = check(description, "get", "/api/me", instrument_api.get("/api/me"), 429)
    assert document["code"] == "token.too_many_requests"


def test_a_database_that_is_away(description: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(TimelineView, "post", away)
    answer = client_with("write:schedule").post("/api/timeline", {})
    document = check(description, "post", "/api/timeline", answer, 503)
    assert (document["code"], document["retryable"]) == ("world.database", True)


def test_every_endpoint_names_the_errors_of_all(description: Any) -> None:
    everywhere = {"400", "401", "403", "404", "422", "429", "500", "503"}
    for path, methods in description["paths"].items():
        for method, endpoint in methods.items():
            wanted = everywhere if method == "get" else everywhere | {"409", "413", "415"}
            assert wanted <= set(endpoint["responses"]), (path, method)
