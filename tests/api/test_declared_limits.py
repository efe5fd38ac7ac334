"""Every text, list and number that the API takes has a limit that its description names, and that holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from ccatdc.common.api.schema import PARAMETER_LENGTH
from tests.api.conftest import ApiClient, client_with, problem
from tests.portal.conftest import logged_in, person

pytestmark = pytest.mark.django_db

#: What says by itself how long a text may be.
BOUNDED_FORMATS = {"uuid", "date", "date-time"}
#: What an answer names and a body never holds, or what the framework reads itself.
HEADERS = {"If-None-Match"}


@pytest.fixture
def schema() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return generated


def endpoints(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, endpoint in methods.items():
            yield path, method, endpoint


def unlimited(part: dict[str, Any], where: str, schemas: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """Where a description has no limit."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        if name not in seen:
            seen.add(name)
            yield from unlimited(schemas[name], name, schemas, seen)
        return
    for choices in ("allOf", "oneOf", "anyOf"):
        for each in part.get(choices, []):
            yield from unlimited(each, where, schemas, seen)
    kinds = part.get("type", "")
    kind = kinds if isinstance(kinds, str) else next(each for each in kinds if each != "null")
    if kind == "string" and not ({"maxLength", "enum", "const"} & part.keys() or part.get("format") in BOUNDED_FORMATS):
        yield where
    if kind == "array":
        if "maxItems" not in part:
            yield where
        yield from unlimited(part["items"], f"{where}[]", schemas, seen)
    if kind == "integer" and "maximum" not in part and "enum" not in part:
        yield where
    for name, each in part.get("properties", {}).items():
        if not each.get("readOnly"):
            yield from unlimited(each, f"{where}.{name}", schemas, seen)


def test_every_parameter_and_every_field_of_a_body_names_its_limit(schema: dict[str, Any]) -> None:
    schemas = schema["components"]["schemas"]
    seen: set[str] = set()
    found: list[str] = []
    for path, method, endpoint in endpoints(schema):
        for parameter in endpoint.get("parameters", []):
            if parameter["name"] not in HEADERS:
                found += unlimited(parameter["schema"], f"{method} {path} ?{parameter['name']}", schemas, seen)
        for body in endpoint.get("requestBody", {}).get("content", {}).values():
            found += unlimited(body["schema"], f"{method} {path}", schemas, seen)
    assert found == []
    assert len(seen) > 5


def test_the_walk_finds_what_has_none() -> None:
    bodies = {"Body": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {}}}}}
    assert list(unlimited({"$ref": "#/Body"}, "post /", bodies, set())) == ["Body.a", "Body.b"]


def test_the_limit_of_every_text_parameter_holds(schema: dict[str, Any]) -> None:
    """The viewer of all programs asks every list with a word that is too long."""
    client = client_with("read:observations", "read:all_programs", "read:users", "read:operations", "read:system_logs")
    tried = 0
    for path, method, endpoint in endpoints(schema):
        if method != "get" or "{" in path:
            continue
        for parameter in endpoint.get("parameters", []):
            if parameter["in"] != "query" or parameter["schema"].get("type") not in ("string", "array"):
                continue
            answer = client.get(path, **{parameter["name"]: "a" * (PARAMETER_LENGTH + 1)})
            assert answer.status_code in (400, 403), f"{path}?{parameter['name']} answers {answer.status_code}"
            tried += answer.status_code == 400
    assert tried > 100


def test_a_location_of_24_kilobytes_is_refused_before_anybody_looks_for_it(django_assert_max_num_queries: Any) -> None:
    client = client_with("read:observations", "stage:data")
    body = {"packages": ["0f0e0d0c-0b0a-0908-0706-050403020100"], "location": "a_" * 12_000}
    with django_assert_max_num_queries(12):
        answer = client.post("/api/staging/jobs/", body)
    (error,) = problem(answer, 400, "request.invalid")["errors"]
    assert (error["field"], error["code"]) == ("location", "max_length")


def test_a_name_in_the_address_may_be_as_long_as_an_address(viewer_api: ApiClient) -> None:
    path = f"/api/instruments/{'a_' * 2000}/"
    assert resolve(path)
    assert viewer_api.get(path).status_code == 404
    assert logged_in(person("viewer")).get(path).status_code == 404
