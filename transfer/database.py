"""When the database is away: which errors say so, and how processes that outlive it go on.

Below everything that waits or works for a long time: broker, lease, loop, supervisor.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import InterfaceError, OperationalError, connections

logger = logging.getLogger(__name__)

DATABASE_AWAY: Final = (OperationalError, InterfaceError)


@contextmanager
def unless_away(purpose: str) -> Iterator[None]:
    """A block that its process can do without: a database that is away is logged, and no more."""
    try:
        yield
    except DATABASE_AWAY as error:
        logger.warning("The database does not answer; could not %s: %s", purpose, error)
        connections.close_all()
