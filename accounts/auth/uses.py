"""How often something is used, kept in the memory of the process and written now and then: one write a minute, however
many requests come. What a process counted in its last minute is lost when it is killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

#: How exactly the last use of a token or a session is known.
RESOLUTION_SECONDS: Final = 60.0
#: Things that a process remembers; beyond it those that wait for nothing are forgotten.
REMEMBERED: Final = 10_000


class Uses:
    """Counts by key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, float]] = {}

    def note(self, key: str) -> int:
        """One more use. How many are to be written now; 0 within a minute of the last time."""
        now = self._clock()
        with self._lock:
            count, written_at = self._known.get(key, (0, float("-inf")))
            if now - written_at < RESOLUTION_SECONDS:
                self._known[key] = (count + 1, written_at)
                return 0
            self._known[key] = (0, now)
            if len(self._known) > REMEMBERED:
                self._known = {
                    key: (count, at)
                    for key, (count, at) in self._known.items()
                    if count or now - at < RESOLUTION_SECONDS
                }
            return count + 1

    def forget(self) -> None:
        """As after a start of the process."""
        with self._lock:
            self._known.clear()


of_tokens: Final = Uses()
of_sessions: Final = Uses()
