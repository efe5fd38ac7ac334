"""How many requests a token may make, counted in the memory of each process: a request that is served costs no query.

Every web process gives out its part of the allowance (settings: WEB_WORKERS), so that all of them together keep the limit
when requests spread evenly, and never exceed it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.conf import settings

from ccatdc.common.errors import ExternalError

#: Tokens that a process remembers; beyond it those with a full allowance are forgotten, which changes nothing for them.
REMEMBERED: Final = 10_000


class TooManyRequestsError(ExternalError):
    """Somebody asks too often. The same request succeeds later: ``retry_after`` says in how many seconds."""

    default_code = "token.too_many_requests"
    http_status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, message: str, retry_after: float, *, code: str | None = None) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        remedy = f"Try again in {self.retry_after} s."
        super().__init__(message, code=code, remedy=remedy)


class Allowances:
    """A bucket for each token: it holds a minute's requests at most and is refilled evenly."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[int, tuple[float, float]] = {}

    def take(self, token_id: int, per_minute: float) -> None:
        """One request of this token. Raises TooManyRequestsError when its allowance is used up."""
        now, rate = self._clock(), per_minute / 60
        with self._lock:
            left, since = self._left.get(token_id, (per_minute, now))
            left = min(per_minute, left + (now - since) * rate)
            if left >= 1:
                self._left[token_id] = (left - 1, now)
                if len(self._left) > REMEMBERED:
                    self._forget_the_idle(now, rate, per_minute)
                return
            self._left[token_id] = (left, now)
        raise TooManyRequestsError("This token makes more requests than it may.", retry_after=(1 - left) / rate)

    def _forget_the_idle(self, now: float, rate: float, per_minute: float) -> None:
        self._left = {
            key: (left, since) for key, (left, since) in self._left.items() if left + (now - since) * rate < per_minute
        }


_allowances: Final = Allowances()


def count_request(token_id: int) -> None:
    """One request of this token, in this process."""
    _allowances.take(token_id, settings.TOKEN_REQUESTS_PER_MINUTE / settings.WEB_WORKERS)
