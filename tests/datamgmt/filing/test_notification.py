"""Step 0 notifies: managers wake up when there is something to do, and only then."""

from __future__ import annotations

import pytest
from django.db import connection

from ccatdc.common.db.notify import MANAGERS
from datamgmt.filing.executions import finish_execution, register_files
from tests.datamgmt.reports import file_report, finish_report
from tests.factories.planning import ExecutedObsUnitFactory


class Listening:
    """Listens on the managers' channel with a connection of its own."""

    def __init__(self) -> None:
        self._connection = connection.copy()
        self._connection.ensure_connection()
        self._raw = self._connection.connection
        self._raw.autocommit = True
        self._raw.execute(f"LISTEN {MANAGERS}")

    def notifications(self) -> int:
        return len(list(self._raw.notifies(timeout=0.3, stop_after=1)))

    def close(self) -> None:
        self._connection.close()


@pytest.mark.django_db(transaction=True)
class TestBell:
    def test_managers_wake_when_an_observation_ends_and_when_late_files_come(self) -> None:
        listening = Listening()
        try:
            execution = ExecutedObsUnitFactory.create()
            register_files([file_report(execution)])
            assert listening.notifications() == 0, "nothing to do while it runs"
            finish_execution(execution.pk, finish_report())
            assert listening.notifications() == 1
            late = file_report(execution)
            register_files([late])
            assert listening.notifications() == 1
            register_files([late])
            finish_execution(execution.pk, finish_report())
            assert listening.notifications() == 0, "repeats change nothing"
        finally:
            listening.close()
