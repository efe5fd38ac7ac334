"""``ccat-data stage`` and ``wait``: observations are brought to a PROCESSING location."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from ccat_data.errors import Exit, RefusedError, StillWaitingError
from ccat_data.server import Server
from ccat_file.progress import Bar, size_text

_EVERY_SECONDS: Final = 10.0


def add(commands: Any) -> None:
    """The command lines."""
    one = commands.add_parser("stage", help="have observations staged; prints the number of the job")
    one.add_argument("observations", type=UUID, nargs="+", metavar="OBSERVATION")
    one.add_argument("--to", required=True, metavar="LOCATION", help="full name, such as cologne_ramses_processing")
    one.add_argument("--name", default="", help="for you to find the job again")
    one.add_argument("--estimate", action="store_true", help="say what it would cost, and ask for nothing")
    _waits(one)
    one.set_defaults(run=_stage, needs_server=True)
    two = commands.add_parser("wait", help="wait for a job; prints the folder of each package")
    two.add_argument("job", type=int)
    two.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after so long")
    two.set_defaults(run=_wait, needs_server=True)


def stage(server: Server, observations: Sequence[UUID | str], location: str, name: str = "") -> int:
    """Ask for whole observations; the number of the job."""
    body = {"executed_obs_units": [str(each) for each in observations], "location": location, "name": name}
    return int(server.post("/api/staging/jobs/", body)["id"])


def estimate(server: Server, observations: Sequence[UUID | str], location: str) -> dict[str, Any]:
    """Bytes, seconds and quotas of such a job."""
    body = {"executed_obs_units": [str(each) for each in observations], "location": location}
    found: dict[str, Any] = server.post("/api/staging/estimate", body)
    return found


def wait(
    server: Server, job: int, *, seconds: float | None = None, tell: Callable[[int], None] = lambda _: None
) -> list[str]:
    """The folders of a job's packages when all are there. ``tell`` is told the bytes that are missing.

    RefusedError when it failed, was cancelled or has expired; StillWaitingError after ``seconds``.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        found = server.get(f"/api/staging/jobs/{job}/")
        packages, status = found["packages"], found["status"]
        if status == "completed":
            return [package["path"] for package in packages]
        if status not in ("pending", "in_progress"):
            why = "; ".join(package["error_message"] for package in packages if package["error_message"])
            raise RefusedError(
                f"Job {job} is {status}. {found['failure_error_message']} {why}".strip(), f"job.{status}"
            )
        tell(sum(p["size"] or 0 for p in packages if p["status"] != "completed"))
        if deadline is not None and time.monotonic() + _EVERY_SECONDS > deadline:
            raise StillWaitingError(f"Job {job} is {status}: ccat-data wait {job}")
        time.sleep(_EVERY_SECONDS)


def _stage(server: Server, given: argparse.Namespace) -> Exit:
    cost = estimate(server, given.observations, given.to)
    taking = "not known yet" if cost["seconds"] is None else f"about {cost['seconds'] / 60:.0f} min"
    print(f"{cost['packages']} packages, {size_text(cost['total_bytes'])}, {taking}", file=sys.stderr)
    for quota in cost["quotas"]:
        print(f"{size_text(quota['free_bytes'])} free of {quota['whose']}", file=sys.stderr)
    if given.estimate:
        return Exit.DONE
    job = stage(server, given.observations, given.to, given.name)
    print(job, flush=True)
    return _followed(server, job, given.wait) if given.wait is not None else Exit.DONE


def _wait(server: Server, given: argparse.Namespace) -> Exit:
    return _followed(server, given.job, given.timeout or 0.0)


def _followed(server: Server, job: int, seconds: float) -> Exit:
    with Bar("staging", 0) as bar:
        folders = wait(server, job, seconds=seconds or None, tell=bar.left)
    for folder in folders:
        print(folder)
    return Exit.DONE


def _waits(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--wait", type=float, nargs="?", const=0.0, metavar="SECONDS", help="until all is there, or so long"
    )
