"""A worker: a process that takes one message at a time from the queues of its location and runs the operation.

Forked by the supervisor (transfer/engine/processes/supervisor.py). The loop is django-q2's worker. What its cluster
does with three more processes and two queues between them, the broker does here: it is asked when the worker is idle,
so that nothing is prefetched, and nothing waits in a process that was killed.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterable, Sequence
from multiprocessing import Value
from typing import Any, Final

from django_q.worker import worker as run_tasks

from transfer.engine.queue import ListeningBroker
from transfer.engine.worker import this_process
from transfer.engine.worker.runner import run_operation

#: Seconds between two signs of life to the supervisor.
ALIVE_SECONDS: Final = 5.0


class Stopped(BaseException):
    """Ends the wait for a message. Not an Exception: nothing may take it for an error."""


class Tasks:
    """Source and sink of django-q2's worker. Its one function is given here: a message is an id, and can name no other."""

    def __init__(self, broker: ListeningBroker) -> None:
        self._broker = broker
        self.waiting = False

    def get(self) -> dict[str, Any] | str:
        """The next task, or "STOP", which ends the worker's loop."""
        try:
            self.waiting = True
            while not this_process.draining:
                for message, pk in self._broker.dequeue() or ():
                    self.waiting = False
                    arguments = (int(pk), message)
                    return {"func": run_operation, "name": f"operation {pk}", "args": arguments, "kwargs": {}}
        except Stopped:
            pass  # A message that was taken in this moment is offered again by the supervisor.
        return "STOP"

    def put(self, _task: dict[str, Any]) -> None:
        """Nothing: the claim removes the message, the row has the result."""


def run_worker(full_name: str, queues: Sequence[str], identity: str, alive: int, of_others: Iterable[int]) -> None:
    """Work on these queues of the location ``full_name`` until SIGTERM, or until nobody reads ``alive`` any more.

    ``of_others`` are the supervisor's ends of pipes: while a copy is open here, no worker notices that the supervisor
    died.
    """
    for descriptor in of_others:
        os.close(descriptor)
    lead_group(0)
    this_process.identity = identity
    tasks = Tasks(ListeningBroker(full_name, queues))

    def stop(_number: int, _frame: Any) -> None:
        this_process.draining = True
        if tasks.waiting:
            raise Stopped

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=_be_alive, args=(alive,), name="alive", daemon=True).start()
    run_tasks(tasks, tasks, Value("d", -1.0))


def lead_group(pid: int) -> None:
    """Make ``pid`` the leader of a process group, so that it is killed with the programs it runs.

    Parent and child both do, so that neither waits.
    """
    try:
        os.setpgid(pid, pid)
    except (PermissionError, ProcessLookupError):
        return  # The child was faster, or is dead already.


def _be_alive(alive: int) -> None:
    """Write signs of life; when the supervisor is gone, kill this process and all that it started."""
    os.set_blocking(alive, False)
    poll = select.poll()
    poll.register(alive, 0)  # POLLERR alone: the last reader is gone
    while True:
        try:
            os.write(alive, b".")
        except BlockingIOError:
            pass  # The supervisor is frozen: it has signs enough.
        except BrokenPipeError:
            os.killpg(0, signal.SIGKILL)
        if poll.poll(ALIVE_SECONDS * 1000):
            os.killpg(0, signal.SIGKILL)
