"""Backend ``local``: a process on the worker's own host, in a session of its own, which outlives the worker.

For the demo, and for a machine without a batch system. A job is found again by its process id, start time and boot.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from transfer.backends import job as job_program
from transfer.backends.base import BackendError, JobFolder, JobReport, JobState, report_of_end, started_at
from transfer.models.run_parameters import RunParameters

_START_SECONDS: Final = 60


class LocalBackend:
    """Jobs of this host."""

    def __init__(self, parameters: RunParameters) -> None:
        self._python = parameters.python

    def submit(self, folder: JobFolder) -> str:
        """Start it, unless it has been; returns once its ``started.json`` is there."""
        if folder.record(job_program.STARTED) is not None:
            return ""
        try:
            subprocess.run(
                [self._python, str(folder.path / "job.py"), str(folder.path), "--detach"],
                env={"PATH": os.environ.get("PATH", os.defpath)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=_START_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BackendError(f"The job {folder.name} cannot be started: {_said(error)}") from error
        started = folder.record(job_program.STARTED) or {}
        return f"{socket.gethostname()}:{started.get('pid', '')}"

    def reports(self, folders: Sequence[JobFolder]) -> Mapping[str, JobReport]:
        return {folder.name: self._report(folder) for folder in folders}

    def cancel(self, folders: Collection[JobFolder]) -> None:
        for folder in folders:
            pid = _alive(folder.record(job_program.STARTED) or {})
            if pid is not None:
                os.kill(pid, signal.SIGTERM)

    def _report(self, folder: JobFolder) -> JobReport:
        end = report_of_end(folder)
        if end is not None:
            return end
        started = folder.record(job_program.STARTED)
        if started is None:
            return JobReport(JobState.LOST, "It was not started.")
        if started.get("host") != socket.gethostname():
            raise BackendError(
                f"The job {folder.name} runs on {str(started.get('host'))[:64]}, and this worker on {socket.gethostname()}.",
                code="run.other_host",
            )
        if _alive(started) is not None:
            return JobReport(JobState.RUNNING, started_at=started_at(folder))
        # It may have ended between the two looks.
        return report_of_end(folder) or JobReport(JobState.LOST, "Its process is gone without having written its end.")


def _alive(started: Mapping[str, Any]) -> int | None:
    """The process of a job of this host, if it is still that one."""
    pid = started.get("pid")
    if not isinstance(pid, int) or pid <= 1 or started.get("host") != socket.gethostname():
        return None
    is_it = started.get("boot") == job_program.boot_id() and started.get("start_ticks") == job_program.start_ticks(pid)
    return pid if is_it else None


def _said(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    last = said.decode(errors="replace").strip().rpartition("\n")[2][:300] if said else ""
    return last or str(error)
