"""Backend ``slurm``: jobs of the batch system, through its own commands; the worker's host is a submit host.

A job's name is the submission's: ``squeue`` finds it by that, so that a worker that died after ``sbatch`` submits nothing
twice. The job itself writes its end, exit code, time and memory into its folder, so that accounting (``sacct``) need not be
set up. Slurm starts no job anew by itself (``--no-requeue``): a new submission has a new folder.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from transfer.backends import job as job_program
from transfer.backends.base import BackendError, JobFolder, JobReport, JobState, report_of_end, started_at
from transfer.models.run_parameters import RunParameters

_COMMAND_SECONDS: Final = 60
#: Minutes for which Slurm waits longer than the job itself, which says why it ended.
_MINUTES_MORE: Final = 2
#: Jobs that one question names.
_AT_ONCE: Final = 200
_WAITS: Final = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
)
_RUNS: Final = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
#: The place failed, not the command.
_PLACE_FAILED: Final = frozenset({"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED"})
_WHY: Final = {
    "TIMEOUT": "It took longer than it may, and Slurm ended it.",
    "DEADLINE": "It took longer than it may, and Slurm ended it.",
    "OUT_OF_MEMORY": "It took more memory than it may, and Slurm ended it.",
    "CANCELLED": "It was cancelled in Slurm.",
}


#: Words by which it refuses what it is asked for; else it is away.
_REFUSALS: Final = (
    "Requested node configuration",
    "Invalid",
    "invalid",
    "Access/permission denied",
    "not permitted",
    "exceeds",
)


class SlurmBackend:
    """Jobs of the cluster of this host."""

    def __init__(self, parameters: RunParameters) -> None:
        self._parameters = parameters

    def submit(self, folder: JobFolder) -> str:
        """``sbatch``, unless Slurm or the folder knows of the job."""
        if folder.record(job_program.STARTED) is not None or self._states([folder.name]):
            return ""
        script = shlex.join([self._parameters.python, str(folder.path / "job.py"), str(folder.path)])
        answer = _run(["sbatch", *self._options(folder)], f"#!/bin/sh\nexec {script}\n")
        return answer.strip().split(";")[0]

    def reports(self, folders: Sequence[JobFolder]) -> Mapping[str, JobReport]:
        """The job's own word comes first; Slurm is asked for the others."""
        found = {folder.name: end for folder in folders if (end := report_of_end(folder))}
        others = [folder for folder in folders if folder.name not in found]
        states = self._states([folder.name for folder in others])
        return found | {folder.name: _report(folder, states.get(folder.name)) for folder in others}

    def cancel(self, folders: Collection[JobFolder]) -> None:
        # --full: the batch script too is told with SIGTERM, and can write down its end.
        for folder in folders:
            _run(["scancel", "--full", "--quiet", f"--jobname={folder.name}"])

    def _options(self, folder: JobFolder) -> list[str]:
        own, path = self._parameters, folder.path
        optional = {"partition": own.partition, "account": own.account, "qos": own.qos}
        return [
            "--parsable",
            f"--job-name={folder.name}",
            f"--chdir={path / job_program.WORKSPACE}",
            f"--output={path / job_program.LOGS}/slurm.log",
            f"--cpus-per-task={own.cpus}",
            f"--mem={own.memory_mb}M",
            f"--time={own.minutes + _MINUTES_MORE}",
            "--ntasks=1",
            "--no-requeue",
            # Nothing of the worker's environment: it has credentials.
            "--export=NIL",
            *(f"--{name}={value}" for name, value in optional.items() if value),
        ]

    def _states(self, names: Sequence[str]) -> dict[str, str]:
        """State and reason by the job's name, also of jobs that ended within the last minutes."""
        found: dict[str, str] = {}
        for first in range(0, len(names), _AT_ONCE):
            wanted = ",".join(names[first : first + _AT_ONCE])
            answer = _run(["squeue", "--noheader", "--states=all", f"--name={wanted}", "--format=%j|%T|%r"])
            for line in answer.splitlines():
                name, _, state = line.strip().partition("|")
                found[name] = state
        return found


def _report(folder: JobFolder, found: str | None) -> JobReport:
    end = report_of_end(folder)  # it may have ended between the two looks
    if end is not None:
        return end
    if found is None:
        return JobReport(JobState.LOST, "Slurm does not know it any more, and it did not write down its end.")
    state, _, reason = found.partition("|")
    if state in _WAITS:
        return JobReport(JobState.PENDING, f"Slurm: {reason}." if reason not in ("", "None") else "")
    if state in _RUNS:
        return JobReport(JobState.RUNNING, started_at=started_at(folder))
    if state in _PLACE_FAILED or state == "COMPLETED":
        return JobReport(JobState.LOST, f"Slurm says {state}, and it did not write down its end.")
    return JobReport(JobState.FAILED, _WHY.get(state, f"Slurm says {state} ({reason}); see its log."))


def _run(command: Sequence[str], script: str | None = None) -> str:
    """The answer of a command of Slurm."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SLURM_CONF") if name in os.environ}
    try:
        done = subprocess.run(
            command, input=script or "", env=kept, capture_output=True, text=True, check=True, timeout=_COMMAND_SECONDS
        )
    except FileNotFoundError as error:
        raise BackendError(f"{command[0]} is not in the PATH of this worker.", code="run.no_program") from error
    except subprocess.CalledProcessError as error:
        said = f"{command[0]}: {error.stderr.strip()[:500]}"
        if any(each in error.stderr for each in _REFUSALS):
            raise BackendError(said, code="run.refused") from error
        raise BackendError(said) from error
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{command[0]} gave no answer within {_COMMAND_SECONDS} s.") from error
    return done.stdout
