"""What a worker and its supervisor tell each other.

A few numbers in shared memory, without any lock.

Between ``run_location`` (transfer/cluster.py) and the worker processes. A lock of
:mod:`multiprocessing` would be the easier tool, but a process killed while it holds one leaves
everybody else waiting for ever; single bytes cannot be left half written. Outside of a cluster
(tests, a shell) the numbers are those of the process itself.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import socket
import uuid


class _Page(ctypes.Structure):
    _fields_ = [
        ("started", ctypes.c_int32),
        ("draining", ctypes.c_int32),
        ("busy", ctypes.c_int32),
        ("worker", ctypes.c_int32),
        ("monitor", ctypes.c_int32),
        ("pusher", ctypes.c_int32),
        ("taken", ctypes.c_int64),
        ("done", ctypes.c_int64),
    ]


class WorkerState:
    """Of one cluster.

    Has it started, shall it stop, is its worker in an operation, and who are its processes.

    ``identity`` is the beginning of every owner token of this cluster: when its processes are known
    to be dead, what they owned can be given back at once.
    """

    def __init__(self) -> None:
        self._page = _Page.from_buffer(mmap.mmap(-1, ctypes.sizeof(_Page)))
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.identity = f"{socket.gethostname()[:40]}:{uuid.uuid4().hex[:12]}:"

    @property
    def started(self) -> bool:
        """Whether all processes of the cluster have been started."""
        return bool(self._page.started)

    @property
    def draining(self) -> bool:
        """Whether the worker shall give up what it does at once, and take nothing more."""
        return bool(self._page.draining)

    @property
    def busy(self) -> bool:
        """Whether the worker is inside an operation."""
        return bool(self._page.busy)

    @property
    def pids(self) -> tuple[int, int, int]:
        """Worker, monitor, pusher."""
        return self._page.worker, self._page.monitor, self._page.pusher

    @property
    def has_free_hand(self) -> bool:
        """Whether the worker has done with every message that was taken for it."""
        return bool(self._page.taken == self._page.done)

    def drain(self) -> None:
        """Ask the worker to stop (the supervisor does)."""
        self._page.draining = 1

    def set_busy(self, busy: bool) -> None:
        """Say that the worker is inside an operation (the runner does)."""
        self._page.busy = int(busy)

    def note_taken(self, messages: int) -> None:
        """Count messages taken for the worker; negative: they were no good (the pusher does)."""
        self._page.taken += messages

    def note_done(self) -> None:
        """Count a message as done with, and wake the pusher (the worker does)."""
        self._page.done += 1
        os.eventfd_write(self._bell, 1)

    def wait_for_free_hand(self, seconds: float) -> bool:
        """Wait until the worker has done with its message, at most so long (the pusher does)."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        if not self.has_free_hand and poll.poll(seconds * 1000):
            os.eventfd_read(self._bell)
        return self.has_free_hand

    def close(self) -> None:
        """Give its descriptor back, when all processes of the cluster are gone."""
        os.close(self._bell)

    def set_started(self, worker: int, monitor: int, pusher: int) -> None:
        """Say who the processes are (the sentinel does)."""
        self._page.worker, self._page.monitor, self._page.pusher = worker, monitor, pusher
        self._page.started = 1

    def new_owner(self) -> str:
        """A token that no other claim ever had."""
        return f"{self.identity}{os.getpid()}:{uuid.uuid4().hex[:8]}"


_current = WorkerState()


def current() -> WorkerState:
    """That of the cluster this process belongs to."""
    return _current


def become(state: WorkerState) -> None:
    """Make ``state`` this process's.

    Called in a new cluster's first process, before anything else is started.
    """
    global _current  # noqa: PLW0603 - one per process by its nature
    _current = state
