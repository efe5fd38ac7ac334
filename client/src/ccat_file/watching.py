"""Follows one observation at the server until all its packages are archived. Reads only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from ccat_file.answers import seconds_after
from ccat_file.errors import SettingsError, StillWaitingError
from ccat_file.filing import Filing, Observation
from ccat_file.sender import MAX_AFTER, Backoff

if TYPE_CHECKING:
    import httpx

#: Seconds that a server lets one wait, and how long an answer may take then.
_LONGEST: Final = 50.0
_TIMEOUT: Final = 80.0
#: Seconds between two looks while calls are still spooled here.
_SOON: Final = 2.0
ARCHIVED: Final = "archived"
#: Failures that one line tells.
_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of an observation at one moment. ``problem``: why not more."""

    spooled: int
    status: str = ""
    files: int = 0
    size: int = 0
    unpackaged: int = 0
    packages: tuple[tuple[str, int], ...] = ()
    problem: str = ""

    @property
    def is_archived(self) -> bool:
        """It is over, nothing is spooled here, and every file is in an archived package."""
        return (
            not self.spooled
            and not self.problem
            and self.status not in ("", "running")
            and not self.unpackaged
            and all(state == ARCHIVED for state, _ in self.packages)
        )

    def __str__(self) -> str:
        parts = [f"{self.spooled} calls spooled"] if self.spooled else []
        if self.status:
            parts.append(f"{self.status}, {self.files} files, {self.unpackaged} not yet packaged")
            parts += [f"{count} packages {state}" for state, count in self.packages]
        return "; ".join([*parts, *filter(None, [self.problem])]) or "nothing is known yet"


def watch(
    filing: Filing,
    observation: Observation,
    *,
    seconds: float | None = None,
    interval: float = 10.0,
    at: str = "",
    tell: Callable[[Sight], None],
) -> Sight:
    """Follow an observation until it is archived; ``tell`` is told whenever something changes.

    The server is asked to answer when it is archived, at the latest after ``interval`` seconds. ``at`` is its address
    where it is not the one that is filed to: a gateway does not know the archive. Raises RefusedError (a call of it was
    refused), SettingsError (no address, or the token may not read), StillWaitingError after ``seconds``.
    """
    import httpx

    settings = replace(filing.settings, url=at.rstrip("/")) if at else filing.settings
    address = f"{settings.require_url()}/api/executed_obs_units/{observation.id}/wait"
    headers = {"Authorization": f"Bearer {settings.require_token()}"}
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    backoff, last = Backoff(), None
    with httpx.Client(headers=headers, timeout=_TIMEOUT) as client:
        server = _Server(client, address)
        while True:
            began = time.monotonic()
            spooled = _spooled(filing, observation)
            hold = 0.0 if spooled else min(interval, _LONGEST, max(0.0, deadline - began))
            sight, after = server.look(int(hold))
            # What was spooled meanwhile is not on its way to the archive yet.
            sight = replace(sight, spooled=_spooled(filing, observation))
            if sight != last:
                tell(sight)
                last = sight
            if sight.is_archived:
                return sight
            if sight.problem and not sight.status:
                pause = max(interval, backoff.next())
            else:
                backoff.failures = 0
                soon = min(interval, _SOON) if spooled else interval
                pause = soon - (time.monotonic() - began)
            left = deadline - time.monotonic()
            if left <= 0:
                raise StillWaitingError(f"Time is up. {sight}")
            time.sleep(max(0.0, min(max(pause, after), left)))


@dataclass(frozen=True, slots=True)
class _Server:
    """Answers where an observation is. Given ``hold`` seconds, it answers when that is the archive."""

    client: httpx.Client
    address: str

    def look(self, hold: int) -> tuple[Sight, float]:
        """What it says, and for how many seconds it wants to be left alone after."""
        import httpx

        try:
            answer = self._ask(hold)
            after = seconds_after(answer.headers.get("Retry-After", ""))
            if hold and answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                answer = self._ask(0)  # others wait already; looking is always allowed
            document = answer.json()
        except httpx.TransportError as error:
            return Sight(0, problem=f"the server does not answer ({type(error).__name__})"), 0.0
        except (ValueError, httpx.DecodingError):
            document = None
        if not isinstance(document, dict):
            return Sight(0, problem=f"status {answer.status_code}, not from the data center"), 0.0
        after = min(max(after, seconds_after(answer.headers.get("Retry-After", ""))), MAX_AFTER)
        return _sight(answer, document), after

    def _ask(self, hold: int) -> httpx.Response:
        return self.client.get(self.address, params={"state": ARCHIVED, "timeout": hold})


def _sight(answer: httpx.Response, document: dict[str, Any]) -> Sight:
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise SettingsError(f"The server does not let this token read: {document.get('detail')}")
    if answer.status_code == HTTPStatus.NOT_FOUND and "code" in document:
        return Sight(0, problem="the server does not know this observation")
    if not answer.is_success:
        return Sight(0, problem=f"status {answer.status_code}: {document.get('detail')}")
    try:
        execution = document["execution"]
        files = execution["files"]
        return Sight(
            spooled=0,
            status=str(execution["status"]),
            files=int(files["count"]),
            size=int(files["bytes"]),
            unpackaged=int(files["unpackaged"]),
            packages=tuple(sorted((str(k), int(v)) for k, v in execution["packages"].items())),
            problem="; ".join(str(failure["message"]) for failure in document.get("failures", ())[:_TOLD]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Sight(0, problem="the answer is not that of a data center")


def _spooled(filing: Filing, observation: Observation) -> int:
    try:
        observation.wait(0)
    except StillWaitingError:
        own = str(observation.id)
        return sum(entry.observation == own for entry in filing.spool.waiting())
    return 0
