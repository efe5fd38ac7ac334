"""Workers as real processes: what happens when any of them is killed, stopped or cut off."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import SystemLog
from ccatdc.common.states import Status
from datamgmt.models import DataLocation
from tests.factories.datamgmt import BufferLocationFactory, SourceLocationFactory
from tests.factories.transfer import DeletionFactory, LocationCheckFactory
from tests.transfer.processes import becomes, eventually, running, stop, tree, workers
from transfer.engine import dispatch
from transfer.models import Operation, ServiceHeartbeat

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.pipeline]

HERE = "ccat_output_buffer"


@pytest.fixture
def buffer() -> DataLocation:
    """Where the workers of these tests work."""
    return BufferLocationFactory.create()


def submitted(location: DataLocation, subject: str) -> Operation:
    """An operation that does what ``subject`` says, in the worker's queue."""
    operation = DeletionFactory.create(location=location, subject=subject)
    assert dispatch.submit(operation)
    return operation


def test_one_command_serves_several_locations_and_stops_when_asked(buffer: DataLocation, tmp_path: Path) -> None:
    source = SourceLocationFactory.create()
    with workers(HERE, source.full_name, log_dir=tmp_path) as command:
        here = submitted(buffer, f"write:{tmp_path / 'a'} here")
        there = submitted(source, f"write:{tmp_path / 'b'} there")
        assert becomes(here, Status.COMPLETED)
        assert becomes(there, Status.COMPLETED)
        family = tree(command.pid)
        assert len(family) == 4  # for each, a worker for checks and one for all else
        assert stop(command) < 5
        assert command.returncode == 0
        assert not any(process.is_running() for process in family)
    beats = ServiceHeartbeat.objects.filter(service_type="location")
    assert beats.count() == 2
    assert all(beat.stopped_at for beat in beats)


def test_a_running_operation_goes_back_when_the_worker_is_stopped(buffer: DataLocation, tmp_path: Path) -> None:
    with workers(HERE, log_dir=tmp_path) as command:
        operation = submitted(buffer, "sleep:60")
        waiting = submitted(buffer, f"write:{tmp_path / 'a'} second")
        assert becomes(operation, Status.IN_PROGRESS)
        assert stop(command) < 5
    operation.refresh_from_db()
    assert (operation.status, operation.attempts, operation.lost_leases) == (Status.PENDING, 0, 0)
    # What waits in the queue is taken by the next worker at once.
    waiting.refresh_from_db()
    assert waiting.status == Status.SCHEDULED
    with workers(HERE, log_dir=tmp_path):
        assert becomes(waiting, Status.COMPLETED, 5)


def test_a_second_signal_does_not_wait_for_a_deaf_operation(buffer: DataLocation, tmp_path: Path) -> None:
    with workers(HERE, log_dir=tmp_path) as command:
        operation = submitted(buffer, "block:60")
        assert becomes(operation, Status.IN_PROGRESS)
        command.send_signal(signal.SIGTERM)
        assert not eventually(lambda: command.poll() is not None, 1)
        assert stop(command) < 5
    operation.refresh_from_db()
    assert (operation.status, operation.attempts, operation.lost_leases) == (Status.PENDING, 0, 1)


def test_a_killed_worker_is_replaced(buffer: DataLocation, tmp_path: Path) -> None:
    with workers(HERE, log_dir=tmp_path) as command:
        _, before = tree(command.pid)
        before.send_signal(signal.SIGKILL)
        assert eventually(lambda: not before.is_running())
        operation = submitted(buffer, f"write:{tmp_path / 'a'}")
        assert becomes(operation, Status.COMPLETED, 10)
        assert "its worker ended" in SystemLog.objects.get(component="worker").message


def test_what_a_killed_worker_had_started_is_killed_too(buffer: DataLocation, tmp_path: Path) -> None:
    with workers(HERE, log_dir=tmp_path) as command:
        assert becomes(submitted(buffer, "program:60"), Status.IN_PROGRESS)
        assert eventually(lambda: len(tree(command.pid)) == 3)
        _, worker, program = tree(command.pid)
        worker.send_signal(signal.SIGKILL)
        assert eventually(lambda: not worker.is_running() and not program.is_running())


@pytest.mark.parametrize("work", [None, "freeze"])
def test_a_frozen_worker_is_replaced(buffer: DataLocation, tmp_path: Path, work: str | None) -> None:
    """Idle, or inside an operation whose lease lasts."""
    with running("run_managers", log_dir=tmp_path), workers(HERE, log_dir=tmp_path, TEST_FROZEN_SECONDS="6") as command:
        _, before = tree(command.pid)
        if work is None:
            before.send_signal(signal.SIGSTOP)
            operation = submitted(buffer, f"write:{tmp_path / 'a'}")
        else:
            operation = submitted(buffer, f"freeze:{tmp_path / 'frozen'}")
        assert becomes(operation, Status.COMPLETED, 20)
        assert not before.is_running()
        assert "no sign of life" in SystemLog.objects.get(component="worker").message


