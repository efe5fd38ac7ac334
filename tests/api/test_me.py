"""Who am I, what may I do, until when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from tests.api.conftest import ApiClient
from tests.factories.accounts import ApiTokenFactory, RoleFactory, UserFactory
from tests.factories.observatory import InstrumentFactory
from tests.factories.planning import ObservingProgramFactory

pytestmark = pytest.mark.django_db
ME = "/api/me"


def test_a_token_learns_what_it_may_do_and_until_when() -> None:
    user = UserFactory.create(permissions=["read:observations", "write:observations"], full_name="Prime-Cam")
    ObservingProgramFactory.create(short_name="DSS", lead=user)
    token = ApiTokenFactory.create(
        user=user,
        name="drone 1",
        scopes=["write:observations", "stage:data"],
        instrument=InstrumentFactory.create(),
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
    )

    body = ApiClient(token).get(ME).json()

    assert body["username"] == user.username
    assert body["permissions"] == ["write:observations"], "of the scopes those that the roles hold"
    assert body["programs"] == ["DSS"]
    assert body["token"]["name"] == "drone 1"
    assert body["token"]["scopes"] == ["write:observations", "stage:data"]
    assert body["token"]["instrument"] == "primecam"
    assert body["token"]["expires_at"] == "2100-01-01T00:00:00Z"
    assert "hash" not in str(body["token"])
    assert body["limits"]["rows_per_call"] == 10_000


def test_a_session_has_all_rights_of_the_roles_and_no_token() -> None:
    user = UserFactory.create()
    role = RoleFactory.create(name="night shift", permissions=["read:observations", "stage:data"])
    user.roles.add(role)
    browser = Client()
    browser.force_login(user)

    body = browser.get(ME).json()

    assert body["token"] is None
    assert body["roles"] == ["night shift"]
    assert body["permissions"] == ["read:observations", "stage:data"]


def test_a_token_without_any_scope_may_ask_too() -> None:
    answer = ApiClient(ApiTokenFactory.create(scopes=[])).get(ME)
    assert (answer.status_code, answer.json()["permissions"]) == (200, [])
