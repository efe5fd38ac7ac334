"""The quality of an observation is amended after it ended: by whom it may be, with a record."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import SystemLog
from planning.models import ExecutedObsUnit, ObsUnitState
from tests.api.bodies import finish_body, finish_path
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.datamgmt import RawDataFileFactory
from tests.factories.observatory import InstrumentFactory
from tests.factories.planning import ExecutedObsUnitFactory, ObsModeFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db


def amend(api: ApiClient, execution: ExecutedObsUnit, **body: Any) -> Any:
    return api.send("PATCH", f"/api/executed_obs_units/{execution.pk}", body)


def test_it_is_amended_once_and_recorded(instrument_api: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create()
    body = finish_body(quality="good")
    instrument_api.put(finish_path(execution), body)

    for _ in range(2):
        answer = amend(instrument_api, execution, quality="bad", quality_comment="clouds", reason="seen in the maps")
        assert answer.status_code == 200
        assert (answer.json()["quality"], answer.json()["quality_comment"]) == ("bad", "clouds")

    (entry,) = SystemLog.objects.filter(component="filing")
    assert "'good', '' became 'bad', 'clouds'" in entry.message
    assert "seen in the maps" in entry.message
    assert instrument_api.put(finish_path(execution), body).status_code == 200, "the finish call may come again"
    execution.refresh_from_db()
    assert execution.quality == "bad"


def test_one_of_the_two_leaves_the_other(instrument_api: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create(finished=True, quality="usable")
    assert amend(instrument_api, execution, quality_comment="a spike at 22:10").json()["quality"] == "usable"


def test_good_after_all_completes_the_unit(instrument_api: ApiClient) -> None:
    unit = ObsUnitFactory.create(repetitions_requested=1)
    execution = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True, quality="bad")
    amend(instrument_api, execution, quality="good")
    unit.refresh_from_db()
    assert unit.state == ObsUnitState.COMPLETED


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "request.invalid"),
        ({"quality": "superb"}, "request.invalid"),
        ({"quality": "bad", "status": "failed"}, "request.invalid"),
    ],
)
def test_nonsense_is_refused(instrument_api: ApiClient, body: dict[str, str], code: str) -> None:
    problem(amend(instrument_api, ExecutedObsUnitFactory.create(finished=True), **body), 400, code)


def test_while_it_is_observed_the_finish_call_says_it(instrument_api: ApiClient) -> None:
    problem(amend(instrument_api, ExecutedObsUnitFactory.create(), quality="bad"), 409, "filing.not_finished")


def test_a_token_of_another_instrument_may_not() -> None:
    unit = ObsUnitFactory.create(obs_mode=ObsModeFactory.create(name="x", instrument=InstrumentFactory.create()))
    execution = ExecutedObsUnitFactory.create(obs_unit=unit, finished=True)
    foreign = client_with("write:observations", instrument=InstrumentFactory.create(short_name="chai"))
    problem(amend(foreign, execution, quality="bad"), 403, "token.other_instrument")


def test_one_finds_ones_own_executions() -> None:
    own, other = (client_with("read:observations", "write:observations") for _ in range(2))
    assert own.token is not None
    mine = ExecutedObsUnitFactory.create(reported_by_token=own.token)
    operated = ExecutedObsUnitFactory.create(operator=own.token.user)
    ExecutedObsUnitFactory.create(reported_by_token=other.token)

    def found(mine: str) -> set[str]:
        return {row["id"] for row in own.get("/api/executed_obs_units/", mine=mine).json()["results"]}

    assert found("true") == {str(mine.pk), str(operated.pk)}
    assert len(found("false")) == 1


class TestFiles:
    def amend(self, api: ApiClient, key: Any, **body: Any) -> Any:
        return api.send("PATCH", f"/api/raw_data_files/{key}", body)

    def test_a_file_is_judged_once_recorded_and_found(self) -> None:
        api = client_with("read:observations", "read:all_programs", "write:observations")
        file, other = RawDataFileFactory.create(), RawDataFileFactory.create()

        for _ in range(2):
            answer = self.amend(api, file.pk, quality="bad", quality_comment="a glitch", reason="seen in the maps")
            assert answer.status_code == 200, answer.content
            assert (answer.json()["quality"], answer.json()["quality_comment"]) == ("bad", "a glitch")

        (entry,) = SystemLog.objects.filter(component="filing")
        assert "'unknown', '' became 'bad', 'a glitch'. seen in the maps" in entry.message
        found = [api.get("/api/raw_data_files/", quality=word).json()["results"] for word in ("bad", "unknown")]
        assert [[row["id"] for row in rows] for rows in found] == [[str(file.pk)], [str(other.pk)]]

    def test_nonsense_and_what_is_not_there_are_refused(self, instrument_api: ApiClient) -> None:
        file = RawDataFileFactory.create()
        problem(self.amend(instrument_api, file.pk), 400, "request.invalid")
        problem(self.amend(instrument_api, file.pk, quality="superb"), 400, "request.invalid")
        nobody = "00000000-0000-4000-8000-000000000001"
        problem(self.amend(instrument_api, nobody, quality="bad"), 404, "filing.unknown_file")

    def test_a_token_of_another_instrument_may_not(self) -> None:
        file = RawDataFileFactory.create()
        foreign = client_with("write:observations", instrument=InstrumentFactory.create(short_name="chai"))
        problem(self.amend(foreign, file.pk, quality="bad"), 403, "token.other_instrument")
        file.refresh_from_db()
        assert file.quality == "unknown"
