"""What every backend does, with real processes."""

from __future__ import annotations

import json
import sys

import psutil

from tests.transfer.backends.conftest import Submission
from tests.transfer.processes import eventually
from transfer.backends import job
from transfer.backends.base import Backend, JobFolder, JobReport, JobState, log_of


def report(backend: Backend, folder: JobFolder) -> JobReport:
    return backend.reports([folder])[folder.name]


def end_of(backend: Backend, folder: JobFolder, seconds: float = 30) -> JobReport:
    """Its report when it is over."""
    assert eventually(lambda: report(backend, folder).is_over, seconds), report(backend, folder)
    return report(backend, folder)


class BackendContract:
    """Cases for one backend."""

    def test_a_job_ends_well(self, backend: Backend, submission: Submission) -> None:
        """With its log, its time and memory, its environment alone, once although it is submitted twice."""
        script = "import os; open('made', 'a').write('x'); print(os.environ['GREETING'], 'DATABASE_URL' in os.environ)"
        folder = submission([sys.executable, "-c", script])
        backend.submit(folder)
        backend.submit(folder)
        end = end_of(backend, folder)
        assert backend.submit(folder) == ""
        assert (end.state, end.exit_code) == (JobState.COMPLETED, 0)
        assert (end.wall_seconds or 0) > 0
        assert (end.peak_bytes or 0) > 2**20
        assert (end.started_at or 0) > 1.7e9
        assert (folder.path / job.WORKSPACE / "made").read_text() == "x"
        assert "hello False" in log_of(folder)

    def test_a_command_that_fails(self, backend: Backend, submission: Submission) -> None:
        folder = submission(["/bin/sh", "-c", "echo no such map >&2; exit 3"])
        backend.submit(folder)
        end = end_of(backend, folder)
        assert (end.state, end.exit_code) == (JobState.FAILED, 3)
        assert end.message == "The command ended with exit code 3."
        assert "no such map" in log_of(folder)

    def test_a_job_is_cancelled(self, backend: Backend, submission: Submission) -> None:
        """Cancelling what is over, or was never there, harms nothing."""
        folder = submission(["/bin/sleep", "600"])
        backend.cancel([folder])
        backend.submit(folder)
        assert eventually(
            lambda: report(backend, folder).state == JobState.RUNNING and report(backend, folder).started_at is not None
        )
        backend.cancel([folder])
        end = end_of(backend, folder)
        assert end.state == JobState.FAILED
        assert end.message in ("It was told to end.", "It was cancelled in Slurm.")
        backend.cancel([folder])

    def test_a_job_whose_process_is_killed_is_lost(self, backend: Backend, submission: Submission) -> None:
        """As when its node dies: nothing of it can write down the end."""
        folder = submission(["/bin/sleep", "600"])
        backend.submit(folder)
        assert eventually((folder.path / job.STARTED).exists)
        kill_all(json.loads((folder.path / job.STARTED).read_text())["pid"])
        assert eventually(lambda: report(backend, folder).state != JobState.RUNNING, 15)
        assert report(backend, folder).state in (JobState.LOST, JobState.FAILED)


def kill_all(pid: int) -> None:
    """A process and all that it started, at once."""
    family = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=5)
