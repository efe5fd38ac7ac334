"""Who may do what: every endpoint, every kind of token, and sessions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts.auth import uses
from accounts.auth.permissions import ANYBODY, needed_for
from tests.api.bodies import FILES, START, file_body, start_body
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.accounts import ApiTokenFactory, RoleFactory, UserFactory
from tests.factories.observatory import InstrumentFactory
from tests.factories.planning import ObsModeFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db

#: Addresses that need no permission: what they show is no secret.
OPEN = {"/api/schema/", "/api/docs/"}
#: Values for the placeholders in addresses.
PLACEHOLDERS = {"<uuid:pk>": "00000000-0000-4000-8000-000000000001", "<int:pk>": "1", "<slug:short_name>": "primecam"}
ALL_PERMISSIONS = (
    "read:observations",
    "write:observations",
    "write:products",
    "stage:data",
    "write:transfers",
    "write:schedule",
    "manage:users",
    "mirror:reference",
)


def endpoints() -> Iterator[tuple[str, str, Any]]:
    """Address, method and view class of everything below ``/api/``."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                yield route, pattern.callback

    for route, callback in walk(get_resolver().url_patterns, "/"):
        view = getattr(callback, "cls", None)
        if not route.startswith("/api/") or view is None:
            continue
        actions = getattr(callback, "actions", None)
        address = route
        for placeholder, value in PLACEHOLDERS.items():
            address = address.replace(placeholder, value)
        assert "<" not in address, address
        for method in ("get", "post", "put", "patch", "delete"):
            if (method in actions if actions else hasattr(view, method)) and address not in OPEN:
                yield address, method.upper(), view


ENDPOINTS = sorted(endpoints(), key=lambda each: each[:2])
#: Those that need a permission; the others are for everybody who has a token or a session.
CLOSED = [each for each in ENDPOINTS if needed_for(each[2], each[1]) != ANYBODY]
#: Addresses of single rows: the list of the same view is one part shorter.
SINGLE = {
    address
    for address, _, view in ENDPOINTS
    if (address.rstrip("/").rpartition("/")[0] + "/", "GET", view) in ENDPOINTS
}


def test_the_walk_finds_the_endpoints() -> None:
    found = {(address, method) for address, method, _ in ENDPOINTS}
    assert (START, "POST") in found
    assert ("/api/transfer/operations/1/cancel", "POST") in found
    assert len(found) > 25


@pytest.mark.parametrize(("address", "method", "view"), ENDPOINTS, ids=[f"{e[1]} {e[0]}" for e in ENDPOINTS])
class TestEveryEndpoint:
    def test_without_credentials_it_is_401(self, address: str, method: str, view: Any) -> None:
        answer = ApiClient().send(method, address, {})
        problem(answer, 401, "request.not_authenticated")
        assert answer["WWW-Authenticate"] == "Bearer"

    def test_with_an_unusable_token_it_is_401(self, address: str, method: str, view: Any) -> None:
        user = UserFactory.create(permissions=ALL_PERMISSIONS)
        past = timezone.now() - timedelta(seconds=1)
        asleep = UserFactory.create(permissions=ALL_PERMISSIONS, is_active=False)
        unusable = [
            ApiClient(secret="ccatdc_never-issued"),
            ApiClient(ApiTokenFactory.create(user=user, revoked_at=past)),
            ApiClient(ApiTokenFactory.create(user=user, expires_at=past)),
            ApiClient(ApiTokenFactory.create(user=asleep)),
        ]
        for client in unusable:
            problem(client.send(method, address, {}), 401, "request.authentication_failed")


@pytest.mark.parametrize(("address", "method", "view"), CLOSED, ids=[f"{e[1]} {e[0]}" for e in CLOSED])
class TestEveryClosedEndpoint:
    def test_with_too_narrow_a_token_it_is_403(self, address: str, method: str, view: Any) -> None:
        needed = needed_for(view, method)
        assert needed is not None, "every method says what it needs"
        others = [permission for permission in ALL_PERMISSIONS if permission != needed]
        user = UserFactory.create(permissions=ALL_PERMISSIONS)
        narrow = ApiClient(ApiTokenFactory.create(user=user, scopes=others))
        answer = problem(narrow.send(method, address, {}), 403, "request.permission_denied")
        assert needed in answer["detail"]
        assert "scopes" in answer["detail"]

    def test_with_an_owner_who_may_not_it_is_403(self, address: str, method: str, view: Any) -> None:
        needed = needed_for(view, method)
        owner = UserFactory.create(permissions=[permission for permission in ALL_PERMISSIONS if permission != needed])
        demoted = ApiClient(ApiTokenFactory.create(user=owner, scopes=list(ALL_PERMISSIONS)))
        answer = problem(demoted.send(method, address, {}), 403, "request.permission_denied")
        assert "roles" in answer["detail"]

    def test_with_the_permission_it_is_neither(self, address: str, method: str, view: Any) -> None:
        answer = client_with(str(needed_for(view, method))).send(method, address, {})
        assert answer.status_code not in {401, 403, 405}, answer.content
        assert answer.status_code < 500, answer.content


