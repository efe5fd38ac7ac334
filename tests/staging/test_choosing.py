"""The list of archived packages: found, ticked, and the ticks survive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from datamgmt.models import RawDataPackage
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import RawDataPackageFactory
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ExecutedObsUnitFactory, FixedSourceFactory, ObservingProgramFactory, ObsUnitFactory
from tests.portal.conftest import logged_in
from tests.staging.conftest import archived

LIST = "/staging/"


def names(response: Any) -> list[str]:
    return [row.record.name for row in response.context["table"].page.object_list]


def press(client: Client, do: str, shown: list[RawDataPackage], ticked: list[Any], **more: Any) -> Any:
    query = more.pop("query", "")
    body = {
        "do": do,
        "shown": [str(p.pk) for p in shown],
        "package": [str(getattr(p, "pk", p)) for p in ticked],
        **more,
    }
    return client.post(f"{LIST}{query}", body)


def chosen(client: Client) -> int:
    count: int = client.get(LIST).context["selection_count"]
    return count


def test_only_archived_packages_are_listed(client: Client) -> None:
    archived("there")
    RawDataPackageFactory.create(name="on_its_way", built=True)

    assert names(client.get(LIST)) == ["there"]


@pytest.fixture
def various(db: None) -> None:
    """Three packages that differ in everything one can ask for."""
    dss = ObservingProgramFactory.create(short_name="DSS")
    cosmos = ObsUnitFactory.create(
        name="Deep pong", observing_program=dss, source=FixedSourceFactory.create(name="E-COSMOS")
    )
    chai = InstrumentModuleFactory.create(
        instrument=InstrumentFactory.create(short_name="chai", name="CHAI"), short_name="lfa"
    )
    may = ExecutedObsUnitFactory.create(finished=True)
    june = ExecutedObsUnitFactory.create(obs_unit=cosmos, start_time=datetime(2026, 6, 3, 1, tzinfo=UTC))
    archived("orion_280", executed_obs_unit=may)
    archived("orion_lfa", executed_obs_unit=may, instrument_module=chai)
    archived("cosmos_280", executed_obs_unit=june)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ({"source": "cosmos"}, {"cosmos_280"}),
        ({"source": "Orion"}, {"orion_280", "orion_lfa"}),
        ({"text": "lfa"}, {"orion_lfa"}),
        ({"text": "orion 280"}, {"orion_280"}),
        ({"text": "deep pong"}, {"cosmos_280"}),
        ({"start": "2026-06-01"}, {"cosmos_280"}),
        ({"end": "2026-05-01"}, {"orion_280", "orion_lfa"}),
        ({"start": "2026-06-03", "end": "2026-06-03"}, {"cosmos_280"}),
        ({"start": "2026-06-04"}, set()),
        ({"program": "DSS"}, {"cosmos_280"}),
        ({"instrument": "CHAI"}, {"orion_lfa"}),
        ({"module": "lfa"}, {"orion_lfa"}),
        ({"start": "yesterday"}, set()),
        ({"program": "999999"}, set()),
    ],
    ids=lambda value: str(sorted(value)),
)
def test_the_list_is_narrowed(client: Client, various: None, question: dict[str, str], answer: set[str]) -> None:
    from observatory.models import Instrument, InstrumentModule
    from planning.models import ObservingProgram

    keys = {
        "DSS": ObservingProgram.objects.get(short_name="DSS").pk,
        "CHAI": Instrument.objects.get(name="CHAI").pk,
        "lfa": InstrumentModule.objects.get(short_name="lfa").pk,
    }
    by_key = ("program", "instrument", "module")
    query = {n: keys.get(v, v) if n in by_key else v for n, v in question.items()}

    assert set(names(client.get(LIST, query))) == answer


def test_a_filter_and_the_ticks_go_together(client: Client, various: None) -> None:
    shown = list(RawDataPackage.objects.all())

    response = press(client, "filter", shown, shown[:1], source="cosmos", text="")

    assert response.headers["Location"] == "/staging/?source=cosmos"
    assert chosen(client) == 1


def test_ticks_survive_paging_and_unticking_counts_too(client: Client, two_packages: list[RawDataPackage]) -> None:
    first, second = two_packages

    response = press(client, "?page=2&source=Orion", [first], [first])
    assert response.headers["Location"] == "/staging/?page=2&source=Orion"
    press(client, "?page=1", [second], [second])
    assert chosen(client) == 2
    assert client.get(LIST).context["selection_bytes"] == 4 * 10**9

    press(client, "?page=2", [first], [])
    assert chosen(client) == 1
    content = client.get(LIST).content.decode()
    assert content.count(" checked>") == 1


def test_buttons_lead_nowhere_else(client: Client, two_packages: list[RawDataPackage]) -> None:
    response = press(client, "https://elsewhere.example/", two_packages, [])

    assert response.headers["Location"] == "/staging/"


def test_all_that_match_and_none(client: Client, various: None) -> None:
    press(client, "all", [], [], query="?source=Orion")
    assert chosen(client) == 2

    press(client, "clear", [], [])
    assert chosen(client) == 0


def test_what_is_no_id_is_not_ticked(client: Client, two_packages: list[RawDataPackage]) -> None:
    press(client, "", [], ["1 or 1=1", "../etc", "", two_packages[0]])

    assert chosen(client) == 1


def test_a_package_that_is_not_archived_is_never_asked_for(client: Client) -> None:
    early = RawDataPackageFactory.create(built=True)

    press(client, "review", [], [early])

    assert "Nothing is chosen yet" in client.get("/staging/request/").content.decode()


def test_no_more_ticks_than_a_job_may_have_and_one(
    client: Client, various: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfer.staging.selection.MAX_PACKAGES", 1)

    press(client, "", [], list(RawDataPackage.objects.all()))

    # One too many, so that the request is refused with a reason instead of cut silently.
    assert chosen(client) == 2


def test_the_selection_is_ones_own(client: Client, two_packages: list[RawDataPackage]) -> None:
    press(client, "", [], two_packages)

    assert chosen(logged_in(UserFactory.create(permissions=["read:observations"]))) == 0


def test_who_may_only_read_sees_no_boxes(two_packages: list[RawDataPackage]) -> None:
    reader = logged_in(UserFactory.create(permissions=["read:observations"]))

    content = reader.get(LIST).content.decode()

    assert "orion_a" in content
    assert 'name="package"' not in content
    assert reader.get("/staging/request/").status_code == 403


def test_without_rights_there_is_a_page_that_says_so(db: None) -> None:
    nobody = logged_in(UserFactory.create())

    response = nobody.get(LIST)

    assert response.status_code == 403
    assert "read:observations" in response.content.decode()


def test_a_stranger_logs_in_first(db: None) -> None:
    for address in ("/staging/basket/", LIST, "/staging/request/", "/staging/jobs/", "/staging/jobs/1/"):
        assert Client().get(address).headers["Location"] == f"/accounts/login/?next={address}"


def test_a_page_of_packages_is_a_handful_of_questions(
    client: Client, scientist: User, two_packages: list[RawDataPackage]
) -> None:
    client.get(LIST)  # the first one of a minute is noted in the session
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    for number in range(20):
        archived(f"more_{number}")

    with CaptureQueriesContext(connection) as many:
        client.get(LIST)

    assert len(many) == len(few) <= 14
