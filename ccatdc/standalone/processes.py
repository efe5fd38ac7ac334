"""Child processes that never outlive us: how the standalone servers are started and ended.

The kernel sends the child a signal when the *thread* that started it ends, so a server is started
from the main thread (or another one that lives as long as the server has to).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
"""Loaded before any fork: the child may not load libraries."""


def start_bound(
    command: Sequence[str | Path],
    *,
    log: Path,
    last_signal: signal.Signals,
    environment: Mapping[str, str],
    become: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` so that it gets ``last_signal`` when we die, however we die.

    ``become`` runs in the child first and may change who it is. Output is appended to ``log``. The
    child leads a session of its own: Ctrl-C in the terminal reaches us only, and we end the servers
    in the right order.
    """
    parent = os.getpid()

    def prepare() -> None:
        if become is not None:
            become()
        # After `become`: the kernel forgets this wish whenever the credentials change.
        if _LIBC.prctl(_PR_SET_PDEATHSIG, int(last_signal), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # we died before the wish was known
            os._exit(1)

    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - the starters have one thread
        )


def end(process: subprocess.Popen[bytes], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """End a child: each signal with its seconds of patience, then kill. Returns when it is gone."""
    for signum, patience in steps:
        process.send_signal(signum)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


def environment_without(prefix: str) -> dict[str, str]:
    """Our environment without a program's variables, so that a shell cannot change a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefix)}


def size_of(log: Path) -> int:
    """Where a log ends now, in bytes; 0 when there is none yet."""
    return log.stat().st_size if log.exists() else 0


def tail(log: Path, *, start: int = 0, lines: int = 20) -> str:
    """The last lines of a log after byte ``start``; empty when there is no log."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(start)
        text = stream.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
