"""The queue inside the database.

Django-q2's ORM broker, for all queues of a location at once and woken by a ring.

Between dispatch, which enqueues in the transaction that changes the operation's row, and the pusher
process of a cluster, which takes messages and hands them to the worker. A message only says "look
at operation n": it may come late, twice or never.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from django.db import connections
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from transfer.database import DATABASE_AWAY
from transfer.queues import location_named, queues_for
from transfer.wake import Listener, queue_channel, wake_queue
from transfer.worker_state import WorkerState

logger = logging.getLogger(__name__)

# One statement: no second cluster can take what this one has locked, and the oldest message comes
# first.
_TAKE = """
    WITH next AS MATERIALIZED (
        SELECT id FROM {table} WHERE key = ANY(%s) AND lock <= now()
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE {table} AS message SET lock = now() + make_interval(secs => %s)
    FROM next WHERE message.id = next.id
    RETURNING message.id, message.payload
"""


class WakingBroker(ORM):  # type: ignore[misc]
    """``list_key`` is a queue for those who enqueue, and a location's full name for the cluster
    that serves its queues.
    """

    def __init__(self, list_key: str | None = None, state: WorkerState | None = None) -> None:
        super().__init__(list_key)
        self._state = state
        self._queues: list[str] = []
        self._listener: Listener | None = None
        self._away = False

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:  # noqa: ARG004 - django-q2's signature
        """The table of messages.

        Unlike django-q2's, it closes no connection: ours live as long as their process.
        """
        return OrmQ.objects.using(Conf.ORM)

    def enqueue(self, task: str) -> int:
        """Add a message and ring, both in the caller's transaction; returns the message's id."""
        message: OrmQ = self.get_connection().create(key=self.list_key, payload=task, lock=Now())
        wake_queue(self.list_key, Conf.ORM)
        return int(message.pk)

    def dequeue(self) -> list[tuple[int, str]] | None:
        """The next messages as (id, payload).

        Nothing after having waited ``Conf.POLL`` seconds for a ring.

        Takes nothing while the worker is busy: what waits in its hand could not be done by the free
        worker of another cluster. A database that is away is waited for: ending the process, as
        django-q2 would, ends the whole cluster.
        """
        if self._state is not None and not self._state.wait_for_free_hand(Conf.POLL):
            return None
        try:
            listener = self._start()
            listener.listen()
            messages = self._take()
            self._away = False
            if not messages:
                listener.wait(Conf.POLL)
            elif self._state is not None:
                self._state.note_taken(len(messages))
        except DATABASE_AWAY as error:
            if not self._away:
                logger.warning(
                    "%s: the database does not answer, waiting: %s", self.list_key, error
                )
            self._away = True
            connections[Conf.ORM].close()
            time.sleep(min(1.0, Conf.POLL))
            return None
        return messages

    def fail(self, task_id: int) -> None:
        """Remove a message that the pusher cannot read: forged, or signed with another key."""
        logger.error("%s: message %s cannot be read and is dropped.", self.list_key, task_id)
        if self._state is not None:
            self._state.note_taken(-1)
        self.delete(task_id)

    def delete(self, task_id: int) -> None:
        """Remove a message after its work.

        The claim has removed it already as a rule; a failure here only means a late ring.
        """
        try:
            super().delete(task_id)
        except DATABASE_AWAY as error:
            logger.warning("Message %s stays until it is offered again: %s", task_id, error)
            connections[Conf.ORM].close()

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Nothing.

        Heartbeats are rows (transfer/heartbeats.py), not entries of a cache that nobody else sees.
        """

    def _start(self) -> Listener:
        if self._listener is None:
            self._queues = queues_for(location_named(self.list_key))
            self._listener = Listener(*map(queue_channel, self._queues), using=Conf.ORM)
        return self._listener

    def _take(self) -> list[tuple[int, str]]:
        statement = _TAKE.format(table=OrmQ._meta.db_table)
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(statement, [self._queues, Conf.BULK, Conf.RETRY])
            return sorted((int(pk), str(payload)) for pk, payload in cursor.fetchall())


def messages_of(queues: Iterable[str]) -> set[int]:
    """The ids of the operations that have a message in one of these queues."""
    found = set()
    for message in OrmQ.objects.filter(key__in=list(queues)):
        arguments = message.task.get("args") or ()
        if arguments:
            found.add(int(arguments[0]))
    return found


def release(queues: Iterable[str]) -> int:
    """Offer again what a cluster had taken and not begun.

    For when its processes are known to be gone.

    If another cluster of the location has it in hand, it is offered twice, which the claim does not
    mind.
    """
    names = list(queues)
    released: int = OrmQ.objects.filter(key__in=names, lock__gt=Now()).update(lock=Now())
    if released:
        for queue in names:
            wake_queue(queue)
    return released
