"""The portal of a gateway: what waits and why, and what can be done about it. Over real HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts.models import Role
from planning.models import ExecutedObsUnit, ObsUnit
from tests.client.gate import Gate
from tests.factories.accounts import PASSWORD, UserFactory
from tests.gateway.observing import begin, end, file, file_of, observe, take_the_path
from tests.gateway.sites import GatewaySite

pytestmark = pytest.mark.pipeline
OUTBOX = "/portal/gateway/outboxitem/"


class Browser:
    """Somebody who is logged in."""

    def __init__(self, site: GatewaySite, name: str) -> None:
        self.http = httpx.Client(base_url=site.url, follow_redirects=True, timeout=30)
        self.post("/accounts/login/?next=/portal/", username=name, password=PASSWORD)

    def get(self, address: str) -> str:
        answer = self.http.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        return answer.text

    def post(self, address: str, **fields: str) -> str:
        """A form: loaded, filled in and sent."""
        page = self.http.get(address).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        data = {"csrfmiddlewaretoken": token[1], **fields}
        answer = self.http.post(address, data=data, headers={"Referer": str(self.http.base_url)})
        assert answer.status_code == 200, (address, answer.status_code)
        return answer.text


def person(site: GatewaySite, role: str) -> None:
    """Somebody of the main site, with a password of their own at the gateway."""
    user = UserFactory.create(username=role, is_staff=True)
    user.roles.add(Role.objects.get(name=role))
    site.copy_reference_data()
    site.do(
        'UPDATE "user" SET password = %s WHERE username = %s', PBKDF2PasswordHasher().encode(PASSWORD, "salt"), role
    )


@pytest.fixture
def operator(site: GatewaySite) -> Iterator[Browser]:
    """With the role of somebody who mends."""
    person(site, "observer")
    browser = Browser(site, "observer")
    yield browser
    browser.http.close()


@pytest.fixture
def refused(site: GatewaySite, unit: ObsUnit, instrument: httpx.Client) -> int:
    """The number of a call that the main site refused, with one behind it."""
    taken = file_of(begin(instrument, unit), 0)
    file(instrument, taken)
    end(instrument, taken["executed_obs_unit"])
    take_the_path(unit, taken["relative_path"])
    assert site.manage("run_gateway", "--once").returncode == 0
    ((pk,),) = site.rows("SELECT id FROM gateway_outbox WHERE status = 'dead'")
    return int(pk)


def test_the_first_page_and_health_tell_what_waits(
    site: GatewaySite, gate: Gate, unit: ObsUnit, instrument: httpx.Client, operator: Browser
) -> None:
    gate.cut()
    observe(instrument, unit)
    assert site.manage("run_gateway", "--once").returncode == 0
    page = operator.get("/portal/")
    assert "5 calls with 5 files wait for the main site." in page
    assert "run_gateway is not running" in page
    assert "does not answer" in page
    assert "5 calls with 5 files" in operator.get("/portal/overview/")
    state = httpx.get(f"{site.url}/health")
    assert state.status_code == 200
    assert state.json()["status"] == "degraded"
    assert state.json()["link"] == "down"
    assert state.json()["backlog"]["items"] == 5


def test_a_refused_call_is_corrected_and_goes_on(site: GatewaySite, operator: Browser, refused: int) -> None:
    assert "is filed as" in operator.get("/portal/")
    ((body, execution),) = site.rows("SELECT body, sequence FROM gateway_outbox WHERE id = %s", refused)
    address = f"{OUTBOX}{refused}/correct/"
    assert "Give an object" in operator.post(address, body="[1]")
    rows = [{**json.loads(body)[0], "relative_path": "another/name.g3"}]
    operator.post(address, body=json.dumps(rows))

    assert site.manage("run_gateway", "--once").returncode == 0
    assert site.open_items() == 0
    stored = ExecutedObsUnit.objects.get(pk=execution)
    assert stored.status == "completed"
    assert [f.relative_path for f in stored.raw_data_files.all()] == ["another/name.g3"]
    who = site.rows(
        'SELECT u.username FROM system_log l JOIN "user" u ON u.id = l.user_id '
        "WHERE l.message LIKE '%%was corrected%%'"
    )
    assert who == [("observer",)]
    assert "another/name.g3" in operator.get(f"{OUTBOX}{refused}/change/")


def test_a_refused_call_is_sent_again_when_the_cause_is_gone(
    site: GatewaySite, operator: Browser, refused: int
) -> None:
    from datamgmt.models import RawDataFile, RawDataFilePhysicalCopy

    RawDataFilePhysicalCopy.objects.all().delete()
    RawDataFile.objects.all().delete()
    operator.post(OUTBOX, action="resend_selected", index="0", _selected_action=str(refused), next="/portal/")
    assert site.manage("run_gateway", "--once").returncode == 0
    assert site.open_items() == 0


def test_a_refused_call_is_discarded_with_a_reason_and_what_follows_goes_on(
    site: GatewaySite, operator: Browser, refused: int
) -> None:
    address = f"{OUTBOX}{refused}/discard/"
    assert "required" in operator.post(address, reason="")
    operator.post(address, reason="It was a test.")
    assert site.manage("run_gateway", "--once").returncode == 0
    states = site.rows("SELECT status, count(*) FROM gateway_outbox GROUP BY 1 ORDER BY 1")
    assert states == [("delivered", 2), ("discarded", 1)]
    assert operator.http.get(address).status_code == 404


def test_who_may_look_only_decides_nothing(site: GatewaySite, refused: int) -> None:
    person(site, "viewer")
    viewer = Browser(site, "viewer")
    assert "Refused" in viewer.get("/portal/")
    assert "Resend" not in viewer.get("/portal/")
    for what in ("correct", "discard"):
        assert viewer.http.get(f"{OUTBOX}{refused}/{what}/").status_code == 403
    viewer.http.close()


def test_what_is_a_copy_is_read_and_what_is_elsewhere_is_not_there(site: GatewaySite, unit: ObsUnit) -> None:
    person(site, "admin")
    admin = Browser(site, "admin")
    page = admin.get(f"/portal/planning/obsunit/{unit.pk}/change/")
    assert 'name="_save"' not in page
    assert admin.http.get("/portal/planning/obsunit/add/").status_code == 403
    assert admin.http.get("/portal/transfer/operation/").status_code == 403
    assert "transfer/operation" not in page
    assert "Site gateway" in admin.get("/")
    link = admin.get("/portal/gateway/link/1/change/")
    assert "Last contact at" in link
    admin.http.close()


def test_the_button_asks_for_a_refresh(site: GatewaySite, operator: Browser) -> None:
    page = operator.get("/portal/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    answer = operator.http.post(
        "/portal/refresh/", data={"csrfmiddlewaretoken": token[1]}, headers={"Referer": str(operator.http.base_url)}
    )
    assert answer.status_code == 200
    assert site.rows("SELECT refresh_wanted FROM gateway_link") == [(True,)]
    assert operator.http.get("/portal/refresh/").status_code == 405


def test_managers_and_workers_do_not_run_here(site: GatewaySite) -> None:
    for command in (["run_managers", "--once"], ["run_location", "ccat_primecam_raw_data"]):
        refused = site.manage(*command)
        assert refused.returncode != 0
        assert "site gateway" in refused.stderr
