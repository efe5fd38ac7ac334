"""The loop of ``run_notifications``: conditions become alerts, alerts become messages, messages are sent; figures
go to an InfluxDB, where one is named.

A process of its own, with a heartbeat: managers and web only write rows. The loop asks the database and never waits for a
server; each channel that has work is served by a thread, at most one for a channel. Several copies may run.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from ccatdc.metrics.families import families
from ccatdc.metrics.influxdb import InfluxDB, InfluxWriter
from ccatdc.metrics.line_protocol import lines_of
from ccatdc.portal.attention.conditions import attention_groups, look
from ccatdc.portal.attention.lines import AttentionGroup
from notifications.conditions import Condition, forget_old_alerts, record_conditions
from notifications.models import NotificationChannel, Severity
from notifications.sending import forget_old_messages, send_waiting
from notifications.telling import tell
from transfer.engine.database import DATABASE_AWAY, unless_away
from transfer.engine.heartbeats import Pulse
from transfer.models import QueryJob
from transfer.tap import jobs

logger = logging.getLogger(__name__)

SERVICE: Final = "notifications"
#: Seconds between two looks at the queue, at the conditions, and at what is old.
LOOK_SECONDS: Final = 1.0
EVALUATE_SECONDS: Final = 15.0
FORGET_SECONDS: Final = 3600.0
#: Of the kinds on the first page; what is not named is a warning.
SEVERITIES: Final = {
    "Services": Severity.CRITICAL,
    "Backups": Severity.CRITICAL,
    "Locations": Severity.CRITICAL,
    "Failed work": Severity.CRITICAL,
    "Packages that failed": Severity.CRITICAL,
    "Deletions to approve": Severity.INFORMATION,
}
#: One process evaluates at a time: the key of its advisory lock.
_LOCK: Final = 6_027_734


def evaluate() -> int:
    """Bring alerts in line with the conditions, and tell who is to be told; how many messages were written."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
            (is_ours,) = cursor.fetchone()
        if not is_ours:
            return 0
        groups = attention_groups(look())
        record_conditions(conditions_of(groups), not_all_of={each.title for each in groups if each.more})
    return tell()


def conditions_of(groups: list[AttentionGroup]) -> list[Condition]:
    """One for each cause; of a kind of which not every line is shown, one for all: its lines come and go as others are
    shown.
    """
    found: dict[str, Condition] = {}
    for group in groups:
        severity = SEVERITIES.get(group.title, Severity.WARNING)
        if group.more:
            first = group.lines[0]
            why = f"The first: {first.what}: {first.why}"
            key = f"{group.title} {group.url}"
            found[key] = Condition(key, group.title, severity, "many", why, first.code, group.url, group.count)
            continue
        for line in group.lines:
            key = f"{group.title} {line.cause or line.url}"
            count = found[key].count + 1 if key in found else 1
            why = f"{line.why} {line.then}".strip()
            found[key] = Condition(key, group.title, severity, line.what, why, line.code, line.url, count)
    return list(found.values())


def forget() -> int:
    """Remove what is old; how many rows."""
    return forget_old_messages() + forget_old_alerts() + jobs.remove_expired()


class _Step:
    """Something that is done now and then. A failure is logged, and stops nothing else."""

    def __init__(self, call: Callable[[], Any], seconds: float) -> None:
        self._call, self._seconds, self._next = call, seconds, 0.0

    def run(self) -> None:
        """If it is time."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._seconds
        try:
            self._call()
        except DATABASE_AWAY:
            raise
        except Exception:
            logger.exception("%s failed, next try in %.0f s.", self._call.__name__, self._seconds)


class NotificationLoop:
    """All of it, until SIGTERM."""

    def __init__(self) -> None:
        self._pulse = Pulse("notifications")
        self._steps: tuple[_Step, ...] = (
            _Step(evaluate, EVALUATE_SECONDS),
            _Step(self._serve, 0.0),
            _Step(self._answer, 0.0),
            _Step(forget, FORGET_SECONDS),
        )
        self._threads: dict[int, threading.Thread] = {}
        self._influx: InfluxWriter | None = None
        if settings.INFLUXDB is not None:
            influxdb = InfluxDB(**settings.INFLUXDB)
            self._influx = InfluxWriter(influxdb)
            self._steps = (*self._steps, _Step(self._measure, influxdb.seconds))
        self._answering: threading.Thread | None = None
        self._stopping = False

    def run(self) -> None:
        """Look again and again."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            try:
                self._look()
            except DATABASE_AWAY as error:
                logger.warning("The database does not answer, waiting: %s", str(error).strip())
                connection.close()
            time.sleep(LOOK_SECONDS)
        with unless_away("say that it has stopped"):
            self._pulse.stop([SERVICE])

    def _look(self) -> None:
        if not self._pulse.seconds_left:
            self._pulse.beat([SERVICE], self._waits())
        for step in self._steps:
            step.run()

    def _measure(self) -> None:
        """All figures of now, for the thread that sends them."""
        if self._influx is not None:
            self._influx.offer(lines_of(families(), timezone.now()))

    def _waits(self) -> list[dict[str, str]]:
        """What the first page says under *What waits*."""
        if self._influx is None or not self._influx.trouble:
            return []
        what = f"{self._influx.waiting} batches of figures"
        remedy = "Look at InfluxDB and CCATDC_INFLUXDB_*; the newest are sent when it takes them."
        return [{"stage": "metrics", "what": what, "why": self._influx.trouble, "remedy": remedy}]

    def _serve(self) -> None:
        """A thread for each channel that has work. One that hangs holds up its channel only, and no end of the process."""
        for channel in NotificationChannel.objects.with_work():
            serving = self._threads.get(channel.pk)
            if serving is None or not serving.is_alive():
                thread = threading.Thread(target=self._send, args=[channel], name=f"channel {channel}", daemon=True)
                self._threads[channel.pk] = thread
                thread.start()

    def _send(self, channel: NotificationChannel) -> None:
        try:
            send_waiting(channel, stopping=lambda: self._stopping)
        except DATABASE_AWAY as error:
            logger.warning("The database does not answer; messages of %s wait: %s", channel, error)
        finally:
            connection.close()

    def _answer(self) -> None:
        """A thread for the queries of astronomers that run as jobs: one may take minutes."""
        is_free = self._answering is None or not self._answering.is_alive()
        if is_free and QueryJob.objects.for_work().exists():
            self._answering = threading.Thread(target=self._run_queries, name="queries", daemon=True)
            self._answering.start()

    def _run_queries(self) -> None:
        try:
            jobs.run_waiting(lambda: self._stopping)
        except DATABASE_AWAY as error:
            logger.warning("The database does not answer; queries wait: %s", error)
        finally:
            connection.close()

    def _stop(self, _number: int, _frame: Any) -> None:
        self._stopping = True
