"""When the database is away: which errors say so, and how processes that outlive it go on.

Below everything that waits or works for a long time: broker, lease, loop, supervisor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from django.db import InterfaceError, OperationalError, connections

logger = logging.getLogger(__name__)

DATABASE_AWAY: Final = (OperationalError, InterfaceError)
#: Seconds between two questions of a process that cannot begin without an answer.
ASK_AGAIN_SECONDS: Final = 2.0
Answer = TypeVar("Answer")


@contextmanager
def unless_away(purpose: str) -> Iterator[None]:
    """A block that its process can do without: a database that is away is logged, and no more."""
    try:
        yield
    except DATABASE_AWAY as error:
        logger.warning("The database does not answer; could not %s: %s", purpose, error)
        connections.close_all()


def when_it_answers(purpose: str, ask: Callable[[], Answer]) -> Answer:
    """What ``ask`` returns, as soon as the database answers: after a power cut it may be the last that comes up, and
    nobody is there to start what did not wait for it.
    """
    while True:
        try:
            return ask()
        except DATABASE_AWAY as error:
            logger.warning("The database does not answer; waiting to %s: %s", purpose, error)
            connections.close_all()
            time.sleep(ASK_AGAIN_SECONDS)
