"""Filing at the gateway while the link is cut, and what the main site has when it is back."""

from __future__ import annotations

import random
import signal
import time
from uuid import UUID

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import ApiToken
from datamgmt.models import RawDataFile
from planning.models import ExecutedObsUnit, ObsUnit
from tests.api.bodies import BULK, FILES, START, finish_body, finish_path, start_body
from tests.client.gate import Gate
from tests.factories.planning import ObsUnitFactory
from tests.gateway.observing import (
    assert_main_site_has,
    assert_rows_are_the_same,
    begin,
    end,
    file,
    file_of,
    observe,
    take_the_path,
)
from tests.gateway.sites import GatewaySite, allow_connections, until

pytestmark = pytest.mark.pipeline

KILLS = 6


def test_what_was_filed_while_the_link_was_cut_is_at_the_main_site_afterwards(
    site: GatewaySite, gate: Gate, unit: ObsUnit, instrument: httpx.Client
) -> None:
    gate.cut()
    site.run_gateway()
    made = [observe(instrument, unit) for _ in range(3)]
    assert ExecutedObsUnit.objects.count() == 0
    assert site.open_items() == 3 * 5
    until(lambda: _link(site)[1] is not None, what="the loss of the link")

    gate.open()
    site.until_sent()

    assert_main_site_has(made)
    assert_rows_are_the_same(site)
    said = [message for (message,) in site.rows("SELECT message FROM system_log ORDER BY id")]
    assert sum("is down" in line for line in said) == 1
    assert sum("is back after" in line for line in said) == 1


def test_it_is_read_back_at_the_gateway_at_once(
    site: GatewaySite, gate: Gate, unit: ObsUnit, instrument: httpx.Client
) -> None:
    gate.cut()
    made = observe(instrument, unit)

    execution = instrument.get(f"/api/executed_obs_units/{made.execution}").json()
    assert execution["status"] == "completed"
    assert execution["files"]["count"] == 5
    found = instrument.get(f"/api/raw_data_files/{made.files[0]}")
    assert found.json()["size"] == 1000


def test_late_files_arrive_too(site: GatewaySite, unit: ObsUnit, instrument: httpx.Client) -> None:
    site.run_gateway()
    made = observe(instrument, unit)
    site.until_sent()
    late = file_of(made.execution, 99)
    file(instrument, late)
    site.until_sent()
    assert RawDataFile.objects.filter(executed_obs_unit=UUID(made.execution)).count() == 6


def test_the_main_site_records_the_token_that_the_instrument_used(
    site: GatewaySite, unit: ObsUnit, instrument: httpx.Client, instrument_token: ApiToken
) -> None:
    site.run_gateway()
    made = observe(instrument, unit)
    site.until_sent()
    stored = ExecutedObsUnit.objects.get(pk=made.execution)
    assert stored.reported_by_token == instrument_token


def test_replaying_twice_changes_nothing(site: GatewaySite, unit: ObsUnit, instrument: httpx.Client) -> None:
    made = [observe(instrument, unit)]
    assert site.manage("run_gateway", "--once").returncode == 0
    assert_main_site_has(made)
    site.do("UPDATE gateway_outbox SET status = 'waiting', delivered_at = NULL")
    assert site.open_items() == 5
    assert site.manage("run_gateway", "--once").returncode == 0
    assert site.open_items() == 0
    assert_main_site_has(made)


def test_a_refused_call_blocks_its_own_observation_only(
    site: GatewaySite, unit: ObsUnit, instrument: httpx.Client
) -> None:
    taken = file_of(begin(instrument, unit), 0)
    execution = taken["executed_obs_unit"]
    file(instrument, file_of(execution, 1))
    file(instrument, taken)
    file(instrument, file_of(execution, 2))
    end(instrument, execution)
    take_the_path(unit, taken["relative_path"])
    others = [observe(instrument, unit) for _ in range(3)]
    site.run_gateway()

    until(lambda: site.open_items() == 3, what="everything else")
    until(lambda: site.rows("SELECT count(*) FROM gateway_outbox WHERE status = 'dead'") == [(1,)], what="the refusal")

    (dead,) = site.rows("SELECT problem, files FROM gateway_outbox WHERE status = 'dead'")
    assert dead[0]["code"] == "filing.differs"
    assert dead[1] == 1
    # What came before the refused call in the joined one is at the main site, what follows is not.
    stored = ExecutedObsUnit.objects.get(pk=execution)
    assert stored.status == "running"
    assert list(stored.raw_data_files.values_list("size", flat=True)) == [1001]
    for other in others:
        assert ExecutedObsUnit.objects.get(pk=other.execution).status == "completed"


def test_the_order_within_an_observation_is_kept(
    site: GatewaySite, gate: Gate, unit: ObsUnit, instrument: httpx.Client
) -> None:
    """A finish before its files would make them late, a file before its start is refused."""
    gate.cut()
    made = [observe(instrument, unit, bulk=2, single=6) for _ in range(4)]
    gate.open()
    site.run_gateway()
    site.until_sent()
    assert_main_site_has(made)
    assert not site.rows("SELECT 1 FROM gateway_outbox WHERE refused_at IS NOT NULL")
    order = site.rows("SELECT sequence, id FROM gateway_outbox ORDER BY delivered_at, id")
    for each in made:
        ids = [pk for execution, pk in order if str(execution) == each.execution]
        assert ids == sorted(ids)


def test_two_processes_at_once_send_everything_once(
    site: GatewaySite, gate: Gate, unit: ObsUnit, instrument: httpx.Client
) -> None:
    gate.cut()
    made = [observe(instrument, unit) for _ in range(8)]
    gate.open()
    for _ in range(2):
        site.run_gateway()
    site.until_sent()
    assert_main_site_has(made)
    assert "Traceback" not in site.log


