"""Writes all figures to an InfluxDB, version 1 or 2, from time to time: part of ``run_notifications``.

What one look gave is one batch. Batches that could not be sent wait in memory, the newest MOST_BATCHES of them: an InfluxDB
that is away or slow costs figures after about an hour, and nothing else. Its breaker lets it alone for a growing time.
Nothing of the flow knows of it.
"""

from __future__ import annotations

import gzip
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx

logger = logging.getLogger(__name__)

#: Batches that wait for an InfluxDB that is away; of each so many lines go at once.
MOST_BATCHES: Final = 120
LINES_AT_ONCE: Final = 5000
#: Seconds that it may say nothing.
SILENT_SECONDS: Final = 10.0
#: Seconds until it is tried again: doubled each time, up to the most.
FIRST_WAIT_SECONDS: Final = 15.0
LONGEST_WAIT_SECONDS: Final = 600.0
_ANSWER_LENGTH: Final = 200
#: Answers that are about the lines and not about who sends them, or when.
_REFUSALS: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})


class InfluxError(Exception):
    """It did not take what was sent. ``is_refusal``: sending the same again would not help."""

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


@dataclass(frozen=True, slots=True)
class InfluxDB:
    """Where it is. With ``database`` it is version 1, with ``bucket`` version 2."""

    url: str
    database: str = ""
    username: str = ""
    password: str = ""
    bucket: str = ""
    organisation: str = ""
    token: str = ""
    seconds: float = 30.0

    def write(self, lines: Iterable[str]) -> None:
        """Raises InfluxError unless all of it was taken."""
        try:
            with httpx.stream(
                "POST",
                f"{self.url}/api/v2/write" if self.bucket else f"{self.url}/write",
                params=self._where(),
                content=gzip.compress("\n".join(lines).encode(), compresslevel=5, mtime=0),
                headers={"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"} | self._token(),
                auth=(self.username, self.password) if self.username else None,
                timeout=SILENT_SECONDS,
                follow_redirects=False,
                trust_env=False,
            ) as answer:
                status = answer.status_code
                first = next(answer.iter_raw(), b"")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The text of some has the address with all that is in it.
            raise InfluxError(f"InfluxDB does not answer: {type(error).__name__}.") from error
        if status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            raise InfluxError(f"InfluxDB fails: HTTP {status}: {self._words(first)}", is_refusal=status in _REFUSALS)

    def _where(self) -> dict[str, str]:
        if self.bucket:
            return {"org": self.organisation, "bucket": self.bucket, "precision": "s"}
        return {"db": self.database, "precision": "s"}

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.token}"} if self.token else {}

    def _words(self, answer: bytes) -> str:
        """The beginning of what it said, without our secrets."""
        text = answer[: 10 * _ANSWER_LENGTH].decode("utf-8", "replace")
        for secret in filter(None, (self.token, self.password)):
            text = text.replace(secret, "***")
        return "".join(c if c.isprintable() else " " for c in text)[:_ANSWER_LENGTH]


class InfluxWriter:
    """The queue of batches, its breaker, and the thread that sends. ``trouble`` is why it is held back, else empty."""

    def __init__(self, influxdb: InfluxDB) -> None:
        self.trouble = ""
        self._influxdb = influxdb
        self._batches: deque[list[str]] = deque(maxlen=MOST_BATCHES)
        self._failures = 0
        self._not_before = 0.0
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Batches that were not sent."""
        return len(self._batches)

    def offer(self, lines: Iterable[str]) -> None:
        """Take a batch, and have it sent: never waits. When too many wait the oldest is dropped."""
        self._batches.append(list(lines))
        if time.monotonic() >= self._not_before and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self.send, name="influxdb", daemon=True)
            self._thread.start()

    def send(self) -> None:
        """All batches, the oldest first, until one fails."""
        while self._batches:
            batch = self._batches[0]
            try:
                for n in range(0, len(batch), LINES_AT_ONCE):
                    self._influxdb.write(batch[n : n + LINES_AT_ONCE])
            except InfluxError as error:
                if error.is_refusal:
                    self._done(batch)
                self._hold_back(str(error))
                return
            self._done(batch)
            self.trouble, self._failures = "", 0

    def _done(self, batch: list[str]) -> None:
        # Meanwhile the oldest may have been dropped.
        if self._batches and self._batches[0] is batch:
            self._batches.popleft()

    def _hold_back(self, why: str) -> None:
        wait = min(FIRST_WAIT_SECONDS * 2.0**self._failures, LONGEST_WAIT_SECONDS)
        self._failures += 1
        self._not_before = time.monotonic() + wait
        self.trouble = why
        logger.warning("%s Next trial in %.0f s; %d batches wait.", why, wait, self.waiting)
