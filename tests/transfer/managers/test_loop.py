"""The managers' loop: woken at once, undisturbed by a failing manager, gone when asked to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from ccatdc.common.db.notify import MANAGERS, Listener, notify_managers
from ccatdc.common.states import Status
from tests.factories.datamgmt import BufferLocationFactory
from tests.factories.transfer import DeletionFactory
from tests.transfer.conftest import other_session
from tests.transfer.processes import becomes, eventually, running, stop
from transfer.managers.loop import ManagerLoop
from transfer.models import Operation, ServiceHeartbeat

pytestmark = pytest.mark.django_db(transaction=True)


class Counting:
    """Finds what ``found`` says, pass by pass, then nothing."""

    name = "counting"

    def __init__(self, *found: int) -> None:
        self.found = list(found)
        self.passes = 0
        self.waiting: list[dict[str, str]] = []

    def run_once(self) -> int:
        """One pass."""
        self.passes += 1
        return self.found.pop(0) if self.found else 0


class Failing(Counting):
    """Raises in its first passes."""

    name = "failing"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def run_once(self) -> int:
        """One pass that fails."""
        self.passes += 1
        raise self.error


@pytest.fixture(autouse=True)
def fresh_connection() -> Iterator[None]:
    """Nobody listens on this connection afterwards."""
    yield
    connection.close()


def test_a_pass_runs_every_manager_and_hands_over_what_is_due() -> None:
    operation = DeletionFactory.create()
    loop = ManagerLoop([Counting(2), Counting(3)])
    assert loop.run_pass() == 6
    operation.refresh_from_db()
    assert operation.status == Status.SCHEDULED


def test_a_failing_manager_stops_no_other_and_is_left_alone_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = Failing(ZeroDivisionError("division by zero")), Counting(1)
    loop = ManagerLoop([broken, sound])
    assert loop.run_pass() == 1
    assert "Traceback" in caplog.text
    loop.run_pass()
    assert (broken.passes, sound.passes) == (1, 2)
    loop.steps[0].not_before = 0.0
    loop.run_pass()
    assert broken.passes == 2
    first, second = 1.0, 2.0
    assert first < loop.steps[0].not_before - time.monotonic() <= second


def test_a_query_that_fails_is_a_failing_manager_while_the_database_answers() -> None:
    connection.ensure_connection()
    sound = Counting()
    loop = ManagerLoop([Failing(OperationalError("deadlock detected")), sound])
    loop.run_pass()
    assert sound.passes == 1


def test_a_database_that_is_away_ends_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Counting()
    loop = ManagerLoop([Failing(OperationalError("server closed")), sound])
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    with pytest.raises(OperationalError):
        loop.run_pass()
    assert sound.passes == 0


def test_the_heartbeat_says_what_waits() -> None:
    manager = Counting()
    manager.waiting = [{"what": "ccat", "why": "No archive is active."}]
    ManagerLoop([manager]).run_pass()
    beat = ServiceHeartbeat.objects.get(service_type="managers", name="managers")
    assert beat.waiting == manager.waiting
    # Clock and database are of one host here.
    assert beat.clock_offset is not None
    assert abs(beat.clock_offset) < timedelta(seconds=2)
    assert ServiceHeartbeat.objects.alive().count() == 1


def test_a_stopped_loop_says_so_and_one_that_was_replaced_does_not() -> None:
    loop = ManagerLoop([])
    loop.beat()
    ServiceHeartbeat.objects.update(pid=1)
    loop._say_stopped()
    assert ServiceHeartbeat.objects.get().stopped_at is None
    loop.beat()
    loop._say_stopped()
    assert ServiceHeartbeat.objects.get().stopped_at is not None


def in_background(work: Callable[[], None]) -> threading.Thread:
    """A thread with a connection of its own."""

    def run() -> None:
        time.sleep(0.3)
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_ring_is_heard_at_once() -> None:
    listener = Listener(MANAGERS)
    listener.wait(0)
    begun = time.monotonic()
    thread = in_background(notify_managers)

    assert listener.wait(20)
    assert time.monotonic() - begun < 2
    thread.join()


def test_many_rings_are_one() -> None:
    listener = Listener(MANAGERS)
    listener.wait(0)

    def ring_often() -> None:
        for _ in range(20):
            notify_managers()

    in_background(ring_often).join()
    time.sleep(0.5)  # all have been delivered before anybody listens

    assert listener.wait(20)
    assert not listener.wait(0.1)


def test_a_new_connection_counts_as_a_ring_because_one_may_have_been_missed() -> None:
    listener = Listener(MANAGERS)
    assert listener.wait(20)
    connection.close()
    assert listener.wait(20)
    assert not listener.wait(0.1)


@pytest.mark.pipeline
def test_the_process_is_woken_and_stops_when_asked(tmp_path: Path) -> None:
    buffer = BufferLocationFactory.create()
    with running("run_managers", log_dir=tmp_path, CCATDC_MANAGER_POLL_SECONDS="60") as command:
        assert eventually(lambda: ServiceHeartbeat.objects.alive().exists())
        time.sleep(0.5)
        begun = time.monotonic()
        operation = DeletionFactory.create(location=buffer)
        notify_managers()
        assert becomes(operation, Status.SCHEDULED)
        assert time.monotonic() - begun < 2
        assert stop(command) < 2
        assert command.returncode == 0
    assert ServiceHeartbeat.objects.get().stopped_at is not None


@pytest.mark.pipeline
def test_two_copies_share_the_work(tmp_path: Path) -> None:
    buffer = BufferLocationFactory.create()
    with running("run_managers", log_dir=tmp_path), running("run_managers", log_dir=tmp_path):
        assert eventually(lambda: listening() == 2)
        for number in range(5):
            DeletionFactory.create(location=buffer, subject=f"batch:{number}")
        notify_managers()
        assert eventually(lambda: not Operation.objects.exclude(status=Status.SCHEDULED).exists())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_q_ormq")
        assert cursor.fetchone() == (5,)


def listening() -> int:
    """Sessions whose last statement was to listen, or that have managed since."""
    with other_session() as session:
        row = session.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'ccatdc' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0]) - 1