def test_a_worker_that_did_its_share_is_replaced_without_a_word(buffer: DataLocation, tmp_path: Path) -> None:
    with workers(HERE, log_dir=tmp_path, TEST_RECYCLE="1") as command:
        _, before = tree(command.pid)
        for name in "ab":
            assert becomes(submitted(buffer, f"write:{tmp_path / name}"), Status.COMPLETED)
        assert not before.is_running()
    assert not SystemLog.objects.filter(component="worker").exists()


def test_the_work_of_a_killed_worker_starts_anew_at_once(buffer: DataLocation, tmp_path: Path) -> None:
    with running("run_managers", log_dir=tmp_path), workers(HERE, log_dir=tmp_path, CCATDC_LEASE_SECONDS="300"):
        operation = submitted(buffer, f"die:{tmp_path / 'once'}")
        assert becomes(operation, Status.COMPLETED, 15)
    assert (operation.claims, operation.attempts) == (2, 0)


def test_a_check_does_not_wait_for_work_of_hours(buffer: DataLocation, tmp_path: Path) -> None:
    with running("run_managers", log_dir=tmp_path), workers(HERE, log_dir=tmp_path):
        work = submitted(buffer, "block:60")
        assert becomes(work, Status.IN_PROGRESS)
        check = LocationCheckFactory.create(location=buffer)
        assert becomes(check, Status.COMPLETED, 10)
        work.refresh_from_db()
        assert work.status == Status.IN_PROGRESS


def test_a_killed_supervisor_takes_everything_with_it(buffer: DataLocation, tmp_path: Path) -> None:
    with workers(HERE, log_dir=tmp_path) as command:
        operation = submitted(buffer, "block:60")
        assert becomes(operation, Status.IN_PROGRESS)
        family = tree(command.pid)
        command.kill()
        assert psutil.wait_procs(family, timeout=5)[1] == []


def test_a_frozen_worker_loses_its_lease_and_ends_itself_when_it_wakes_up(buffer: DataLocation, tmp_path: Path) -> None:
    mark = tmp_path / "frozen"
    with (
        running("run_managers", log_dir=tmp_path),
        workers(HERE, "--workers", "2", log_dir=tmp_path, CCATDC_LEASE_SECONDS="2"),
    ):
        operation = submitted(buffer, f"freeze:{mark}")
        assert becomes(operation, Status.COMPLETED, 25)
        assert operation.claims == 2
        frozen = psutil.Process(int(mark.read_text()))
        assert frozen.status() == psutil.STATUS_STOPPED
        frozen.send_signal(signal.SIGCONT)
        assert eventually(lambda: not frozen.is_running(), 10)
    operation.refresh_from_db()
    assert (operation.status, operation.claims) == (Status.COMPLETED, 2)


def test_workers_and_managers_survive_the_loss_of_all_their_connections(buffer: DataLocation, tmp_path: Path) -> None:
    with running("run_managers", log_dir=tmp_path) as managers, workers(HERE, log_dir=tmp_path) as command:
        before = tree(command.pid)
        operation = submitted(buffer, "sleep:3")
        assert becomes(operation, Status.IN_PROGRESS)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert becomes(operation, Status.COMPLETED, 15)
        # A claim of which the worker did not hear before its connection ended is made again.
        assert operation.claims <= 2
        # Left to the managers, who have to hear of it.
        later = DeletionFactory.create(location=buffer, subject=f"write:{tmp_path / 'a'}")
        assert becomes(later, Status.COMPLETED, 15)
        assert managers.poll() is None
        assert all(process.is_running() for process in before)


def test_a_location_that_is_switched_off_runs_nothing_until_it_is_on_again(
    buffer: DataLocation, tmp_path: Path
) -> None:
    with running("run_managers", log_dir=tmp_path), workers(HERE, log_dir=tmp_path):
        DataLocation.objects.non_polymorphic().filter(pk=buffer.pk).update(active=False)
        operation = DeletionFactory.create(location=buffer, subject=f"write:{tmp_path / 'a'}")
        assert not becomes(operation, Status.COMPLETED, 3)
        assert operation.status == Status.PENDING
        DataLocation.objects.non_polymorphic().filter(pk=buffer.pk).update(active=True)
        assert becomes(operation, Status.COMPLETED, 10)
    assert operation.started_at is not None
    assert operation.started_at < timezone.now()
