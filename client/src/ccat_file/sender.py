"""Sends what is spooled: in order within an observation, one process at a time, until it is through.

Killed at any moment it leaves the call in the spool; sent a second time, the server finds the same body under the same
UUID and changes nothing.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ccat_file.answers import Meaning, Verdict, judge
from ccat_file.calls import Entry
from ccat_file.errors import SettingsError, SpoolError
from ccat_file.settings import Settings
from ccat_file.spool import Spool

if TYPE_CHECKING:
    import httpx

FIRST_PAUSE: Final = 0.5
MAX_PAUSE: Final = 60.0
#: A server may ask for a longer pause (Retry-After), but not for one without an end.
MAX_AFTER: Final = 900.0
_LOOK_SECONDS: Final = 0.5
_LOG_BYTES: Final = 1_000_000
_TIMEOUT: Final = 60.0
_CONNECT_TIMEOUT: Final = 10.0


@dataclass(slots=True)
class Backoff:
    """Pauses that double, with jitter, so that the telescope's machines do not knock in step."""

    longest: float = MAX_PAUSE
    failures: int = 0

    def next(self, at_least: float = 0.0) -> float:
        """Seconds until the next try."""
        full = min(self.longest, FIRST_PAUSE * (1 << min(self.failures, 20)))
        self.failures += 1
        pause = full * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return max(pause, min(at_least, MAX_AFTER))


class Sender:
    """Sends the calls of one spool. ``say`` is told what happens, a line at a time."""

    def __init__(
        self, spool: Spool, settings: Settings, *, say: Callable[[str], None], longest_pause: float = MAX_PAUSE
    ) -> None:
        self._spool = spool
        self._settings = settings
        self._say = say
        self._longest = longest_pause
        self._away = Backoff(longest_pause)
        self._slow: dict[str, tuple[Backoff, float]] = {}
        self._client: httpx.Client | None = None

    def run(self, *, forever: bool = False, inherited: int | None = None) -> None:
        """Send until nothing can be sent; ``forever``: and go on when there is more.

        ``inherited`` is the descriptor of the sender's lock that the parent process took. Returns at once when another
        process sends. Raises SettingsError when there is no usable address or token (``forever``: waits for one).
        """
        if inherited is not None:
            try:
                self._send_all(forever)
            finally:
                os.close(inherited)
            if not forever and not self._spool.sendable():
                return
        while True:
            with self._spool.sender_lock() as lock:
                if lock is not None:
                    self._send_all(forever)
            if forever:
                time.sleep(_LOOK_SECONDS)
            # Whoever spooled between the last look and the lock's end relied on this process.
            elif lock is None or not self._spool.sendable():
                return

    def _send_all(self, forever: bool) -> None:
        try:
            self._drain(forever)
        finally:
            self._disconnect()

    def _drain(self, forever: bool) -> None:
        while True:
            entries = self._spool.sendable()
            if not entries:
                return
            held: set[str] = set()
            pause = 0.0
            for entry in entries:
                if entry.observation in held:
                    continue
                left = self._left(entry.observation)
                if left > 0:
                    held.add(entry.observation)
                    pause = min(pause or left, left)
                    continue
                verdict = self._send(entry, forever)
                if verdict.meaning in (Meaning.AWAY, Meaning.DENIED):
                    pause = self._away.next(verdict.after_seconds)
                    self._say(f"{verdict.said}. Everything waits {pause:.1f} s.")
                    self._disconnect()  # the token may be another one then
                    break
                self._away.failures = 0
                if verdict.meaning is Meaning.LATER:
                    held.add(entry.observation)
                    left = self._defer(entry.observation, verdict)
                    pause = min(pause or left, left)
                elif verdict.meaning is Meaning.REFUSED:
                    held.add(entry.observation)
                    self._say(f"Call {entry.number} was refused: {verdict.said}")
                    self._spool.refuse(entry, verdict.answer)
                else:
                    self._slow.pop(entry.observation, None)
                    self._spool.done(entry)
            time.sleep(pause)

    def _send(self, entry: Entry, forever: bool) -> Verdict:
        import httpx

        try:
            call = entry.read()
        except FileNotFoundError:
            return Verdict(Meaning.ACCEPTED, "somebody took it out of the spool")
        except SpoolError as error:
            return Verdict(Meaning.REFUSED, str(error))
        try:
            response = self._connection().request(
                call.method,
                self._settings.require_url() + call.path,
                content=json.dumps(call.body, separators=(",", ":")).encode(),
            )
            verdict = judge(response, call.expect)
        except (httpx.TransportError, httpx.DecodingError) as error:
            said = f"{self._settings.url} does not answer ({type(error).__name__}: {error})"
            return Verdict(Meaning.AWAY, said)
        except (SettingsError, httpx.InvalidURL) as error:
            if forever:
                return Verdict(Meaning.DENIED, str(error))
            raise SettingsError(str(error)) from error
        if verdict.meaning is Meaning.DENIED and not forever:
            raise SettingsError(f"The server does not let this token file: {verdict.said}")
        return verdict

    def _left(self, observation: str) -> float:
        known = self._slow.get(observation)
        return known[1] - time.monotonic() if known else 0.0

    def _defer(self, observation: str, verdict: Verdict) -> float:
        backoff, _ = self._slow.get(observation, (Backoff(self._longest), 0.0))
        pause = backoff.next(verdict.after_seconds)
        self._slow[observation] = (backoff, time.monotonic() + pause)
        self._say(f"{verdict.said}. Observation {observation} waits {pause:.1f} s.")
        return pause

    def _connection(self) -> httpx.Client:
        import httpx

        if self._client is None:
            self._client = httpx.Client(
                headers={
                    "Authorization": f"Bearer {self._settings.require_token()}",
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                },
                timeout=httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT),
            )
        return self._client

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def start_sender(spool: Spool, settings: Settings) -> subprocess.Popen[bytes] | None:
    """Start a process of its own that sends; None when one does already.

    It outlives its parent and inherits the sender's lock: while an interpreter starts, which takes a second on a busy
    computer, no other call starts one more. The token reaches it in its environment, which only its user can read.
    """
    package_folder = str(Path(__file__).parent.parent)
    search = [package_folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, **settings.as_environment(), "PYTHONPATH": os.pathsep.join(search)}
    with spool.sender_lock() as lock:
        if lock is None:
            return None
        with _log(spool) as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ccat_file", "send", "--lock", str(lock)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is not meant for it
                cwd="/",
                pass_fds=[lock],
            )


def _log(spool: Spool) -> IO[bytes]:
    try:
        if spool.log.exists() and spool.log.stat().st_size > _LOG_BYTES:
            spool.log.replace(spool.log.with_suffix(".log.1"))
        return spool.log.open("ab")
    except OSError:  # a full disk: what is spooled is sent all the same, and sending makes room
        return Path(os.devnull).open("ab")
