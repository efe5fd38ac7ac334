"""What runs a job at a PROCESSING location: the contract of backends, and what a job's own records say.

Between the operations of processing runs (stages 62 to 66) and a machine or its batch system. Each submission has a folder
of its own, which appears whole (manifest, what to do, empty output folders) before anything is submitted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

from django.db import models

from ccatdc.common.errors import ExternalError, KeyMissingError
from datamgmt.storage.base import LocationStorage
from transfer.backends import job as job_program
from transfer.models.run_parameters import RunParameters

#: The folders of an output; the manager of stage 66 knows what their files are.
OUTPUT_FOLDERS: Final = ("science", "qa", "plots", "statistics", "logs")
#: Bytes of a record that are read: the command could have replaced it.
_RECORD_BYTES: Final = 16_384
#: Bytes of each log that are shown: its end.
LOG_BYTES: Final = 100_000
_ENDED: Final = {
    "cancelled": "It was told to end.",
    "time": "It took longer than it may, and was ended.",
    "start": "The command cannot be started.",
}


class BackendError(ExternalError):
    """The batch system does not answer, or refuses: nobody knows about the jobs then."""

    default_code = "run.backend_away"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE


class JobState(models.TextChoices):
    """How far a job is, for every backend. ``lost``: it is gone without having written down its end."""

    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    FAILED = "failed", "Failed"
    LOST = "lost", "Lost"


@dataclass(frozen=True, slots=True)
class JobReport:
    """How a job is. None and 0: not known."""

    state: JobState
    message: str = ""
    exit_code: int | None = None
    wall_seconds: float | None = None
    peak_bytes: int | None = None
    started_at: float | None = None
    """Seconds since 1970, by the node's clock."""

    @property
    def is_over(self) -> bool:
        return self.state in (JobState.COMPLETED, JobState.FAILED, JobState.LOST)


@dataclass(frozen=True, slots=True)
class JobFolder:
    """One submission: its folder's key at a location, and its name, which no other submission has."""

    name: str
    storage: LocationStorage
    key: str

    @property
    def path(self) -> Path:
        """Where the worker and the nodes see it."""
        path = self.storage.local_path(self.key)
        assert path is not None  # noqa: S101  runs are at disk locations only (request_run)
        return path

    def read(self, name: str, limit: int = _RECORD_BYTES) -> bytes | None:
        """The last bytes of a file in it, or None. Links are not followed."""
        key = f"{self.key}/{name}"
        try:
            size = self.storage.stat(key).size
            with self.storage.open(key) as file:
                file.seek(max(0, size - limit))
                return file.read(limit)
        except KeyMissingError:
            return None

    def record(self, name: str) -> dict[str, Any] | None:
        """One of the job's own records; None when it is not there, or is none."""
        text = self.read(name)
        try:
            found = json.loads(text) if text else None
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


class Backend(Protocol):
    """Runs jobs. Every method may be called again: what is done already stays done."""

    def __init__(self, parameters: RunParameters) -> None: ...

    def submit(self, folder: JobFolder) -> str:
        """Hand the job of a folder over, once; the backend's own name for it (empty: it had been submitted before).

        Raises :class:`BackendError`.
        """

    def reports(self, folders: Sequence[JobFolder]) -> Mapping[str, JobReport]:
        """How these jobs are, by name: one question for all. Raises :class:`BackendError`."""

    def cancel(self, folders: Collection[JobFolder]) -> None:
        """Have them ended: with SIGTERM, later SIGKILL. What is over already is success."""


def report_of_end(folder: JobFolder) -> JobReport | None:
    """What the job itself wrote down at its end; None before that."""
    end = folder.record(job_program.END)
    if end is None:
        return None
    exit_code, why = _number(end, "exit_code"), str(end.get("why", ""))
    is_well = exit_code == 0 and not why
    started = folder.record(job_program.STARTED) or {}
    return JobReport(
        JobState.COMPLETED if is_well else JobState.FAILED,
        "" if is_well else _ENDED.get(why, f"The command ended with exit code {exit_code}."),
        None if exit_code is None else int(exit_code),
        _number(end, "wall_seconds"),
        int(_number(end, "peak_bytes") or 0) or None,
        _number(started, "started_at"),
    )


def started_at(folder: JobFolder) -> float | None:
    """When the job began, by the node's clock."""
    return _number(folder.record(job_program.STARTED) or {}, "started_at")


def log_of(folder: JobFolder) -> str:
    """What the command said: the end of its standard output, then of its standard error."""
    parts = []
    for title, name in (("standard output", job_program.STDOUT), ("standard error", job_program.STDERR)):
        text = (folder.read(name, LOG_BYTES) or b"").decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        parts.append(f"--- {title} ---\n{text.rstrip()}\n")
    return "\n".join(parts)


def _number(record: Mapping[str, Any], name: str) -> float | None:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < 2**53 else None
