"""Waiting for a state over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit
from tests.accounts.foreign import scientist
from tests.api.conftest import ApiClient, client_with, problem
from tests.factories.accounts import ApiTokenFactory
from tests.factories.datamgmt import RawDataFileFactory, RawDataFilePhysicalCopyFactory, RawDataPackageFactory
from tests.factories.observatory import DataStreamFactory
from tests.factories.planning import END, START, ExecutedObsUnitFactory, ObsModeFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def unpackaged() -> ExecutedObsUnit:
    """It is over, and its file is in no package."""
    execution = ExecutedObsUnitFactory.create(finished=True)
    RawDataFileFactory.create(executed_obs_unit=execution)
    return execution


def wait_path(execution: ExecutedObsUnit | UUID) -> str:
    pk = execution.pk if isinstance(execution, ExecutedObsUnit) else execution
    return f"/api/executed_obs_units/{pk}/wait"


def with_threads(api: ApiClient, path: str, **query: Any) -> Any:
    """As gunicorn says it when it has threads."""
    threads: Any = {"wsgi.multithread": True}
    return api.http.get(path, query, **threads)


def test_what_is_reached_is_answered_at_once(viewer_api: ApiClient, unpackaged: ExecutedObsUnit) -> None:
    answer = viewer_api.get(wait_path(unpackaged), state="finished")
    body = answer.json()
    assert (answer.status_code, body["state"], body["reached"]) == (200, "finished", True)
    assert body["execution"]["id"] == str(unpackaged.pk)
    assert body["execution"]["files"] == {"count": 1, "bytes": 1000, "unpackaged": 1}


def test_when_time_is_up_the_present_state_is_told(viewer_api: ApiClient, unpackaged: ExecutedObsUnit) -> None:
    looked = viewer_api.get(wait_path(unpackaged), state="archived", timeout=0)
    waited = with_threads(viewer_api, wait_path(unpackaged), state="archived", timeout=1)
    for answer in (looked, waited):
        body = answer.json()
        assert (answer.status_code, body["reached"]) == (200, False)
        assert body["execution"]["status"] == "completed"


def test_where_nobody_may_wait_it_is_429_with_a_time_to_come_back(
    viewer_api: ApiClient, unpackaged: ExecutedObsUnit, settings: Any
) -> None:
    without_threads = viewer_api.get(wait_path(unpackaged), state="archived")
    settings.MAX_WAITERS = 0
    all_taken = with_threads(viewer_api, wait_path(unpackaged), state="archived")
    for answer in (without_threads, all_taken):
        assert problem(answer, 429, "wait.busy")["retryable"] is True
        assert answer["Retry-After"] == "5"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"state": "deleted"},
        {"state": "archived", "timeout": "-1"},
        {"state": "archived", "timeout": "51"},
        {"state": "archived", "timeout": "1.5"},
        {"state": "archived", "timeout": "nan"},
        {"state": "archived", "time_out": "1"},
    ],
)
def test_a_question_that_makes_no_sense_is_400(
    viewer_api: ApiClient, unpackaged: ExecutedObsUnit, query: dict[str, str]
) -> None:
    problem(viewer_api.get(wait_path(unpackaged), **query), 400, "request.invalid")


def test_who_may_not_read_the_execution_may_not_wait_for_it(unpackaged: ExecutedObsUnit) -> None:
    api = client_with("write:observations")
    answer = api.get(wait_path(unpackaged), state="finished")
    problem(answer, 403, "request.permission_denied")


def test_an_unknown_execution_is_404_at_once(viewer_api: ApiClient) -> None:
    answer = with_threads(viewer_api, wait_path(UUID(int=1)), state="archived", timeout=50)
    problem(answer, 404, "request.not_found")


def test_what_one_may_not_see_is_404_at_once(unpackaged: ExecutedObsUnit) -> None:
    user = scientist()
    api = ApiClient(ApiTokenFactory.create(user=user, scopes=["read:observations"]))
    yesterday = timezone.now() - timedelta(days=1)
    ExecutedObsUnit.objects.update(start_time=yesterday, end_time=yesterday)
    answer = with_threads(api, wait_path(unpackaged), state="archived", timeout=50)
    problem(answer, 404, "request.not_found")
    unpackaged.obs_unit.observing_program.members.add(user)
    assert api.get(wait_path(unpackaged), state="finished").json()["reached"] is True


def test_what_failed_ends_the_wait_with_the_reason(viewer_api: ApiClient) -> None:
    execution = ExecutedObsUnitFactory.create(finished=True)
    package = RawDataPackageFactory.create(executed_obs_unit=execution, state=PackageState.FAILED)
    file = RawDataFileFactory.create(executed_obs_unit=execution)
    RawDataFilePhysicalCopyFactory.create(
        raw_data_file=file, integrity="missing", error_code="file.missing", error_message="It is not there."
    )

    body = with_threads(viewer_api, wait_path(execution), state="archived", timeout=50).json()

    assert body["reached"] is False
    assert [each["code"] for each in body["failures"]] == ["package.failed", "file.missing"]
    assert package.name in body["failures"][0]["message"]
    assert f"/api/raw_data_packages/{package.pk}/" in body["failures"][0]["message"]
    assert file.relative_path in body["failures"][1]["message"]
    over = viewer_api.get(wait_path(execution), state="finished").json()
    assert (over["reached"], over["failures"]) == (True, [])


class TestDataStreams:
    """Detector streams of the night: ten minutes of one overlap the observation."""

    @pytest.fixture
    def execution(self) -> ExecutedObsUnit:
        stream = DataStreamFactory.create()
        mode = ObsModeFactory.create(name="streamed", instrument=stream.instrument_module.instrument)
        found: ExecutedObsUnit = ExecutedObsUnitFactory.create(
            finished=True, obs_unit__obs_mode=mode, start_time=START, end_time=END
        )
        self.of_stream = {
            "executed_obs_unit": None,
            "data_stream": stream,
            "instrument_module": stream.instrument_module,
            "end_time": END + timedelta(minutes=10),
        }
        return found

    def reached(self, api: ApiClient, execution: ExecutedObsUnit, state: str) -> bool:
        return bool(api.get(wait_path(execution), state=state, timeout=0).json()["reached"])

    def test_a_file_that_overlaps_is_waited_for(self, viewer_api: ApiClient, execution: ExecutedObsUnit) -> None:
        file = RawDataFileFactory.create(**self.of_stream, start_time=END)
        assert not self.reached(viewer_api, execution, "packaged")

        file.raw_data_package = RawDataPackageFactory.create(**self.of_stream, start_time=END, built=True)
        file.save()
        assert self.reached(viewer_api, execution, "packaged")
        assert not self.reached(viewer_api, execution, "archived")

        type(file.raw_data_package).objects.update(state=PackageState.ARCHIVED)
        assert self.reached(viewer_api, execution, "archived")

    def test_one_that_begins_later_is_not(self, viewer_api: ApiClient, execution: ExecutedObsUnit) -> None:
        RawDataFileFactory.create(**self.of_stream, start_time=END + timedelta(seconds=1))
        assert self.reached(viewer_api, execution, "archived")

    def test_where_nobody_knows_the_end_streams_do_not_count(
        self, viewer_api: ApiClient, execution: ExecutedObsUnit
    ) -> None:
        RawDataFileFactory.create(**self.of_stream, start_time=END)
        ExecutedObsUnit.objects.update(end_time=None)
        assert self.reached(viewer_api, execution, "archived")

    def test_a_package_of_a_stream_that_failed_ends_the_wait(
        self, viewer_api: ApiClient, execution: ExecutedObsUnit
    ) -> None:
        package = RawDataPackageFactory.create(**self.of_stream, start_time=START, state=PackageState.FAILED)
        body = with_threads(viewer_api, wait_path(execution), state="archived", timeout=50).json()
        assert package.name in body["failures"][0]["message"]
