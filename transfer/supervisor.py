"""Watching over the clusters of one or more locations: the process of ``run_location``.

It imports everything once and forks the clusters (transfer/cluster.py), so that seven of them start
in the time of one and share their memory. It sleeps until a process ends, a signal comes, or a
heartbeat is due.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from collections.abc import Iterable
from typing import Any

from datamgmt.models import DataLocation
from transfer import broker
from transfer.cluster import LOOK_SECONDS, Cluster, Phase
from transfer.database import unless_away
from transfer.heartbeats import Pulse
from transfer.pipeline import PIPELINE
from transfer.queues import queues_for
from transfer.sentinel import adopt_orphans


class Supervisor:
    """All clusters of one ``run_location``: ``workers`` clusters of one worker for each location.

    A worker that dies takes its cluster with it, so that several small ones are worth more than one
    with many workers.
    """

    def __init__(self, locations: Iterable[DataLocation], workers: int) -> None:
        self.clusters = [
            Cluster(location.full_name, queues_for(location))
            for location in locations
            for _ in range(workers)
        ]
        self._pulse = Pulse("location")
        self._beaten: set[str] = set()
        self._stops = 0

    def run(self) -> None:
        """Until SIGTERM or SIGINT; a second one gives running operations no more time."""
        _load_everything()
        adopt_orphans()
        bell, ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        with unless_away("offer again what an earlier process had taken"):
            broker.release({queue for each in self.clusters for queue in each.queues})
        try:
            while self._look():
                self._sleep(bell)
        finally:
            signal.set_wakeup_fd(-1)
            for cluster in self.clusters:
                cluster.kill()
        with unless_away("say that it has stopped"):
            self._pulse.stop({cluster.full_name for cluster in self.clusters})

    def _look(self) -> bool:
        """Do what is due; whether anything is left to watch over."""
        for cluster in self.clusters:
            if self._stops:
                cluster.stop(at_once=self._stops > 1)
            cluster.look()
        if not self._stops:
            self._beat()
        return any(cluster.phase != Phase.ENDED for cluster in self.clusters)

    def _beat(self) -> None:
        """When it is due, and at once when another location has come up."""
        if any(each.phase == Phase.STARTING for each in self.clusters):
            return
        running = {each.full_name for each in self.clusters if each.phase == Phase.RUNNING}
        if running and (running - self._beaten or not self._pulse.seconds_left):
            with unless_away("beat"):
                self._pulse.beat(running)
        self._beaten = running

    def _sleep(self, bell: int) -> None:
        """Until a process ends, a signal comes, or something is due."""
        waits = [each.seconds_left for each in self.clusters if each.seconds_left is not None]
        waits.append(self._pulse.seconds_left or 1.0)
        poll = select.poll()
        for descriptor in (bell, *(fd for each in self.clusters for fd in each.descriptors)):
            poll.register(descriptor, select.POLLIN)
        draining = any(each.phase == Phase.DRAINING for each in self.clusters)
        if draining:
            # The dead stay readable: only time passes now.
            time.sleep(LOOK_SECONDS)
        else:
            poll.poll(min(waits) * 1000)
        _empty(bell)

    def _stop(self, _number: int, _frame: Any) -> None:
        self._stops += 1


def _empty(descriptor: int) -> None:
    try:
        while os.read(descriptor, 64):
            pass
    except BlockingIOError:
        return


def _load_everything() -> None:
    """Import what workers need before they are forked: once, and in memory that they share."""
    import transfer.runner  # noqa: F401 - its import connects the signal of messages

    for stage in PIPELINE:
        stage.load_operation()
    gc.collect()
    gc.freeze()
