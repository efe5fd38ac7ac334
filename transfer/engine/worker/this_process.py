"""This worker process: who it is, and whether it was asked to stop.

Set by the supervisor's fork (transfer/engine/processes/worker.py). Outside of a worker (tests, a shell) it describes
the process itself.
"""

from __future__ import annotations

import os
import socket
import uuid

#: Whether the running operation shall end at its next check, and nothing more be taken.
draining = False


def new_identity() -> str:
    """The beginning of all owner tokens of one worker: when its process is known to be dead, what it owned is given back."""
    return f"{socket.gethostname()[:40]}:{uuid.uuid4().hex[:12]}:"


identity = new_identity()


def new_owner() -> str:
    """A token that no other claim ever had."""
    return f"{identity}{os.getpid()}:{uuid.uuid4().hex[:8]}"
