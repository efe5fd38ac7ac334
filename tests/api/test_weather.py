"""Samples of weather stations, and what they say about executions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from datamgmt.filing.executions import FinishReport, finish_execution
from planning.models import ExecutedObsUnit, ExecutionQuality, ExecutionStatus, WeatherSample
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.observatory import TelescopeFactory
from tests.factories.planning import END, START, ExecutedObsUnitFactory, WeatherSampleFactory

pytestmark = pytest.mark.django_db
PATH = "/api/weather"


@pytest.fixture
def api(db: None) -> ApiClient:
    return client_with("write:observations", "read:observations", "read:all_programs")


@pytest.fixture
def over(db: None) -> ExecutedObsUnit:
    """Half an hour from 22:00 UTC."""
    execution: ExecutedObsUnit = ExecutedObsUnitFactory.create(
        status=ExecutionStatus.COMPLETED, start_time=START, end_time=END, finished_at=END
    )
    return execution


def sample(minutes: float, **values: Any) -> dict[str, Any]:
    return {"time": (START + timedelta(minutes=minutes)).isoformat(), **values}


def weather(*samples: dict[str, Any], station: str = "chajnantor") -> dict[str, Any]:
    return {"station": station, "samples": list(samples)}


def weather_of(execution: ExecutedObsUnit) -> dict[str, Any]:
    execution.refresh_from_db()
    found: dict[str, Any] = execution.weather
    return found


class TestSending:
    def test_samples_are_stored_and_the_same_again_changes_nothing(self, api: ApiClient) -> None:
        TelescopeFactory.create()
        body = weather(sample(0, pwv_mm=0.6, relative_humidity_pct=12), sample(1, wind_m_s=6, wind_gust_m_s=9))

        first, again = api.post(PATH, body), api.post(PATH, body)

        assert (first.status_code, first.json()) == (201, {"stored": 2, "unchanged": 0, "executions": 0})
        assert (again.status_code, again.json()) == (200, {"stored": 0, "unchanged": 2, "executions": 0})
        rows = api.get("/api/weather_samples/", time_from="2026-05-01T22:00:30Z", time_to="2026-05-01T23:00:00Z").json()
        assert [(row["wind_gust_m_s"], row["pwv_mm"]) for row in rows["results"]] == [(9, None)]

    def test_another_value_replaces_the_one_before(self, api: ApiClient) -> None:
        TelescopeFactory.create()
        api.post(PATH, weather(sample(0, pwv_mm=0.6, temperature_c=-5)))
        assert api.post(PATH, weather(sample(0, pwv_mm=0.7))).json()["stored"] == 1
        row = WeatherSample.objects.get()
        assert (row.pwv_mm, row.temperature_c) == (0.7, None)

    @pytest.mark.parametrize(
        ("samples", "code"),
        [
            ([sample(0)], "required"),
            ([sample(0, pwv_mm=1), sample(0, pwv_mm=2)], "twice"),
            ([{"time": (timezone.now() + timedelta(days=2)).isoformat(), "pwv_mm": 1}], "clock"),
        ],
    )
    def test_what_makes_no_sense_is_refused_as_a_whole(
        self, api: ApiClient, samples: list[dict[str, Any]], code: str
    ) -> None:
        TelescopeFactory.create()
        answer = api.post(PATH, weather(sample(5, pwv_mm=1), *samples))
        problem(answer, 400, "weather.invalid_samples")
        assert [error["code"] for error in answer.json()["errors"]] == [code]
        assert not WeatherSample.objects.exists()

    def test_humidity_without_its_unit_and_too_many_samples_are_refused(self, api: ApiClient) -> None:
        TelescopeFactory.create()
        assert api.post(PATH, weather(sample(0, humidity=12))).status_code == 400
        assert api.post(PATH, weather(sample(0, relative_humidity_pct=101))).status_code == 400
        assert api.post(PATH, weather(*[sample(i, pwv_mm=1) for i in range(5001)])).status_code == 400

    def test_who_may_not_file_may_not_send(self) -> None:
        TelescopeFactory.create()
        assert client_with("read:observations").post(PATH, weather(sample(0, pwv_mm=1))).status_code == 403


class TestExecutions:
    def test_late_samples_give_mean_and_extremes(self, api: ApiClient, over: ExecutedObsUnit) -> None:
        before = sample(-1, pwv_mm=50)
        body = weather(
            before, sample(0, pwv_mm=0.5, wind_direction_deg=350), sample(30, pwv_mm=1, wind_direction_deg=20)
        )

        assert api.post(PATH, body).json()["executions"] == 1

        assert weather_of(over) == {
            "samples": 2,
            "pwv_mm": {"mean": 0.75, "min": 0.5, "max": 1},
            "wind_direction_deg": {"mean": pytest.approx(5)},
        }
        shown = api.get(f"/api/executed_obs_units/{over.pk}").json()
        assert shown["weather"]["pwv_mm"]["max"] == 1
        assert shown["conditions"]["pwv_mm_mean"] is None

    def test_corrected_samples_change_it(self, api: ApiClient, over: ExecutedObsUnit) -> None:
        api.post(PATH, weather(sample(3, pwv_mm=0.5)))
        api.post(PATH, weather(sample(3, pwv_mm=0.8)))
        assert weather_of(over)["pwv_mm"]["mean"] == 0.8

    def test_winds_from_everywhere_have_no_mean_direction(self, api: ApiClient, over: ExecutedObsUnit) -> None:
        api.post(PATH, weather(sample(1, wind_direction_deg=90), sample(2, wind_direction_deg=270)))
        assert weather_of(over) == {"samples": 2}

    def test_without_a_sample_in_it_those_around_it_count(self, api: ApiClient, over: ExecutedObsUnit) -> None:
        api.post(PATH, weather(sample(-6, pwv_mm=9), sample(-4, pwv_mm=0.5)))
        assert weather_of(over)["pwv_mm"]["mean"] == 0.5
        api.post(PATH, weather(sample(10, pwv_mm=0.7)))
        assert weather_of(over)["pwv_mm"]["mean"] == 0.7

    def test_of_another_telescope_it_is_not_the_weather(self, api: ApiClient, over: ExecutedObsUnit) -> None:
        other = TelescopeFactory.create(name="Another telescope", short_name="other")
        body = {**weather(sample(1, pwv_mm=0.5)), "telescope": other.short_name}
        assert api.post(PATH, body).json()["executions"] == 0
        assert weather_of(over) == {}

    def test_what_was_there_before_counts_when_it_ends(self) -> None:
        execution = ExecutedObsUnitFactory.create(start_time=START)
        WeatherSampleFactory.create(
            telescope=execution.obs_unit.telescope, time=datetime(2026, 5, 1, 22, 10, tzinfo=UTC), temperature_c=-6.9
        )
        report = FinishReport(ExecutionStatus.COMPLETED, END, {}, ExecutionQuality.GOOD, "")
        finish_execution(execution.pk, report)
        assert weather_of(execution)["temperature_c"] == {"mean": -6.9, "min": -6.9, "max": -6.9}


class TestFiles:
    def test_a_file_is_loaded_and_again_changes_nothing(self, tmp_path: Path, over: ExecutedObsUnit) -> None:
        file = tmp_path / "weather.csv"
        file.write_text(
            "time,pwv_mm,relative_humidity_pct\n2026-05-01T22:10:00Z,0.6,130\n2026-05-01T22:20:00Z,0.8,12\n"
        )
        assert "2 samples stored, 0 were there, 1 executions changed. Left out as impossible: 1 of" in _load(file)
        assert "0 samples stored, 2 were there" in _load(file)
        assert weather_of(over)["pwv_mm"]["mean"] == 0.7

    def test_a_file_that_is_none_says_so(self, tmp_path: Path) -> None:
        TelescopeFactory.create()
        file = tmp_path / "weather.csv"
        file.write_text("time,humidity\n2026-05-01T22:10:00Z,0.6\n")
        with pytest.raises(CommandError, match="no column 'humidity'"):
            _load(file)


def _load(file: Path) -> str:
    out = StringIO()
    call_command("load_weather", "chajnantor", str(file), stdout=out)
    return out.getvalue()
