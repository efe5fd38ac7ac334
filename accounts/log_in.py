"""Before the flow: somebody logs in with a password, or a token is refused. Guessing is made slow, for each account and each
address, without letting a stranger keep somebody out.

- A browser in which somebody logged in before carries a signed cookie. Its failures count for itself only: whatever strangers
  try, who knows the password gets in with it.
- Everybody else's failures count for the account and for the address. Too many within the window, and further tries are
  refused until the first of them is older than it. Refused tries count for nothing, so the wait has an end.

A try is written down before the password is looked at and struck out when it was right, so that many at once do not pass.
Names that do not exist are treated as those that do.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.addresses import client_address
from accounts.attempts import FailedAttempt, FailedAttemptQuerySet, account_key
from accounts.models import LogLevel, User, record
from accounts.rates import TooManyRequestsError

logger = logging.getLogger(__name__)

COOKIE: Final = "ccatdc_browser"
COOKIE_AGE: Final = timedelta(days=180)
_SALT: Final = "accounts.log_in.browser"


class TooManyFailuresError(TooManyRequestsError):
    """Too many wrong passwords or tokens."""

    default_code = "log_in.too_many_failures"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to log in, which counts as failed until it is known to have succeeded."""

    row: FailedAttempt
    username: str

    def succeeded(self) -> None:
        """Strike it out, with the typing errors before it: those from this browser or this address."""
        rows = FailedAttempt.objects.filter(account=self.row.account)
        same = {"browser": self.row.browser} if self.row.browser else {"address": self.row.address}
        rows.filter(**same).delete()

    def failed(self) -> None:
        """Into the log; who it was stands there as a hash only."""
        logger.warning(
            "Failed log-in to account %s from %s", self.row.account[:8], self.row.address
        )


def begin(request: HttpRequest, username: str) -> Attempt:
    """A try to log in, before the password is looked at. Raises TooManyFailuresError."""
    FailedAttempt.objects.outdated().delete()
    row = FailedAttempt.objects.create(
        address=client_address(request),
        account=account_key(username),
        browser=_known_browser(request, username),
    )
    failures = FailedAttempt.objects.all()
    if row.browser:
        limits = [(failures.by_browser(row.browser), settings.LIMITS.failures_per_account)]
    else:
        limits = [
            (failures.by_strangers_as(row.account), settings.LIMITS.failures_per_account),
            (failures.log_ins_from(row.address), settings.LIMITS.failures_per_address),
        ]
    for rows, limit in limits:
        _require_fewer(rows, limit, row, username)
    return Attempt(row, username)


def refuse_token(request: HttpRequest) -> None:
    """Count a token that is not valid. Raises TooManyFailuresError for too many from one address; a valid token from
    there is served all the same.
    """
    address = client_address(request)
    failures = FailedAttempt.objects.tokens_from(address)
    recent = failures.within(settings.LIMITS.window_seconds)
    limit = settings.LIMITS.bad_tokens_per_address
    if recent[:limit].count() >= limit:
        raise TooManyFailuresError(
            "Too many invalid tokens come from this address.",
            _seconds_left(failures),
            code="token.too_many_failures",
        )
    FailedAttempt.objects.outdated().delete()
    FailedAttempt.objects.create(address=address)
    logger.warning("Invalid token from %s", address)


def remember_browser(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Somebody logged in here: their next failures count for this browser alone."""
    kept = _cookie_of(request)
    nonce = kept["browser"] if kept.get("user") == user.pk else secrets.token_hex(16)
    response.set_cookie(
        COOKIE,
        signing.dumps({"user": user.pk, "browser": nonce}, salt=_SALT),
        max_age=COOKIE_AGE,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
        path=settings.SESSION_COOKIE_PATH,
    )


def _require_fewer(
    rows: FailedAttemptQuerySet, limit: int, row: FailedAttempt, username: str
) -> None:
    count = rows.within(settings.LIMITS.window_seconds)[: limit + 2].count()  # with this one
    if count <= limit:
        return
    seconds = _seconds_left(rows)
    row.delete()
    if not _told_lately(row):
        _tell(row, username)
    raise TooManyFailuresError("Too many failed log-ins.", seconds)


def _seconds_left(rows: FailedAttemptQuerySet) -> float:
    window = timedelta(seconds=settings.LIMITS.window_seconds)
    recent = rows.within(settings.LIMITS.window_seconds).order_by("at")
    first = recent.values_list("at", flat=True).first()
    return 1.0 if first is None else (first + window - timezone.now()).total_seconds()


def _told_lately(row: FailedAttempt) -> bool:
    from accounts.models import SystemLog

    since = timezone.now() - timedelta(seconds=settings.LIMITS.window_seconds)
    lines = SystemLog.objects.filter(component="log-in", timestamp__gt=since)
    return lines.filter(context__account=row.account, context__address=row.address).exists()


def _tell(row: FailedAttempt, username: str) -> None:
    """The diary names accounts that exist; anything else may be a password in the wrong field."""
    user = User.objects.filter(username=username).first()
    whose = f"the account {user}" if user else "a name that is no account"
    record(
        "log-in",
        f"Too many failed log-ins to {whose}, the last from {row.address}: tries are refused for a while.",
        about=user,
        level=LogLevel.WARNING,
        account=row.account,
        address=row.address,
    )


def _known_browser(request: HttpRequest, username: str) -> str:
    """The name of this browser, if somebody logged in to the account with it."""
    kept = _cookie_of(request)
    known = bool(kept) and User.objects.filter(pk=kept["user"], username=username).exists()
    return str(kept["browser"]) if known else ""


def _cookie_of(request: HttpRequest) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = signing.loads(
            request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=COOKIE_AGE
        )
    except signing.BadSignature:
        return {}
    return kept
