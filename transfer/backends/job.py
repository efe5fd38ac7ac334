"""One job of a processing run, on the node where it runs: starts the command, watches it, writes down how it began and ended.

A copy of this file lies in the folder of each submission, because a compute node need not have the data center's software:
Python 3.8 or newer and its standard library are enough. ``job.py FOLDER [--detach]``; FOLDER has ``job.json`` (what to do).
``started.json`` appears whole before the command starts and ``end.json`` after it has ended. A second job of the same folder
finds the first one's ``started.json`` and does nothing, so that submitting twice runs the command once.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

JOB, STARTED, END = "job.json", "started.json", "end.json"
#: Folders of a submission: where the command runs, what it leaves behind, what it says.
WORKSPACE, OUTPUT, LOGS = "workspace", "output", "logs"
STDOUT, STDERR = LOGS + "/stdout.log", LOGS + "/stderr.log"
#: Seconds between SIGTERM and SIGKILL.
GRACE_SECONDS = 10.0
_LOOK_SECONDS = 0.1


def start_ticks(pid: int) -> int | None:
    """When a process was started, in the kernel's ticks since boot: with its number and the boot it means one process for
    ever. None for one that is gone, or dead and not yet collected by its parent.
    """
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()  # noqa: UP031
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id() -> str:
    """This boot of this machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def main(folder: Path, *, detach: bool) -> int:
    """Run the job of a folder, or start it as a session of its own and return once it has begun."""
    return _detached(folder) if detach else _run(folder)


def _detached(folder: Path) -> int:
    """The child outlives whoever called; the pipe ends when it has begun, or cannot."""
    begun, beginning = os.pipe()
    if os.fork():
        os.close(beginning)
        return 0 if os.read(begun, 1) else 1
    os.close(begun)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os._exit(_run(folder, beginning))


def _run(folder: Path, beginning: int | None = None) -> int:
    job = json.loads((folder / JOB).read_text())
    is_first = _write_once(folder / STARTED, _who_i_am())
    if beginning is not None:
        os.write(beginning, b".")
        os.close(beginning)
    if not is_first:
        return 0
    end = _watched(folder, job)
    _write_whole(folder / END, end)
    return int(end["exit_code"])


def _who_i_am() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "boot": boot_id(),
        "pid": pid,
        "start_ticks": start_ticks(pid),
        "started_at": time.time(),
    }


class _Told:
    """Whether somebody asked this job to end."""

    def __init__(self) -> None:
        self.to_end = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)

    def _end(self, _number: int, _frame: Any) -> None:
        self.to_end = True


def _watched(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Run the command to its end; what of it is left then is killed, so that nothing writes any more."""
    told, why = _Told(), ""
    kept = {name: value for name, value in os.environ.items() if name.startswith("SLURM_")}
    begun = time.monotonic()
    try:
        with (folder / STDOUT).open("ab") as out, (folder / STDERR).open("ab") as err:
            process = subprocess.Popen(
                job["command"],
                cwd=str(folder / WORKSPACE),
                env=dict(kept, **job["environment"]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
    except OSError as error:
        with (folder / STDERR).open("a") as err_text:
            err_text.write("The command cannot be started: %s\n" % error)  # noqa: UP031
        return _ended(127, "start", begun)
    while process.poll() is None:
        if told.to_end:
            why = why or "cancelled"
        elif time.monotonic() - begun > job["seconds"]:
            why = why or "time"
        if why:
            _end_group(process)
            break
        time.sleep(_LOOK_SECONDS)
    status = process.wait()
    if status == -signal.SIGTERM and not told.to_end:
        time.sleep(_LOOK_SECONDS)  # a batch system tells all processes of a job, in any order
    if told.to_end:
        why = why or "cancelled"
    _signal_group(process.pid, signal.SIGKILL)
    return _ended(status if status >= 0 else 128 - status, why, begun)


def _ended(exit_code: int, why: str, begun: float) -> dict[str, Any]:
    return {
        "exit_code": exit_code,
        "why": why,
        "wall_seconds": round(time.monotonic() - begun, 3),
        "peak_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "ended_at": time.time(),
    }


def _end_group(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal_group(process.pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def _write_once(path: Path, record: dict[str, Any]) -> bool:
    """The file, whole, unless it is there already; whether we made it."""
    part = _part(path, record)
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        part.unlink()
    return True


def _write_whole(path: Path, record: dict[str, Any]) -> None:
    _part(path, record).replace(path)


def _part(path: Path, record: dict[str, Any]) -> Path:
    part = path.with_name("%s.%s.%d" % (path.name, socket.gethostname(), os.getpid()))  # noqa: UP031
    with part.open("w") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    return part


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), detach="--detach" in sys.argv[2:]))
