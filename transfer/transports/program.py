"""Run a program that moves bytes, and watch it: what it reads, what it says, and whether it still does anything.

Between the transports that call a program (rsync, bbcp) and the kernel.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from ccatdc.common.errors import TransportError
from transfer.engine.worker.lease import LeaseHandle

#: Seconds in which a program neither reads a byte nor says that it got on, after which it is ended.
SILENCE_SECONDS = 300.0
_LOOK_SECONDS: Final = 0.2
#: Of what it says, so much is kept: the last lines, and of each so many bytes.
_LINES, _LINE_BYTES = 20, 1000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended (negative: the signal), and the last that it said."""

    status: int
    said: str


def require_program(name: str) -> None:
    """:class:`TransportError` where this host does not have it."""
    if shutil.which(name) is None:
        raise no_program(name, f"{socket.gethostname()}, the host of this worker")


def no_program(name: str, where: str) -> TransportError:
    """The error to raise where a program is missing."""
    return TransportError(
        f"{name} is not in the PATH on {where}.",
        code="transport.no_program",
        remedy=f"Install {name} there (docs/operations/transports.md); what waits goes on by itself then.",
    )


def run_program(
    command: Sequence[str],
    lease: LeaseHandle,
    size: int,
    *,
    progress_in: Callable[[str], int | None] = lambda _line: None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run it to its end. ``lease`` is told the bytes done of ``size``: what one process of it has read, or what a line says
    in which ``progress_in`` finds bytes; such lines are not kept.

    Raises what ``lease`` raises, and :class:`TransportError` when the program does nothing any more.
    """
    process = subprocess.Popen(
        # The kernel kills it when this worker is killed: an orphan would write beside its successor.
        ["setpriv", "--pdeathsig", "KILL", "--", *command],  # noqa: S607
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=None if environment is None else dict(environment),
    )
    assert process.stderr is not None  # noqa: S101  it was asked for
    listener = _Listener(process.stderr, progress_in)
    try:
        _watch(process, listener, lease, size, command[0])
    finally:
        for pid in reversed(_tree(process.pid)):
            _kill(pid)
        process.wait()
        listener.join(timeout=5)
    return Ended(process.returncode, "\n".join(listener.lines))


def _watch(process: subprocess.Popen[bytes], listener: _Listener, lease: LeaseHandle, size: int, name: str) -> None:
    done, heard_at = 0, time.monotonic()
    while process.poll() is None:
        found = max([listener.done, *map(_bytes_read, _tree(process.pid))])
        if found > done:
            done, heard_at = found, time.monotonic()
        lease.check(min(done, size))
        if time.monotonic() - heard_at > SILENCE_SECONDS:
            raise TransportError(
                f"{name} moved nothing for {SILENCE_SECONDS:.0f} s and was ended.", code="transport.stalled"
            )
        time.sleep(_LOOK_SECONDS)


class _Listener(threading.Thread):
    """Reads what a program says, so that it never waits for a reader."""

    def __init__(self, stream: IO[bytes], progress_in: Callable[[str], int | None]) -> None:
        super().__init__(daemon=True)
        self.lines: deque[str] = deque(maxlen=_LINES)
        self.done = 0
        self._stream, self._progress_in = stream, progress_in
        self.start()

    def run(self) -> None:
        with self._stream:
            while line := self._stream.readline(_LINE_BYTES):
                text = line.decode(errors="replace").rstrip()
                done = self._progress_in(text)
                if done is not None:
                    self.done = max(self.done, done)
                elif text:
                    self.lines.append(text)


def _tree(pid: int) -> list[int]:
    """A process and all that it has started, parents first."""
    found = [pid]
    for each in found:
        try:
            tasks = list(Path(f"/proc/{each}/task").iterdir())
            for task in tasks:
                found += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _bytes_read(pid: int) -> int:
    """What a process has read so far, as the kernel counts; 0 when it is gone or another account's."""
    try:
        counters = Path(f"/proc/{pid}/io").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    (line,) = (line for line in counters.splitlines() if line.startswith("rchar:"))
    return int(line.split()[1])


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
