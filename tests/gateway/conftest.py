"""Two real sites: the main one is the test's own server and database, the gateway has others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from accounts.models import ApiToken
from planning.models import ObsUnit
from tests.client.gate import Gate
from tests.factories.accounts import ApiTokenFactory, UserFactory
from tests.factories.datamgmt import SourceLocationFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import ObsUnitFactory
from tests.gateway.sites import GatewaySite, free_port, second_database

RIGHTS = ("write:observations", "relay:observations", "mirror:reference")


@pytest.fixture(scope="session")
def site_of_session(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewaySite]:
    """A gateway whose web process listens."""
    with django_db_blocker.unblock(), second_database() as url:
        made = GatewaySite(tmp_path_factory.mktemp("site"), url, free_port())
        migrated = made.manage("migrate", "--verbosity", "0")
        assert migrated.returncode == 0, migrated.stderr
        web = made.start_web()
        yield made
        web.terminate()
        web.wait(20)


@pytest.fixture
def unit(transactional_db: None) -> ObsUnit:
    """What is observed, and all that its files name, at the main site."""
    InstrumentModuleFactory.create()
    SourceLocationFactory.create()
    return ObsUnitFactory.create()


@pytest.fixture
def gate(live_server: Any) -> Iterator[Gate]:
    """The link to the main site; it is open."""
    made = Gate(live_server.thread.port)
    made.open()
    yield made
    made.cut()


@pytest.fixture
def gateway_token(transactional_db: None) -> ApiToken:
    """The gateway's own token at the main site."""
    user = UserFactory.create(username="gateway-chile", permissions=RIGHTS)
    return ApiTokenFactory.create(user=user, scopes=list(RIGHTS))


@pytest.fixture
def instrument_token(transactional_db: None) -> ApiToken:
    """An instrument's, made at the main site."""
    return ApiTokenFactory.create()


@pytest.fixture
def site(
    site_of_session: GatewaySite, gate: Gate, unit: ObsUnit, gateway_token: ApiToken, instrument_token: ApiToken
) -> Iterator[GatewaySite]:
    """A gateway with the main site's reference data; nothing replays yet, the link is open."""
    made = site_of_session
    made.empty()
    made.extra |= {"CCATDC_PRIMARY_URL": gate.url, "CCATDC_PRIMARY_TOKEN": gateway_token.secret}  # type: ignore[attr-defined]
    made.copy_reference_data()
    yield made
    made.stop_all()


@pytest.fixture
def instrument(site: GatewaySite, instrument_token: ApiToken) -> Iterator[httpx.Client]:
    """An instrument that files at the gateway."""
    with site.client(instrument_token.secret) as client:  # type: ignore[attr-defined]
        yield client


@pytest.fixture
def at_gateway(settings: Any) -> None:
    """This process is a gateway's, as far as addresses and refusals go."""
    settings.SITE_ROLE = "gateway"
    settings.ROOT_URLCONF = "ccatdc.gateway_site.urls"
    settings.PRIMARY_URL = "https://ops.example.org"
