"""How often somebody may fail or ask: settings (ccatdc/access_settings.py) that log-in and tokens read (accounts/)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """``window_seconds`` is how long a failure counts. ``proxies`` are our own ones that a request passes: so many entries of
    X-Forwarded-For are believed.
    """

    proxies: int
    window_seconds: float
    failures_per_account: int
    failures_per_address: int
    bad_tokens_per_address: int
    #: Of one token, in all ``web_workers`` together; each of them gives out its part.
    token_requests_per_minute: int
    web_workers: int
