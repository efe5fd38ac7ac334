"""The cone search as VO clients ask it: of the anonymous, by a token, and with questions that make no sense."""

from __future__ import annotations

import io
from typing import Any

import pytest
import pyvo
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse, parse_single_table
from django.test import Client

from planning.models import ExecutedObsUnit
from tests.accounts.foreign import SCIENTIST, scientist
from tests.factories.accounts import ApiTokenFactory
from tests.portal.conftest import logged_in
from transfer.observations import cone_search

pytestmark = pytest.mark.django_db
ORION: Any = {"RA": "83.81", "DEC": "-5.37", "SR": "0.1"}
CENTER: Any = {"RA": "266.4", "DEC": "-29", "SR": "0.1"}


@pytest.fixture(autouse=True)
def two(orion: ExecutedObsUnit, center: ExecutedObsUnit) -> None:
    """One is public, one is not."""


def asked(query: dict[str, str], client: Client | None = None, path: str = "/vo/scs") -> list[str]:
    """Targets of the table."""
    answer = (client or Client()).get(path, query)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-votable+xml"
    table = parse_single_table(io.BytesIO(b"".join(answer))).to_table()
    return [str(each) for each in table["target_name"]]


def info(query: dict[str, str], path: str = "/vo/scs") -> dict[str, Any]:
    """The INFO elements by name; a later one wins."""
    votable = parse(io.BytesIO(b"".join(Client().get(path, query))))
    return {each.name: each for each in votable.resources[0].infos}


def test_the_anonymous_find_what_is_public() -> None:
    assert asked(ORION) == ["Orion-KL"]
    assert asked(CENTER) == []
    assert asked({"RA": "0", "DEC": "0", "SR": "180"}) == ["Orion-KL"]


def test_members_find_their_own_by_log_in(center: ExecutedObsUnit) -> None:
    user = scientist()
    assert asked(CENTER, logged_in(user)) == []
    center.obs_unit.observing_program.members.add(user)
    assert asked(CENTER, logged_in(user)) == ["Sgr A*"]


def test_members_find_their_own_by_token(center: ExecutedObsUnit) -> None:
    user = scientist()
    center.obs_unit.observing_program.members.add(user)
    row: Any = ApiTokenFactory.create(user=user, scopes=SCIENTIST)
    assert asked(CENTER, Client(headers={"authorization": f"Bearer {row.secret}"})) == ["Sgr A*"]
    bare: Any = ApiTokenFactory.create(user=user, scopes=["stage:data"])
    assert asked(CENTER, Client(headers={"authorization": f"Bearer {bare.secret}"})) == []


def test_names_in_any_case_and_a_radius_of_nothing() -> None:
    assert asked({"ra": "83.81", "Dec": "-5.37", "sr": "0.1", "VERB": "1"}) == ["Orion-KL"]
    assert asked({**ORION, "SR": "0"}) == []


def test_fewer_rows_are_said_to_be_fewer() -> None:
    assert info({**ORION, "MAXREC": "0"})["QUERY_STATUS"].value == "OVERFLOW"
    assert info({**ORION, "MAXREC": "1"})["QUERY_STATUS"].value == "OK"


@pytest.mark.parametrize(
    "wrong",
    [
        {"RA": ""},
        {"RA": "361"},
        {"DEC": "nan"},
        {"DEC": "inf"},
        {"SR": "-1"},
        {"SR": "200"},
        {"RA": "05:35"},
        {"RA": "1" * 50},
        {"MAXREC": "many"},
        {"RA": "<&\0"},
    ],
)
def test_wrong_questions_are_answered_by_a_votable(wrong: dict[str, str]) -> None:
    told = info({**ORION, **wrong})
    assert told["QUERY_STATUS"].value == "ERROR"
    assert next(iter(wrong)) in told["Error"].value


def test_the_search_of_the_page_for_programs() -> None:
    path = "/vo/observations"
    assert asked({}, path=path) == ["Orion-KL"]
    assert asked({"source": "sgr"}, path=path) == []
    assert asked({"whose": "mine"}, path=path) == []
    assert "position" in info({"position": "nowhere"}, path)["Error"].value
    assert "MAXREC" in info({"maxrec": "-1"}, path)["Error"].value


def test_pyvo_finds_it(live_server: Any, transactional_db: None) -> None:
    service = pyvo.dal.SCSService(f"{live_server.url}/vo/scs")
    (record,) = service.search(pos=SkyCoord(83.81, -5.37, unit="deg"), radius=0.1 * units.deg)
    assert record["target_name"] == "Orion-KL"
    assert record.pos.ra.deg == pytest.approx(83.809)
    with pytest.raises(pyvo.DALQueryError, match="SR"):
        service.search(pos=SkyCoord(83.81, -5.37, unit="deg"), radius=190 * units.deg)


def test_the_limit_of_rows_is_that_of_the_exports() -> None:
    assert cone_search.question({**ORION, "MAXREC": "99999999"}).most == 10_000


def test_the_anonymous_may_ask_so_often_from_one_address(settings: Any) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "anonymous": "2/60"}
    assert [Client().get("/vo/scs", ORION).status_code for _ in range(3)] == [200, 200, 429]
    assert Client().get("/vo/observations", {}).status_code == 429
    assert logged_in(scientist()).get("/vo/scs", ORION).status_code == 200
