"""Heartbeats of our processes: a row for each service, written every half minute by whoever runs it.

Read by the portal and by ``ops status``. Several processes may run one service; it is silent when all of them are.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db.models import DateTimeField, Value
from django.db.models.functions import Now
from django.utils import timezone

from transfer.models import ServiceHeartbeat
from transfer.models.health import BEAT_SECONDS

#: A gateway asks for reference data once a minute; it is silent when it has not for so long.
GATEWAY_TTL_SECONDS: Final = 300


def heard_gateway(name: str, host: str) -> None:
    """A site's gateway has called: one query. Its process is not known here."""
    ServiceHeartbeat.objects.update_or_create(
        service_type="gateway",
        name=name[:128],
        defaults={"host": host, "pid": 0, "last_seen": Now(), "stopped_at": None, "ttl_seconds": GATEWAY_TTL_SECONDS},
    )


class Pulse:
    """The services of one kind that this process runs."""

    def __init__(self, service_type: str) -> None:
        self.service_type = service_type
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self._started_at = timezone.now()
        self._next_beat = 0.0

    @property
    def seconds_left(self) -> float:
        """Seconds until the next beat is due."""
        return max(0.0, self._next_beat - time.monotonic())

    def beat(self, names: Iterable[str], waiting: Sequence[Any] = ()) -> None:
        """Say that the services ``names`` are alive, and what they wait for: one query."""
        self._next_beat = time.monotonic() + BEAT_SECONDS
        rows = [
            ServiceHeartbeat(
                service_type=self.service_type,
                name=name,
                host=self.host,
                pid=self.pid,
                started_at=self._started_at,
                last_seen=Now(),
                clock_offset=Value(timezone.now(), DateTimeField()) - Now(),
                stopped_at=None,
                waiting=list(waiting),
            )
            for name in names
        ]
        ServiceHeartbeat.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["service_type", "name"],
            update_fields=[
                "host",
                "pid",
                "started_at",
                "last_seen",
                "stopped_at",
                "ttl_seconds",
                "clock_offset",
                "waiting",
            ],
        )

    def stop(self, names: Iterable[str]) -> None:
        """Say that they were stopped on purpose, unless another process has beaten for them since."""
        ServiceHeartbeat.objects.filter(
            service_type=self.service_type, name__in=list(names), host=self.host, pid=self.pid
        ).update(stopped_at=Now(), waiting=[])
