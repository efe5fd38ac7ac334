"""Step 0 under contention: calls that come twice at the same moment, on connections of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from datamgmt.filing.executions import Registered, StartReport, register_files, start_execution
from datamgmt.filing.reports import FileReport, FilingConflictError
from datamgmt.models import PhysicalCopy, RawDataFile
from planning.models import ExecutedObsUnit
from tests.factories.datamgmt import SourceLocationFactory
from tests.factories.observatory import InstrumentModuleFactory
from tests.factories.planning import START, ExecutedObsUnitFactory, ObsUnitFactory

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls in threads that begin together; what each returned or raised."""
    barrier = Barrier(len(calls))
    outcomes: list[Any] = [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=10)
            outcomes[index] = call()
        except Exception as error:  # noqa: BLE001  the test judges it
            outcomes[index] = error
        finally:
            connection.close()

    threads = [Thread(target=run, args=(index, call)) for index, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


def report(execution: ExecutedObsUnit, path: str, pk: UUID | None = None) -> FileReport:
    module = InstrumentModuleFactory.create()
    return FileReport(
        id=pk or uuid4(),
        executed_obs_unit=execution.pk,
        source_location=SourceLocationFactory.create().full_name,
        relative_path=path,
        name=path,
        size=1,
        instrument=module.instrument.short_name,
        module=module.short_name,
    )


def test_the_same_files_filed_twice_at_once_exist_once() -> None:
    execution = ExecutedObsUnitFactory.create()
    reports = [report(execution, f"a/{number}") for number in range(50)]

    outcomes = at_once(*[lambda: register_files(reports)] * 4)

    assert outcomes.count(Registered(50, 0)) == 1, outcomes
    assert outcomes.count(Registered(0, 50)) == 3, outcomes
    assert RawDataFile.objects.count() == PhysicalCopy.objects.count() == 50


def test_two_observations_that_claim_one_path_at_once_get_it_once() -> None:
    calls = [partial(register_files, [report(ExecutedObsUnitFactory.create(), "a/same")]) for _ in range(4)]

    outcomes = at_once(*calls)

    assert outcomes.count(Registered(1, 0)) == 1, outcomes
    assert sum(isinstance(outcome, FilingConflictError) for outcome in outcomes) == 3, outcomes


def test_the_same_start_twice_at_once_makes_one_execution() -> None:
    start = StartReport(uuid4(), ObsUnitFactory.create().pk, START, {})

    outcomes = at_once(*[lambda: start_execution(start)[1]] * 4)

    assert sorted(outcomes) == [False, False, False, True], outcomes
    assert ExecutedObsUnit.objects.count() == 1


def test_filing_waits_for_whoever_holds_the_execution() -> None:
    execution = ExecutedObsUnitFactory.create()
    reports = [report(execution, "a")]

    def file_and_close() -> None:
        register_files(reports)
        connection.close()

    thread = Thread(target=file_and_close)
    with transaction.atomic():
        ExecutedObsUnit.objects.for_update(execution.pk)
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive(), "packaging holds the execution"
        assert not RawDataFile.objects.exists()
    thread.join(timeout=10)
    assert RawDataFile.objects.count() == 1
