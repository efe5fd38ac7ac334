"""Child processes that never outlive us: how the embedded servers are started and ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def start_bound(
    command: Sequence[str | Path],
    *,
    log: Path,
    last_signal: signal.Signals,
    environment: Mapping[str, str],
    account: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start ``command`` so that it gets ``last_signal`` when we die, however we die.

    The kernel sends the signal when the *thread* that started the child ends: start servers from a thread that lives as
    long. ``account`` are options of setpriv that change who the child is. Output is appended to ``log``. The child
    leads a session of its own: Ctrl-C in the terminal reaches us only, and we end the servers in the right order.
    """
    bound = ["setpriv", *account, f"--pdeathsig={last_signal.name.removeprefix('SIG')}", "--"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*bound, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
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


def environment_without(*prefixes: str) -> dict[str, str]:
    """Our environment without a program's variables, so that a shell cannot change a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


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
