"""How much a person may download at a time: streams, bytes of one, bytes of a day, speed and time.

A stream occupies a thread of a web process. So a process sends few at once, a person has few in all processes together
(rows of Download, renewed while they send), each has a highest speed and a longest time, and a client that takes nothing
is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from ccatdc.common.errors import CcatError, DataIntegrityError, ExternalError, RequestError
from ccatdc.common.units import size_text
from transfer.models import Download
from transfer.models.downloads import DownloadOutcome

GB: Final = 10**9
#: Seconds between two renewals of a row.
RENEWED_AFTER: Final = 15.0
#: The longest pause for the sake of the speed: a proxy in front waits no longer than a minute.
LONGEST_PAUSE: Final = 5.0


class TooManyDownloadsError(ExternalError):
    """The person, or this process, sends as many streams as they may. The same request succeeds later."""

    default_code = "download.too_many"
    http_status = HTTPStatus.TOO_MANY_REQUESTS


class DownloadTooLongError(ExternalError):
    """The stream took as long as one may. Its client goes on with a range."""

    default_code = "download.too_long"


class _Seats:
    """Streams of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def take(self) -> None:
        """One more, or TooManyDownloadsError."""
        with self._lock:
            if self._taken >= settings.DOWNLOAD_STREAMS_PER_PROCESS:
                raise TooManyDownloadsError("Too many downloads run now.", remedy="Try again in a minute.")
            self._taken += 1

    def give_back(self) -> None:
        with self._lock:
            self._taken -= 1


_seats: Final = _Seats()


class Delivery:
    """The bytes of one answer, at the speed that is allowed, with its row. Closed by who sends it, however that ends."""

    def __init__(self, row: Download, blocks: Iterator[bytes]) -> None:
        self._row, self._blocks = row, blocks
        self._began = self._renewed = time.monotonic()
        self._sent = 0
        self._outcome, self._code = DownloadOutcome.CUT, ""
        self._closed = False

    def __iter__(self) -> Delivery:
        return self

    def __next__(self) -> bytes:
        try:
            self._go_on()
            block = next(self._blocks)
        except StopIteration:
            self._outcome = DownloadOutcome.COMPLETE
            raise
        except CcatError as error:
            self._outcome = DownloadOutcome.DAMAGED if isinstance(error, DataIntegrityError) else DownloadOutcome.CUT
            self._code = error.code
            raise
        self._sent += len(block)
        return block

    def close(self) -> None:
        """The row has how it ended; the place is free. Again: nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            close = getattr(self._blocks, "close", None)
            if close is not None:
                close()
            Download.objects.filter(pk=self._row.pk).update(
                sent_bytes=self._sent, seen_at=Now(), outcome=self._outcome, error_code=self._code, ended_at=Now()
            )
        finally:
            _seats.give_back()

    def _go_on(self) -> None:
        """Wait as the speed asks, renew the row; DownloadTooLongError when the time is up."""
        now = time.monotonic()
        if now - self._began > settings.DOWNLOAD_MAX_SECONDS:
            raise DownloadTooLongError(f"A download takes {settings.DOWNLOAD_MAX_SECONDS} s at most.")
        if settings.DOWNLOAD_MB_PER_S > 0:
            ahead = self._sent / (settings.DOWNLOAD_MB_PER_S * 1e6) - (now - self._began)
            if ahead > 0:
                time.sleep(min(ahead, LONGEST_PAUSE))
        if now - self._renewed > RENEWED_AFTER:
            self._renewed = now
            Download.objects.filter(pk=self._row.pk).update(sent_bytes=self._sent, seen_at=Now())


def admit(user: User, *, kind: str, name: str, size: int) -> Download:
    """The row of a new stream of ``size`` bytes, and a place in this process, which :meth:`Delivery.close` or
    :func:`dismiss` gives back.

    RequestError for one that is too large; TooManyDownloadsError for one more than the person may have now or today.
    """
    if size > settings.DOWNLOAD_MAX_GB * GB:
        raise RequestError(
            f"{size_text(size)} are too much for one download: at most {size_text(int(settings.DOWNLOAD_MAX_GB * GB))}.",
            code="download.too_large",
            remedy="Ask for less at a time, or stage it.",
        )
    _seats.take()
    try:
        with transaction.atomic():
            # Two requests of one person do not both take the last place.
            User.objects.select_for_update(no_key=True).get(pk=user.pk)
            _require_allowed(user, size)
            return Download.objects.create(user=user, kind=kind, name=name[:255], size=size)
    except BaseException:
        _seats.give_back()
        raise


def dismiss(row: Download, error: BaseException) -> None:
    """The stream did not begin, because of this error. Its place is free."""
    _seats.give_back()
    code = error.code if isinstance(error, CcatError) else CcatError.default_code
    Download.objects.filter(pk=row.pk).update(outcome=DownloadOutcome.CUT, error_code=code, ended_at=Now())


def _require_allowed(user: User, size: int) -> None:
    own = Download.objects.of(user)
    if own.running().count() >= settings.DOWNLOAD_STREAMS_PER_USER:
        raise TooManyDownloadsError(
            f"You have {settings.DOWNLOAD_STREAMS_PER_USER} downloads now.", remedy="Try again when one has ended."
        )
    today = own.since(timezone.now() - timedelta(days=1)).sent()
    if today + size > settings.DOWNLOAD_MAX_GB_PER_DAY * GB:
        most = size_text(int(settings.DOWNLOAD_MAX_GB_PER_DAY * GB))
        raise TooManyDownloadsError(
            f"You downloaded {size_text(today)} in the last 24 hours; {most} is the most.",
            code="download.too_much_today",
            remedy="Go on tomorrow, or stage it.",
        )
