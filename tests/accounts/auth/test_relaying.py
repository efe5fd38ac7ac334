"""A gateway files on behalf of others; nobody else does."""

from __future__ import annotations

import pytest

from accounts.models import ApiToken
from planning.models import ExecutedObsUnit
from tests.api.bodies import FILES, START, file_body, start_body
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.accounts import ApiTokenFactory
from tests.factories.observatory import InstrumentFactory
from tests.factories.planning import ExecutedObsUnitFactory

pytestmark = pytest.mark.django_db
HEADER = "X-Ccatdc-Filed-By"


@pytest.fixture
def gateway() -> ApiClient:
    return client_with("write:observations", "relay:observations")


def start(client: ApiClient, filed_by: str) -> ApiToken | None:
    """Under which token an observation that is filed so is recorded."""
    client.http.defaults[f"HTTP_{HEADER.upper().replace('-', '_')}"] = filed_by
    body = start_body()
    answer = client.post(START, body)
    assert answer.status_code == 201, answer.content
    return ExecutedObsUnit.objects.get(pk=body["id"]).reported_by_token


def test_the_token_that_is_named_is_recorded(gateway: ApiClient) -> None:
    token = ApiTokenFactory.create()
    assert start(gateway, f"token {token.pk}") == token


def test_a_person_leaves_no_token(gateway: ApiClient) -> None:
    assert start(gateway, "person") is None


@pytest.mark.parametrize("named", ["token 999999999", "token x", "token", "", "token " + "9" * 40, "token ٣"])
def test_a_token_that_is_not_known_is_replaced_by_the_gateways(gateway: ApiClient, named: str) -> None:
    assert start(gateway, named) == gateway.token


def test_without_the_permission_the_header_is_refused_and_nothing_filed() -> None:
    instrument = client_with("write:observations")
    other = ApiTokenFactory.create()
    instrument.http.defaults["HTTP_X_CCATDC_FILED_BY"] = f"token {other.pk}"
    problem(instrument.post(START, start_body()), 403, "token.may_not_relay")
    assert not ExecutedObsUnit.objects.exists()


def test_the_instrument_of_the_token_that_is_named_holds(gateway: ApiClient) -> None:
    bound = ApiTokenFactory.create(instrument=InstrumentFactory.create(short_name="chai"))
    gateway.http.defaults["HTTP_X_CCATDC_FILED_BY"] = f"token {bound.pk}"
    body = file_body(ExecutedObsUnitFactory.create())
    problem(gateway.post(FILES, body), 403, "token.other_instrument")
