"""Names of queues, and the queue in the database: django-q2's ORM broker, for all queues of a location at once.

One queue for each kind of work at each location, ``{site}_{location}_{operation}`` (seeds: queue naming convention). A
new location has its queues at once. A message is written in the transaction that changes the operation's row, and says
"look at operation n": it may come late, twice or never.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from typing import Any

from django.db import connections
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from ccatdc.common.db.notify import Listener, notify_queue, queue_channel
from ccatdc.common.errors import ConfigurationError, NotFoundError
from datamgmt.models import DataLocation
from transfer.engine.database import DATABASE_AWAY
from transfer.pipeline import OperationType, operations_at


def queue_name(location: DataLocation, operation_type: str) -> str:
    """The queue of one kind of work at one location: 94 characters at most, of 100 allowed."""
    return f"{location.full_name}_{operation_type}"


def queues_for(location: DataLocation) -> list[str]:
    """All queues of a location, in the order of the flow."""
    return [queue_name(location, kind) for kind in operations_at(location.location_type)]


def check_queue(location: DataLocation) -> str:
    """The queue of the location's checks. A worker of its own serves it: work of hours delays no check."""
    return queue_name(location, OperationType.MONITORING)


def work_queues(location: DataLocation) -> list[str]:
    """All other queues of a location, in the order of the flow."""
    return [queue for queue in queues_for(location) if queue != check_queue(location)]


def all_queues() -> list[tuple[DataLocation, str]]:
    """Every queue of every active location (seeds: discover_all_queues)."""
    locations = DataLocation.objects.active().with_site()
    return [(location, queue) for location in locations for queue in queues_for(location)]


def location_named(full_name: str) -> DataLocation:
    """The location ``{site}_{location}``, active or not.

    Raises :class:`NotFoundError` that lists those that exist, and :class:`ConfigurationError` when two places share the
    name.
    """
    found = list(DataLocation.objects.named(full_name).with_site())
    if not found:
        known = sorted(each.full_name for each in DataLocation.objects.with_site())
        raise NotFoundError(
            f"There is no location {full_name!r}.",
            code="location.unknown",
            remedy=f"There are: {', '.join(known)}."
            if known
            else "There are none yet: load the reference data or add one in the portal.",
        )
    if len(found) > 1:
        raise ConfigurationError(
            f"{full_name!r} means {len(found)} locations: {_parts(found)}.",
            code="location.ambiguous",
            remedy="Rename one of them: they would share their queues.",
        )
    location: DataLocation = found[0]
    return location


def _parts(locations: Iterable[DataLocation]) -> str:
    return ", ".join(f"{each.name!r} at {each.site.short_name!r}" for each in locations)


logger = logging.getLogger(__name__)

# One statement: no second worker can take what this one has locked, and the oldest message comes first.
_TAKE = """
    WITH next AS MATERIALIZED (
        SELECT id FROM {table} WHERE key = ANY(%s) AND lock <= now()
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    UPDATE {table} AS message SET lock = now() + make_interval(secs => %s)
    FROM next WHERE message.id = next.id
    RETURNING message.id, message.payload
"""


#: All that a message says.
_IS_ID = re.compile(r"^[0-9]{1,18}$")


class ListeningBroker(ORM):  # type: ignore[misc]
    """``list_key`` is a queue for those who enqueue, and a location's full name for the worker that serves some of its
    queues, or all.

    The payload of a message is the id of an operation, nothing else.
    """

    def __init__(self, list_key: str | None = None, queues: Iterable[str] = ()) -> None:
        super().__init__(list_key)
        self._queues = list(queues)
        self._listener: Listener | None = None
        self._away = False

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:  # noqa: ARG004 - django-q2's signature
        """The table of messages. Unlike django-q2's, it closes no connection: ours live as long as their process."""
        return OrmQ.objects.using(Conf.ORM)

    def enqueue(self, task: str) -> int:
        """Add a message and notify, both in the caller's transaction; returns the message's id."""
        message: OrmQ = self.get_connection().create(key=self.list_key, payload=task, lock=Now())
        notify_queue(self.list_key, Conf.ORM)
        return int(message.pk)

    def dequeue(self) -> list[tuple[int, str]]:
        """The next message as (id, payload); none after a notification, or after ``Conf.POLL`` seconds without.

        A database that is away is waited for.
        """
        try:
            listener = self._start()
            listener.listen()
            messages = self._take()
            self._away = False
            if not messages:
                listener.wait(Conf.POLL)
        except DATABASE_AWAY as error:
            if not self._away:
                logger.warning("%s: the database does not answer, waiting: %s", self.list_key, error)
            self._away = True
            connections[Conf.ORM].close()
            time.sleep(min(1.0, Conf.POLL))
            return []
        return messages

    def _start(self) -> Listener:
        if self._listener is None:
            self._queues = self._queues or queues_for(location_named(self.list_key))
            self._listener = Listener(*map(queue_channel, self._queues), using=Conf.ORM)
        return self._listener

    def _take(self) -> list[tuple[int, str]]:
        statement = _TAKE.format(table=OrmQ._meta.db_table)
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(statement, [self._queues, 1, Conf.RETRY])
            taken = sorted((int(pk), str(payload)) for pk, payload in cursor.fetchall())
        foreign = [pk for pk, payload in taken if not _IS_ID.fullmatch(payload)]
        if foreign:
            # Nobody of ours writes such a message, and nothing is run for it.
            logger.error("%s: %d messages that name no operation are thrown away", self.list_key, len(foreign))
            self.get_connection().filter(pk__in=foreign).delete()
        return [(pk, payload) for pk, payload in taken if pk not in foreign]


def messages_of(queues: Iterable[str]) -> set[int]:
    """The ids of the operations that have a message in one of these queues."""
    rows = OrmQ.objects.filter(key__in=list(queues), payload__regex=_IS_ID.pattern)
    return {int(pk) for pk in rows.values_list("payload", flat=True)}


def release(queues: Iterable[str]) -> int:
    """Offer again what a worker had taken and not begun, when its process is known to be gone.

    What another worker of the location is about to claim is offered twice, which the claim does not mind.
    """
    names = list(queues)
    released: int = OrmQ.objects.filter(key__in=names, lock__gt=Now()).update(lock=Now())
    if released:
        for queue in names:
            notify_queue(queue)
    return released
