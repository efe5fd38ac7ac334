"""Follows one observation at the server until all its packages are archived. Reads only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from ccat_file.errors import SettingsError, StillWaitingError
from ccat_file.filing import Filing, Observation
from ccat_file.sender import Backoff

if TYPE_CHECKING:
    import httpx

_TIMEOUT: Final = 30.0
ARCHIVED: Final = "archived"


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
    interval: float = 5.0,
    tell: Callable[[Sight], None],
) -> Sight:
    """Follow an observation until it is archived; ``tell`` is told whenever something changes.

    Raises RefusedError (a call of it was refused), SettingsError (no address, or the token may not
    read), StillWaitingError after ``seconds``.
    """
    import httpx

    url = filing.settings.require_url()
    headers = {"Authorization": f"Bearer {filing.settings.require_token()}"}
    deadline = None if seconds is None else time.monotonic() + seconds
    backoff, last = Backoff(), None
    with httpx.Client(headers=headers, timeout=_TIMEOUT) as client:
        while True:
            sight = _look(client, url, filing, observation)
            if sight != last:
                tell(sight)
                last = sight
            if sight.is_archived:
                return sight
            away = bool(sight.problem) and not sight.status
            pause = max(interval, backoff.next()) if away else interval
            if not away:
                backoff.failures = 0
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StillWaitingError(f"Time is up. {sight}")
                pause = min(pause, left)
            time.sleep(pause)


def _look(client: httpx.Client, url: str, filing: Filing, observation: Observation) -> Sight:
    import httpx

    spooled = _spooled(filing, observation)
    try:
        answer = client.get(f"{url}/api/executed_obs_units/{observation.id}")
        document = answer.json()
    except httpx.TransportError as error:
        return Sight(spooled, problem=f"the server does not answer ({type(error).__name__})")
    except (ValueError, httpx.DecodingError):
        return Sight(spooled, problem=f"status {answer.status_code}, not from the data center")
    if not isinstance(document, dict):
        return Sight(spooled, problem=f"status {answer.status_code}, not from the data center")
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise SettingsError(f"The server does not let this token read: {document.get('detail')}")
    if answer.status_code == HTTPStatus.NOT_FOUND and "code" in document:
        return Sight(spooled, problem="the server does not know this observation")
    if not answer.is_success:
        return Sight(spooled, problem=f"status {answer.status_code}: {document.get('detail')}")
    return _sight(spooled, document)


def _sight(spooled: int, document: dict[str, Any]) -> Sight:
    try:
        files = document["files"]
        return Sight(
            spooled=spooled,
            status=str(document["status"]),
            files=int(files["count"]),
            size=int(files["bytes"]),
            unpackaged=int(files["unpackaged"]),
            packages=tuple(sorted((str(k), int(v)) for k, v in document["packages"].items())),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return Sight(spooled, problem="the answer is not that of a data center")


def _spooled(filing: Filing, observation: Observation) -> int:
    try:
        observation.wait(0)
    except StillWaitingError:
        own = str(observation.id)
        return sum(entry.observation == own for entry in filing.spool.waiting())
    return 0
