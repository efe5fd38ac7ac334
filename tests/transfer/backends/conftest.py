"""Submissions on a real disk location, and a small Slurm of our own (munged, slurmctld, slurmd) on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from datamgmt.models import DiskDataLocation, LocationType
from datamgmt.storage import storage_for
from datamgmt.storage.registration import register
from tests.factories.datamgmt import SiteFactory
from tests.transfer.processes import eventually
from transfer.backends import job
from transfer.backends.base import JobFolder

_numbers = count(1)
Submission = Callable[..., JobFolder]


@pytest.fixture
def submission(db: None, tmp_path: Path) -> Submission:
    """``submission(command)``: the folder of a new submission, as stage 62 makes it."""
    place = DiskDataLocation.objects.create(
        site=SiteFactory.create(), name="cluster", location_type=LocationType.PROCESSING, path=str(tmp_path / "cluster")
    )
    register(place, create=True)

    def make(command: Sequence[str], *, seconds: float = 60) -> JobFolder:
        folder = JobFolder(f"run-{os.getpid()}-{next(_numbers)}", storage_for(place), f"runs/{next(_numbers)}")
        for name in (job.WORKSPACE, job.OUTPUT, job.LOGS):
            (folder.path / name).mkdir(parents=True)
        shutil.copy(job.__file__, folder.path / "job.py")
        environment = {"PATH": os.defpath, "GREETING": "hello"}
        told = {"command": list(command), "environment": environment, "seconds": seconds}
        (folder.path / job.JOB).write_text(json.dumps(told))
        return folder

    return make


@pytest.fixture(scope="package")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of one node; its folder. Needs root and Debian's slurmctld, slurmd, slurm-client and munge."""
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if _program(name) is None]
    if missing or os.geteuid() != 0:
        reason = f"needs root and {', '.join(missing) or 'nothing else'} (Debian: slurmctld slurmd slurm-client munge)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    root = tmp_path_factory.mktemp("slurm")
    key = root / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    (root / "slurm.conf").write_text(_configuration(root))
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("SLURM_CONF", str(root / "slurm.conf"))
        munge = [f"--{name}={root / name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        for program, *options in (
            ["munged", "--force", "--foreground", f"--key-file={key}", *munge],
            ["slurmctld", "-D", "-i"],
            ["slurmd", "-D"],
        ):
            stack.callback(_end, _start(root, program, options))
            if program == "munged":
                assert eventually((root / "socket").exists, 10), "munged does not come up"
        assert eventually(_is_idle, 20), (root / "slurmctld.log").read_text()[-2000:]
        yield root


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _start(root: Path, program: str, options: Sequence[str]) -> subprocess.Popen[bytes]:
    with (root / f"{program}.out").open("wb") as out:
        return subprocess.Popen(
            [_program(program) or program, *options], stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _is_idle() -> bool:
    answer = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, check=False, timeout=10)
    return "idle" in answer.stdout


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _configuration(root: Path) -> str:
    host = socket.gethostname().partition(".")[0]
    lines = {
        "ClusterName": "test",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": _free_port(),
        "SlurmdPort": _free_port(),
        "AuthInfo": f"socket={root / 'socket'}",
        "SlurmUser": "root",
        "SlurmdUser": "root",
        "StateSaveLocation": _made(root / "state"),
        "SlurmdSpoolDir": _made(root / "spool"),
        "SlurmctldPidFile": root / "slurmctld.pid",
        "SlurmdPidFile": root / "slurmd.pid",
        "SlurmctldLogFile": root / "slurmctld.log",
        "SlurmdLogFile": root / "slurmd.log",
        "ProctrackType": "proctrack/linuxproc",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "ReturnToService": 2,
        "SchedulerParameters": "batch_sched_delay=0,sched_interval=1,sched_min_interval=0",
        "MpiDefault": "none",
        "KillWait": 5,
        "SlurmctldTimeout": 10,
        "NodeName": f"{host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN",
        "PartitionName": "main Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
