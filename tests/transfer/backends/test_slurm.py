"""Jobs of a real Slurm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.transfer.backends.conftest import Submission
from tests.transfer.backends.contract import BackendContract, end_of, report
from tests.transfer.processes import eventually
from transfer.backends import job
from transfer.backends.base import BackendError, JobState
from transfer.backends.slurm import SlurmBackend
from transfer.models.run_parameters import RunParameters


@pytest.fixture
def backend(slurm: Path) -> SlurmBackend:
    return SlurmBackend(RunParameters(python=sys.executable, memory_mb=100, minutes=5))


class TestSlurm(BackendContract):
    pass


def test_a_job_waits_and_is_found_by_its_name(backend: SlurmBackend, submission: Submission) -> None:
    """A worker that died after sbatch submits no second one."""
    folder = submission(["/bin/true"])
    subprocess.run(["scontrol", "update", "partition=main", "state=down"], check=True)
    try:
        number = backend.submit(folder)
        assert number.isdigit()
        assert report(backend, folder).state == JobState.PENDING
        assert backend.submit(folder) == ""
        queue = subprocess.run(["squeue", "-h", f"--name={folder.name}"], capture_output=True, text=True, check=True)
        assert len(queue.stdout.splitlines()) == 1
    finally:
        subprocess.run(["scontrol", "update", "partition=main", "state=up"], check=True)
    assert end_of(backend, folder).state == JobState.COMPLETED


def test_a_lost_node(backend: SlurmBackend, submission: Submission) -> None:
    folder = submission(["/bin/sleep", "600"])
    backend.submit(folder)
    assert eventually(lambda: report(backend, folder).state == JobState.RUNNING)
    assert eventually((folder.path / job.STARTED).exists)
    node = json.loads((folder.path / job.STARTED).read_text())["host"].partition(".")[0]
    # It can say nothing any more; Slurm declares the node dead, as after a power cut.
    os.kill(json.loads((folder.path / job.STARTED).read_text())["pid"], signal.SIGSTOP)
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=down", "reason=test"], check=True)
    try:
        assert eventually(lambda: report(backend, folder).state == JobState.LOST), report(backend, folder)
        assert "NODE_FAIL" in report(backend, folder).message
    finally:
        # It may have come back by itself: then this is refused.
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], check=False)


def test_what_slurm_refuses_or_cannot_answer(
    slurm: Path, submission: Submission, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = submission(["/bin/true"])
    greedy = SlurmBackend(RunParameters(python=sys.executable, memory_mb=10**6))
    with pytest.raises(BackendError) as refused:
        greedy.submit(folder)
    assert refused.value.code == "run.refused"
    (tmp_path / "slurm.conf").write_text("Nonsense=1\n")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    with pytest.raises(BackendError) as away:
        greedy.reports([folder])
    assert away.value.code == "run.backend_away"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BackendError) as missing:
        greedy.reports([folder])
    assert missing.value.code == "run.no_program"