def test_a_process_that_is_killed_again_and_again_loses_and_doubles_nothing(
    site: GatewaySite, gate: Gate, unit: ObsUnit, instrument: httpx.Client
) -> None:
    chance = random.Random(20260501)  # noqa: S311
    made = []
    for _ in range(KILLS):
        process = site.run_gateway()
        made += [observe(instrument, unit) for _ in range(3)]
        # Past its start-up, which takes a second or two, into the middle of sending.
        until(lambda: site.open_items() < 15, 30, "some sending")
        time.sleep(chance.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    site.run_gateway()
    site.until_sent(60)
    assert_main_site_has(made)
    assert_rows_are_the_same(site)


def test_sigterm_ends_it_after_the_call_under_way(site: GatewaySite, unit: ObsUnit, instrument: httpx.Client) -> None:
    process = site.run_gateway()
    made = [observe(instrument, unit)]
    site.until_sent()
    process.terminate()
    assert process.wait(15) == 0
    assert_main_site_has(made)


def test_a_main_site_without_its_database_is_waited_for(
    site: GatewaySite, unit: ObsUnit, instrument: httpx.Client
) -> None:
    name = connection.settings_dict["NAME"]
    site.run_gateway()
    until(lambda: _link(site)[0] is not None, what="the first contact")
    allow_connections(name, allowed=False)
    try:
        made = [observe(instrument, unit)]
        until(lambda: _link(site)[1] is not None, what="the loss of the link")
        (items,) = site.rows("SELECT max(attempts), count(refused_at) FROM gateway_outbox")
        assert items == (0, 0)
    finally:
        allow_connections(name, allowed=True)
    site.until_sent()
    connection.close()
    assert_main_site_has(made)


def _link(site: GatewaySite) -> tuple[object, object]:
    return tuple(site.rows("SELECT last_contact_at, down_since FROM gateway_link")[0])


def test_when_its_own_token_is_revoked_everything_waits_and_nothing_is_refused(
    site: GatewaySite, unit: ObsUnit, instrument: httpx.Client, gateway_token: ApiToken
) -> None:
    site.run_gateway()
    until(lambda: _link(site)[0] is not None, what="the first contact")
    ApiToken.objects.filter(pk=gateway_token.pk).update(revoked_at=timezone.now())
    made = [observe(instrument, unit)]
    until(lambda: site.rows("SELECT denied FROM gateway_link") == [(True,)], what="the denial")
    assert site.open_items() == 5
    assert not site.rows("SELECT 1 FROM gateway_outbox WHERE status = 'dead'")
    critical = site.rows("SELECT message FROM system_log WHERE level = 'critical'")
    assert len(critical) == 1
    assert "does not let this gateway in" in critical[0][0]

    ApiToken.objects.filter(pk=gateway_token.pk).update(revoked_at=None)
    site.until_sent()
    assert_main_site_has(made)


def test_a_token_revoked_at_the_main_site_stops_working_with_the_next_refresh(
    site: GatewaySite, unit: ObsUnit, instrument: httpx.Client, instrument_token: ApiToken
) -> None:
    ApiToken.objects.filter(pk=instrument_token.pk).update(revoked_at=timezone.now())
    assert instrument.post(START, json=start_body(unit)).status_code == 201
    assert site.manage("refresh_reference").returncode == 0
    assert instrument.post(START, json=start_body(unit)).status_code == 401
    # What it filed while it was good here is filed at the main site.
    assert site.manage("run_gateway", "--once").returncode == 0
    assert ExecutedObsUnit.objects.get().reported_by_token == instrument_token


def test_the_answers_are_those_of_the_main_site(site: GatewaySite, unit: ObsUnit, instrument: httpx.Client) -> None:
    start = start_body(unit)
    assert instrument.post(START, json=start).status_code == 201
    assert instrument.post(START, json=start).status_code == 200
    assert instrument.post(START, json={**start, "operator": ""}).status_code == 200
    differs = instrument.post(START, json={**start, "parameters": {"a": 1}})
    assert (differs.status_code, differs.json()["code"]) == (409, "filing.differs")
    files = [file_of(start["id"], number) for number in range(3)]
    assert instrument.post(BULK, json=files).json() == {"created": 3, "unchanged": 0}
    assert instrument.post(BULK, json=files).status_code == 200
    assert instrument.post(FILES, json=files[0]).json() == {"id": files[0]["id"], "created": False}
    bad = instrument.post(FILES, json={**files[0], "size": -1})
    assert (bad.status_code, bad.json()["code"]) == (400, "filing.invalid_rows")
    finish = finish_path(start["id"])
    assert instrument.put(finish, json=finish_body()).status_code == 200
    assert instrument.put(finish, json=finish_body()).status_code == 200
    assert instrument.put(finish, json=finish_body(status="failed")).status_code == 409
    # Repetitions and refusals are not sent.
    assert site.rows("SELECT kind, files FROM gateway_outbox ORDER BY id") == [
        ("start", 0),
        ("files", 3),
        ("finish", 0),
    ]


def test_a_unit_made_at_the_main_site_since_is_known_after_a_refresh(
    site: GatewaySite, gate: Gate, instrument: httpx.Client
) -> None:
    new = ObsUnitFactory.create()
    body = start_body(new)
    unknown = instrument.post(START, json=body)
    assert (unknown.status_code, unknown.json()["code"]) == (400, "filing.unknown_obs_unit")
    assert "copy of the reference data is" in unknown.json()["detail"]

    site.run_gateway()  # somebody asked for it, so it is refreshed at once
    until(lambda: instrument.post(START, json=body).status_code == 201, what="the refresh")
