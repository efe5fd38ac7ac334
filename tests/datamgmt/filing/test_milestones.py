"""How far an execution has come, and waiting until it is there."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection, connections

from ccatdc.common.states import Status
from datamgmt.filing.milestones import Milestone, TooManyWaitError, _seats, has_reached, wait_until
from datamgmt.models import RawDataFile
from datamgmt.states import PackageState
from planning.models import ExecutedObsUnit, ExecutionStatus
from tests.factories.datamgmt import RawDataFileFactory, RawDataPackageFactory
from tests.factories.planning import ExecutedObsUnitFactory

FINISHED, PACKAGED, ARCHIVED = Milestone.FINISHED, Milestone.PACKAGED, Milestone.ARCHIVED


def reached(execution: ExecutedObsUnit) -> list[Milestone]:
    return [milestone for milestone in Milestone if has_reached(execution.pk, milestone)]


@pytest.mark.django_db
class TestHasReached:
    def test_a_running_execution_is_nowhere(self) -> None:
        assert reached(ExecutedObsUnitFactory.create()) == []

    def test_without_files_there_is_nothing_to_wait_for_once_it_is_over(self) -> None:
        assert reached(ExecutedObsUnitFactory.create(finished=True)) == list(Milestone)

    def test_however_it_ended(self) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True)
        for status in (ExecutionStatus.ABORTED, ExecutionStatus.FAILED):
            ExecutedObsUnit.objects.filter(pk=execution.pk).update(status=status)
            assert FINISHED in reached(execution)

    def test_a_file_in_no_package_holds_both(self) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True)
        RawDataFileFactory.create(executed_obs_unit=execution)
        assert reached(execution) == [FINISHED]

    @pytest.mark.parametrize(
        ("status", "state", "wanted"),
        [
            (Status.PENDING, PackageState.WAITING, [FINISHED]),
            (Status.FAILED, PackageState.FAILED, [FINISHED]),
            (Status.COMPLETED, PackageState.WAITING, [FINISHED, PACKAGED]),
            (Status.COMPLETED, PackageState.TRANSFERRING, [FINISHED, PACKAGED]),
            (Status.COMPLETED, PackageState.FAILED, [FINISHED, PACKAGED]),
            (Status.COMPLETED, PackageState.ARCHIVED, list(Milestone)),
        ],
    )
    def test_the_slowest_package_counts(self, status: Status, state: PackageState, wanted: list[Milestone]) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True)
        RawDataPackageFactory.create(executed_obs_unit=execution, archived=True)
        built = {"size": 1, "digest": "blake3:00"} if status == Status.COMPLETED else {}
        RawDataPackageFactory.create(executed_obs_unit=execution, status=status, state=state, **built)
        RawDataPackageFactory.create(status=Status.PENDING)  # of another execution
        assert reached(execution) == wanted

    def test_a_late_file_takes_it_back(self) -> None:
        execution = ExecutedObsUnitFactory.create(finished=True)
        package = RawDataPackageFactory.create(archived=True, executed_obs_unit=execution)
        RawDataFileFactory.create(executed_obs_unit=execution, raw_data_package=package)
        assert reached(execution) == list(Milestone)
        RawDataFileFactory.create(executed_obs_unit=execution)
        assert reached(execution) == [FINISHED]

    def test_it_is_one_query(self, django_assert_num_queries: Any) -> None:
        execution = ExecutedObsUnitFactory.create()
        for milestone in Milestone:
            with django_assert_num_queries(1):
                has_reached(execution.pk, milestone)


@pytest.fixture
def waiting(transactional_db: None, settings: Any) -> ExecutedObsUnit:
    """An execution that is over, with one file in no package; one caller may wait."""
    settings.MAX_WAITERS = 1
    execution = ExecutedObsUnitFactory.create(finished=True)
    RawDataFileFactory.create(executed_obs_unit=execution)
    return execution


class Waiter(threading.Thread):
    """Waits beside the test."""

    def __init__(self, execution: ExecutedObsUnit, seconds: float) -> None:
        super().__init__()
        self.answer: bool | None = None
        self._execution, self._seconds = execution, seconds

    def run(self) -> None:
        try:
            self.answer = wait_until(self._execution.pk, ARCHIVED, self._seconds)
        finally:
            connections.close_all()


def until_it_waits(execution: ExecutedObsUnit) -> None:
    for _ in range(500):
        try:
            wait_until(execution.pk, ARCHIVED, 0.001)
        except TooManyWaitError:
            return
        time.sleep(0.01)
    pytest.fail("nobody waits")


def sessions_in_a_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state = 'idle in transaction'"
        )
        return int(cursor.fetchone()[0])


class TestWaitUntil:
    def test_it_answers_when_it_happens_and_holds_no_transaction(self, waiting: ExecutedObsUnit) -> None:
        waiter = Waiter(waiting, 30)
        waiter.start()
        until_it_waits(waiting)
        assert sessions_in_a_transaction() == 0
        package = RawDataPackageFactory.create(executed_obs_unit=waiting, archived=True)
        RawDataFile.objects.update(raw_data_package=package)
        waiter.join(10)
        assert waiter.answer is True

    def test_time_is_up(self, waiting: ExecutedObsUnit) -> None:
        assert wait_until(waiting.pk, ARCHIVED, 0.15) is False

    def test_one_more_than_may_wait_is_refused_until_a_seat_is_free(self, waiting: ExecutedObsUnit) -> None:
        waiter = Waiter(waiting, 1.0)
        waiter.start()
        until_it_waits(waiting)
        with pytest.raises(TooManyWaitError):
            wait_until(waiting.pk, ARCHIVED, 30)
        waiter.join(10)
        assert waiter.answer is False
        assert wait_until(waiting.pk, ARCHIVED, 0.01) is False

    def test_who_need_not_wait_needs_no_seat(self, waiting: ExecutedObsUnit, settings: Any) -> None:
        settings.MAX_WAITERS = 0
        assert wait_until(waiting.pk, FINISHED, 30) is True
        assert wait_until(waiting.pk, ARCHIVED, 0) is False
        with pytest.raises(TooManyWaitError):
            wait_until(waiting.pk, ARCHIVED, 1)

    def test_a_process_without_threads_lets_nobody_wait(self, waiting: ExecutedObsUnit) -> None:
        with pytest.raises(TooManyWaitError):
            wait_until(waiting.pk, ARCHIVED, 1, may_wait=False)


def test_one_caller_does_not_take_all_seats(waiting: ExecutedObsUnit, settings: Any) -> None:
    settings.MAX_WAITERS = 2
    with _seats.one(2, "viewer"):
        with pytest.raises(TooManyWaitError):
            wait_until(waiting.pk, ARCHIVED, 30, caller="viewer")
        assert wait_until(waiting.pk, ARCHIVED, 0.01, caller="instrument") is False
    assert wait_until(waiting.pk, ARCHIVED, 0.01, caller="viewer") is False
