"""Processes on this host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ccatdc.common.errors import CcatError
from tests.transfer.backends.conftest import Submission
from tests.transfer.backends.contract import BackendContract, end_of, kill_all, report
from tests.transfer.processes import eventually
from transfer.backends import job
from transfer.backends.base import BackendError, JobState, report_of_end
from transfer.backends.local import LocalBackend
from transfer.models.run_parameters import RunParameters


@pytest.fixture
def backend() -> LocalBackend:
    return LocalBackend(RunParameters(python=sys.executable))


class TestLocal(BackendContract):
    pass


def test_a_job_outlives_the_worker_that_submitted_it(backend: LocalBackend, submission: Submission) -> None:
    """Its whole process group gets SIGKILL, as from a supervisor; the exit code is known all the same."""
    folder = submission(["/bin/sh", "-c", "sleep 0.5; exit 4"])
    program = (
        "import subprocess, sys, time;"
        f"subprocess.run([sys.executable, {str(folder.path / 'job.py')!r}, {str(folder.path)!r}, '--detach'], check=True);"
        "time.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    assert eventually((folder.path / job.STARTED).exists)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert report(backend, folder).state == JobState.RUNNING
    assert end_of(backend, folder).exit_code == 4


def test_another_process_with_its_number_is_not_the_job(backend: LocalBackend, submission: Submission) -> None:
    """After the job's death its process id may be somebody else's: that one is neither the job nor ended."""
    folder = submission(["/bin/sleep", "600"])
    backend.submit(folder)
    started = json.loads((folder.path / job.STARTED).read_text())
    kill_all(started["pid"])
    other = subprocess.Popen(["/bin/sleep", "600"])
    try:
        (folder.path / job.STARTED).write_text(json.dumps(started | {"pid": other.pid}))
        assert report(backend, folder).state == JobState.LOST
        backend.cancel([folder])
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_what_never_began_or_runs_elsewhere(backend: LocalBackend, submission: Submission) -> None:
    folder = submission(["/bin/true"])
    assert report(backend, folder).state == JobState.LOST
    (folder.path / job.STARTED).write_text(json.dumps({"host": "another", "pid": 4711}))
    with pytest.raises(BackendError, match="runs on another") as caught:
        backend.reports([folder])
    assert caught.value.code == "run.other_host"


def test_a_job_that_takes_too_long(backend: LocalBackend, submission: Submission) -> None:
    folder = submission(["/bin/sleep", "600"], seconds=0.3)
    backend.submit(folder)
    assert end_of(backend, folder).message == "It took longer than it may, and was ended."


def test_a_command_that_does_not_exist(backend: LocalBackend, submission: Submission) -> None:
    folder = submission(["/no/such/program"])
    backend.submit(folder)
    end = end_of(backend, folder)
    assert (end.exit_code, end.message) == (127, "The command cannot be started.")


def test_what_a_command_leaves_running_is_ended(backend: LocalBackend, submission: Submission) -> None:
    """It would write on while its output is filed."""
    folder = submission(["/bin/sh", "-c", "sleep 600 & echo $! > left; exit 0"])
    backend.submit(folder)
    assert end_of(backend, folder).state == JobState.COMPLETED
    left = int((folder.path / job.WORKSPACE / "left").read_text())
    assert eventually(lambda: job.start_ticks(left) is None)


@pytest.mark.parametrize("text", ["", "no json", "[1]", '{"exit_code": "0"}', '{"exit_code": 1e400}', "{" * 20_000])
def test_records_that_a_command_wrote_itself(submission: Submission, text: str) -> None:
    """They lie where it may write: whatever they say, they are no success and no error of the program."""
    folder = submission(["/bin/true"])
    (folder.path / job.END).write_text(text)
    end = report_of_end(folder)
    assert end is None or end.state == JobState.FAILED


def test_a_record_that_is_a_link_is_not_read(submission: Submission, tmp_path: Path) -> None:
    folder = submission(["/bin/true"])
    (tmp_path / "other").write_text('{"exit_code": 0}')
    (folder.path / job.END).symlink_to(tmp_path / "other")
    with pytest.raises(CcatError):
        report_of_end(folder)