class TestToken:
    def test_both_ways_to_write_the_header_are_accepted(self) -> None:
        secret = ApiTokenFactory.create().secret  # type: ignore[attr-defined]
        for scheme in ("Bearer", "bearer", "Token"):
            client = Client(headers={"authorization": f"{scheme} {secret}"})
            assert client.get("/api/instruments/").status_code == 200

    @pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer \xfc", "Basic dTpw", "Bearer ccatdc_"])
    def test_a_malformed_header_is_401(self, header: str) -> None:
        answer = Client(headers={"authorization": header}).get("/api/instruments/")
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"

    def test_a_token_costs_one_query_and_one_write_a_minute(
        self, viewer_api: ApiClient, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = viewer_api.token
        assert token is not None
        with django_assert_num_queries(3):  # token with rights, last use, the answer
            viewer_api.get("/api/sources/")
        token.refresh_from_db()
        first_use = token.last_used_at
        assert first_use is not None
        with django_assert_num_queries(2):
            viewer_api.get("/api/sources/")
        token.refresh_from_db()
        assert token.last_used_at == first_use
        assert (token.use_count, token.last_used_from) == (1, "127.0.0.1")
        monkeypatch.setattr(uses, "RESOLUTION_SECONDS", 0.0)
        viewer_api.get("/api/sources/")
        token.refresh_from_db()
        assert token.last_used_at is not None
        assert token.last_used_at > first_use
        assert token.use_count == 3

    def test_a_superusers_token_is_bounded_by_its_scopes(self) -> None:
        root = UserFactory.create(is_superuser=True)
        client = ApiClient(ApiTokenFactory.create(user=root, scopes=["read:observations"]))
        assert client.get("/api/instruments/").status_code == 200
        assert client.post(START, start_body()).status_code == 403

    def test_rights_of_two_roles_add_up(self) -> None:
        roles = [RoleFactory.create(permissions=[p]) for p in ALL_PERMISSIONS[:2]]
        user = UserFactory.create(roles=roles)
        client = ApiClient(ApiTokenFactory.create(user=user, scopes=list(ALL_PERMISSIONS)))
        assert client.get("/api/instruments/").status_code == 200
        assert client.post(START, start_body()).status_code == 201


class TestBoundToken:
    def test_it_files_for_its_instrument_and_for_no_other(self) -> None:
        primecam, chai = (InstrumentFactory.create(short_name=n) for n in ("primecam", "chai"))
        own = client_with("write:observations", instrument=primecam)
        other = client_with("write:observations", instrument=chai)
        unit = ObsUnitFactory.create(obs_mode=ObsModeFactory.create(instrument=primecam))

        problem(other.post(START, start_body(unit)), 403, "token.other_instrument")
        begun = start_body(unit)
        assert own.post(START, begun).status_code == 201
        file = file_body(executed_obs_unit=begun["id"])
        problem(other.post(FILES, file), 403, "token.other_instrument")
        assert own.post(FILES, file).status_code == 201
        finish = {"status": "completed", "end_time": "2026-05-01T22:30:00Z"}
        address = f"/api/executed_obs_units/{begun['id']}/finish"
        problem(other.put(address, finish), 403, "token.other_instrument")
        assert own.put(address, finish).status_code == 200


class TestSession:
    def test_a_person_reads_with_the_session_of_the_web_pages(self) -> None:
        user = UserFactory.create(permissions=["read:observations"])
        client = Client()
        client.force_login(user)
        assert client.get("/api/instruments/").status_code == 200
        answer = client.post(START, start_body(), content_type="application/json")
        problem(answer, 403, "request.permission_denied")

    def test_writing_with_a_session_needs_the_csrf_token(self) -> None:
        user = UserFactory.create(permissions=["write:observations"])
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        answer = client.post(START, start_body(), content_type="application/json")
        assert problem(answer, 403, "request.permission_denied")["detail"].startswith("CSRF")
