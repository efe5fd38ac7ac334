"""Start and finish over HTTP: status codes, bodies, and fields that make no sense."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from planning.models import ExecutedObsUnit
from tests.api.bodies import START, finish_body, finish_path, start_body
from tests.api.conftest import ApiClient, problem
from tests.factories.planning import ExecutedObsUnitFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db


class TestStart:
    def test_an_observation_is_started_with_201_and_again_with_200(self, instrument_api: ApiClient) -> None:
        body = start_body(parameters={"scan": "daisy"})

        first, second = (instrument_api.post(START, body) for _ in range(2))

        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()
        answer = first.json()
        assert answer["id"] == body["id"]
        assert answer["status"] == "running"
        assert answer["start_time"] == "2026-05-01T22:00:00Z"
        assert answer["program"] == "GEco"
        assert answer["parameters"] == {"scan": "daisy"}
        execution = ExecutedObsUnit.objects.get()
        assert execution.reported_by_token == instrument_api.token

    def test_the_obs_unit_may_be_named_by_program_and_name(self, instrument_api: ApiClient) -> None:
        unit = ObsUnitFactory.create(name=" Orion-KL ")
        body = start_body(unit, program="GEco", obs_unit_name=" Orion-KL ")
        del body["obs_unit"]
        assert instrument_api.post(START, body).json()["obs_unit"] == unit.pk

    def test_a_different_body_is_409_and_says_what_differs(self, instrument_api: ApiClient) -> None:
        body = start_body()
        instrument_api.post(START, body)
        body["start_time"] = "2026-05-01T23:00:00Z"
        answer = problem(instrument_api.post(START, body), 409, "filing.differs")
        assert answer["differences"]["start_time"] == {
            "stored": "2026-05-01T22:00:00+00:00",
            "sent": "2026-05-01T23:00:00+00:00",
        }
        assert answer["retryable"] is False

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"id": "x"}, "id"),
            ({"id": None}, "id"),
            ({"obs_unit": "one"}, "obs_unit"),
            ({"obs_unit": 2**70}, "obs_unit"),
            ({"obs_unit": -1}, "obs_unit"),
            ({"program": "GEco"}, "obs_unit"),
            ({"program": "GEco", "obs_unit_name": "x"}, "obs_unit"),
            ({"start_time": "yesterday"}, "start_time"),
            ({"start_time": "0001-01-01T00:00:00+14:00"}, "start_time"),
            ({"start_time": 17}, "start_time"),
            ({"parameters": [1]}, "parameters"),
            ({"parameters": {"a": ["\x00"]}}, "parameters"),
            ({"parameters": {"\ud800": 1}}, "parameters"),
            ({"operator": "a\x00"}, "operator"),
            ({"observer": "ana"}, "observer"),
        ],
    )
    def test_a_field_that_makes_no_sense_is_named(
        self, instrument_api: ApiClient, change: dict[str, Any], field: str
    ) -> None:
        answer = problem(instrument_api.post(START, start_body(**change)), 400, "request.invalid")
        assert [error["field"] for error in answer["errors"]] == [field]
        assert not ExecutedObsUnit.objects.exists()

    @pytest.mark.parametrize("missing", ["id", "obs_unit", "start_time"])
    def test_a_missing_field_is_named(self, instrument_api: ApiClient, missing: str) -> None:
        body = start_body()
        del body[missing]
        answer = problem(instrument_api.post(START, body), 400, "request.invalid")
        assert answer["errors"][0]["field"] == missing

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"obs_unit": 999_999}, "filing.unknown_obs_unit"),
            ({"operator": "nobody"}, "filing.unknown_operator"),
            ({"start_time": "1980-01-06T00:00:00Z"}, "filing.clock"),
            ({"start_time": "2999-01-01T00:00:00Z"}, "filing.clock"),
        ],
    )
    def test_what_cannot_be_has_a_code_of_its_own(
        self, instrument_api: ApiClient, change: dict[str, Any], code: str
    ) -> None:
        problem(instrument_api.post(START, start_body(**change)), 400, code)
        assert not ExecutedObsUnit.objects.exists()


class TestFinish:
    def test_an_observation_is_finished_and_again(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        body = finish_body(conditions={"pwv_mm_mean": 0.4, "wind_m_s": None}, quality="good")

        first, second = (instrument_api.put(finish_path(execution), body) for _ in range(2))

        assert (first.status_code, second.status_code) == (200, 200)
        assert first.json() == second.json()
        assert first.json()["status"] == "completed"
        assert first.json()["conditions"]["pwv_mm_mean"] == 0.4
        assert first.json()["finished_at"]

    def test_an_observation_can_be_aborted(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        answer = instrument_api.put(finish_path(execution), finish_body(status="aborted"))
        assert answer.json()["status"] == "aborted"

    def test_another_finish_is_409(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        instrument_api.put(finish_path(execution), finish_body())
        answer = problem(
            instrument_api.put(finish_path(execution), finish_body(status="failed")), 409, "filing.differs"
        )
        assert answer["differences"] == {"status": {"stored": "completed", "sent": "failed"}}

    def test_an_unknown_execution_is_404(self, instrument_api: ApiClient) -> None:
        answer = instrument_api.put(finish_path(uuid4()), finish_body())
        problem(answer, 404, "filing.unknown_execution")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"status": "running"}, "status"),
            ({"status": ["completed"]}, "status"),
            ({"end_time": None}, "end_time"),
            ({"quality": "superb"}, "quality"),
            ({"conditions": {"humidity": 101}}, "conditions.humidity"),
            ({"conditions": {"humidity": "20"}}, "conditions.humidity"),
            ({"conditions": {"humidity": True}}, "conditions.humidity"),
            ({"conditions": {"humidty": 20}}, "conditions.humidty"),
            ({"conditions": []}, "conditions"),
            ({"pwv": 0.4}, "pwv"),
        ],
    )
    def test_a_field_that_makes_no_sense_is_named(
        self, instrument_api: ApiClient, change: dict[str, Any], field: str
    ) -> None:
        execution = ExecutedObsUnitFactory.create()
        answer = instrument_api.put(finish_path(execution), finish_body(**change))
        body = problem(answer, 400, "request.invalid")
        assert [error["field"] for error in body["errors"]] == [field]

    def test_an_end_before_the_beginning_is_400(self, instrument_api: ApiClient) -> None:
        execution = ExecutedObsUnitFactory.create()
        body = finish_body(end_time="2026-05-01T21:59:59Z")
        problem(instrument_api.put(finish_path(execution), body), 400, "filing.ends_before_start")
