"""Several files at once: each stream is a thread that moves one file after another, and the lease hears of all together.

Part of stage 30. Threads move bytes and touch no database; what they found is told to the thread that has the operation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from ccatdc.common.errors import CcatError
from transfer.engine.worker.lease import LeaseHandle

Item = TypeVar("Item")
Found = TypeVar("Found")


class Stopped(CcatError):
    """Another stream failed: this one does not go on."""

    default_code = "transport.failed"


@dataclass
class Streams(Generic[Item, Found]):
    """Moves items with ``move(item, lease)``, ``at_once`` of them at a time."""

    lease: LeaseHandle
    at_once: int
    done_before: int = 0
    _done: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(
        self, items: Sequence[Item], move: Callable[[Item, LeaseHandle], Found]
    ) -> Generator[tuple[Item, Callable[[], Found]], None, None]:
        """Each item when its stream is through with it, and what says how it ended: the result, or the error is raised.
        To close the generator ends the other streams.
        """
        if self.at_once == 1:
            for number, item in enumerate(items):
                yield item, partial(move, item, _Stream(self, number))
            return
        with ThreadPoolExecutor(self.at_once, thread_name_prefix="stream") as pool:
            futures = {pool.submit(move, item, _Stream(self, n)): item for n, item in enumerate(items)}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result
            finally:
                self._is_over.set()
                pool.shutdown(cancel_futures=True)

    def check(self, number: int, done_bytes: int | None, total_bytes: int | None) -> None:
        """What one stream tells the lease: the sum of all."""
        if self._is_over.is_set():
            raise Stopped("Another stream failed.")
        with self._lock:
            if done_bytes is not None:
                self._done[number] = done_bytes
            done = self.done_before + sum(self._done.values())
        self.lease.check(done, total_bytes)


@dataclass(frozen=True, slots=True)
class _Stream:
    """The lease as one stream sees it."""

    streams: Streams[Any, Any]
    number: int

    def check(self, done_bytes: int | None = None, total_bytes: int | None = None) -> None:
        self.streams.check(self.number, done_bytes, total_bytes)
