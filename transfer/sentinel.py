"""The processes that serve one location: a django-q2 cluster of one worker, without its own guard.

Started by a supervisor (transfer/cluster.py) as a fork: a sentinel, which starts worker,
monitor and pusher and then only keeps them together. Each dies with the process that started it,
so that nothing goes on as an orphan. Who watches over them is the supervisor: django-q2 replaces a
dead worker, but one that died while it waited for a message leaves a locked queue behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
import uuid
from collections.abc import Callable
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from typing import Any, Final

from django.db import connections
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.worker import worker

from transfer import worker_state
from transfer.broker import WakingBroker
from transfer.worker_state import WorkerState

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
#: Exit status of a process whose parent is gone already.
_EXIT_ORPHANED: Final = 75
_fork: Final = get_context("fork")


def start_cluster(full_name: str, state: WorkerState) -> BaseProcess:
    """Fork a cluster for all queues of the location ``full_name``; returns its sentinel.

    The sentinel leads a process group of its own, so that the whole cluster can be killed at once.
    """
    # A connection that two processes use is broken for both.
    connections.close_all()
    sentinel = _fork.Process(
        target=_run_sentinel, args=(full_name, state, os.getpid()), name=f"cluster {full_name}"
    )
    sentinel.start()
    assert sentinel.pid is not None  # noqa: S101 - it has been started
    _lead_group(sentinel.pid)
    return sentinel


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when ``parent``, which started it, ends; Linux only."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(_EXIT_ORPHANED)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own is gone, to bury them; not every init does."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def bury_orphans() -> None:
    """Take note of the death of adopted processes, so that they do not stay as zombies."""
    own = {process.pid for process in active_children()}
    while True:
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if dead is None or dead.si_pid in own:
            return
        os.waitpid(dead.si_pid, 0)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


class _Started:
    """In place of django-q2's events, which are locks that a killed process may leave locked."""

    def __init__(self, *, over: bool) -> None:
        self._over = over

    def is_set(self) -> bool:
        return self._over

    def set(self) -> None:
        self._over = True

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self._over


class LocationSentinel(Sentinel):  # type: ignore[misc]
    """Starts the processes, says who they are, and then sleeps."""

    def __init__(self, full_name: str, state: WorkerState) -> None:
        self.state = state
        super().__init__(
            _Started(over=False), _Started(over=False), uuid.uuid4(), WakingBroker(full_name, state)
        )

    def spawn_process(self, target: Callable[..., None], *args: Any) -> BaseProcess:
        """As django-q2's, but the process dies with this one."""
        process = _fork.Process(
            target=_run_with_sentinel, args=(os.getpid(), target, args), daemon=True
        )
        if target is worker:
            process.timer = args[2]  # type: ignore[attr-defined]
            self.pool.append(process)
        process.start()
        return process

    def guard(self) -> None:
        """Tell the supervisor that all are there, and keep them: they die when this process does."""
        self.state.set_started(self.pool[0].pid, self.monitor.pid, self.pusher.pid)
        while True:
            signal.pause()


def _run_sentinel(full_name: str, state: WorkerState, supervisor: int) -> None:
    die_with_parent(supervisor)
    _lead_group(0)
    signal.set_wakeup_fd(-1)
    worker_state.become(state)
    # Conf is read from settings when it is imported, before anybody knew which location this is.
    Conf.CLUSTER_NAME = full_name
    Conf.WORKERS = 1
    LocationSentinel(full_name, state)


def _run_with_sentinel(sentinel: int, target: Callable[..., None], args: tuple[Any, ...]) -> None:
    die_with_parent(sentinel)
    target(*args)


def _lead_group(pid: int) -> None:
    """Make ``pid`` the leader of a process group; parent and child both do, so that neither waits."""
    try:
        os.setpgid(pid, pid)
    except (PermissionError, ProcessLookupError):
        # The child was faster, or is dead already.
        return
