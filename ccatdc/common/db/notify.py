"""Waking those who wait, through PostgreSQL's LISTEN and NOTIFY, so that nobody has to poll often.

Whoever leaves work behind (filing, the engine, a gateway) notifies in the same transaction; PostgreSQL delivers when it
commits, and equal notifications of one transaction once. A notification may be lost (nobody listened, the connection
broke): every waiter therefore looks by itself now and then. Stands below every app.
"""

from __future__ import annotations

import hashlib
import select
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, connections

if TYPE_CHECKING:
    import psycopg

#: The channel on which ``run_managers`` listens.
MANAGERS: Final = "ccatdc_managers"


def notify_managers() -> None:
    """Wake the waiters when the current transaction commits (at once outside of one)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [MANAGERS])


__all__ = ["MANAGERS", "Listener", "notify_managers", "notify_queue", "queue_channel"]

#: PostgreSQL cuts channel names at 63 bytes.
_READABLE_LENGTH: Final = 46


def queue_channel(queue: str) -> str:
    """The channel of a queue.

    A readable beginning and a hash, because queue names may be longer than a channel's.
    """
    digest = hashlib.blake2s(queue.encode(), digest_size=8).hexdigest()
    return f"{queue[:_READABLE_LENGTH]}_{digest}"


def notify_queue(queue: str, using: str = "default") -> None:
    """Wake whoever serves ``queue``, when the current transaction commits."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [queue_channel(queue)])


class Listener:
    """Waits for notifications on Django's own connection of this thread, so that waiting costs no second connection.

    A notification that arrives while the connection is used for something else is remembered. Works outside of transactions
    only: PostgreSQL delivers between them.
    """

    def __init__(self, *channels: str, using: str = "default") -> None:
        self.channels = channels
        self.using = using
        self._connection: psycopg.Connection[Any] | None = None
        self._notified = False

    def listen(self) -> None:
        """Start to listen, again after every new connection.

        Call before looking for work, so that no notification falls between.
        """
        wrapper = connections[self.using]
        wrapper.ensure_connection()
        if wrapper.connection is self._connection:
            return
        with wrapper.cursor() as cursor:
            for channel in self.channels:
                cursor.execute(f"LISTEN {wrapper.ops.quote_name(channel)}")
        self._connection = wrapper.connection
        self._connection.add_notify_handler(self._note)
        self._notified = True

    def wait(self, seconds: float, also: int | None = None) -> bool:
        """Wait for a notification, at most so long.

        Whether there was one. Readable data on the descriptor ``also`` ends the wait too.
        """
        self.listen()
        assert self._connection is not None  # noqa: S101 - listen() has just set it
        pgconn = self._connection.pgconn
        pgconn.consume_input()
        self._drain()
        if not self._notified:
            poll = select.poll()
            poll.register(self._connection.fileno(), select.POLLIN)
            if also is not None:
                poll.register(also, select.POLLIN)
            # One sleep in the kernel: psycopg's own waiting wakes up ten times a second.
            poll.poll(max(0.0, seconds) * 1000)
            pgconn.consume_input()
            self._drain()
        notified, self._notified = self._notified, False
        return notified

    def _drain(self) -> None:
        """Take what libpq has received; what came during a query has gone to the handler."""
        assert self._connection is not None  # noqa: S101 - only called by wait()
        while self._connection.pgconn.notifies() is not None:
            self._notified = True

    def _note(self, _notify: object) -> None:
        self._notified = True


#: The channel on which ``run_gateway`` listens.
GATEWAY: Final = "ccatdc_gateway"


def notify_gateway() -> None:
    """Wake the waiters when the current transaction commits (at once outside of one)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [GATEWAY])
