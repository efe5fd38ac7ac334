"""Guessing is slow: what django-axes asks us about failed log-ins, and limits for each address.

django-axes counts failures for the pair of account and address, so that a stranger elsewhere keeps nobody out
(settings: ccatdc/settings/access.py, docs/operations/security.md). The limits for each address are throttles of Django
REST framework; like :mod:`accounts.rates` they are kept by each process, which gives out its part.
"""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any, ClassVar

from axes.signals import user_locked_out
from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac
from rest_framework.throttling import SimpleRateThrottle

from accounts.addresses import client_address
from accounts.models import LogLevel, User, record
from accounts.rates import TooManyRequestsError

logger = logging.getLogger(__name__)


class _OfAddress(SimpleRateThrottle):
    """So many within the window from one address. Rates are ``number/seconds``."""

    default_code: ClassVar[str]

    def get_rate(self) -> str:
        return settings.THROTTLE_RATES[str(self.scope)]

    def parse_rate(self, rate: str | None) -> tuple[int, int]:
        number, _, seconds = str(rate).partition("/")
        return max(1, int(number) // settings.WEB_WORKERS), int(seconds)

    def get_cache_key(self, request: Any, view: Any) -> str:  # noqa: ARG002
        return f"{self.scope}:{client_address(request)}"

    def count(self, request: HttpRequest) -> None:
        """One more. Raises TooManyRequestsError."""
        if not self.allow_request(request, None):  # type: ignore[arg-type]
            raise TooManyRequestsError(
                "Too many of these come from this address.", self.wait() or 1, code=self.default_code
            )


class LogInsOfAddress(_OfAddress):
    scope = "log_in"
    default_code = "log_in.too_many_failures"


class BadTokensOfAddress(_OfAddress):
    scope = "token"
    default_code = "token.too_many_failures"


class AnonymousOfAddress(_OfAddress):
    scope = "anonymous"
    default_code = "request.throttled"


def account_key(username: str) -> str:
    """What is kept of a name that was typed: people type passwords there. Upper and lower case are one."""
    name = username.casefold().encode(errors="replace").decode(errors="replace")
    return salted_hmac("accounts.attempts", name, algorithm="sha256").hexdigest()


def account_of(request: HttpRequest, credentials: dict[str, Any] | None) -> str:  # noqa: ARG001
    """The account of an attempt, for django-axes."""
    return account_key(str((credentials or {}).get("username", "")))


def client_in_log(username: str, ip_address: str, *_: Any) -> str:
    """Who failed, as the processes' log has it."""
    return f"account {username[:8]} from {ip_address}"


def refuse_token(request: HttpRequest) -> None:
    """Count a token that is not valid. Raises TooManyRequestsError for too many from one address; a valid token from
    there is served all the same.
    """
    BadTokensOfAddress().count(request)
    logger.warning("Invalid token from %s", client_address(request))


def locked_out(request: HttpRequest, _response: HttpResponse, _credentials: Any) -> HttpResponse:
    """The answer to somebody who failed too often."""
    return too_many(request, settings.AXES_COOLOFF_TIME.total_seconds())


def too_many(request: HttpRequest, seconds: float) -> HttpResponse:
    """429 as a page that says when to try again."""
    minutes = math.ceil(seconds / 60)
    answer = render(request, "accounts/locked_out.html", {"minutes": minutes}, status=HTTPStatus.TOO_MANY_REQUESTS)
    answer["Retry-After"] = str(math.ceil(seconds))
    return answer


@receiver(user_locked_out, dispatch_uid="accounts.auth.guessing")
def tell(request: HttpRequest, ip_address: str, **_: Any) -> None:
    """The audit log names accounts that exist; anything else may be a password in the wrong field. Once for each lock."""
    if getattr(request, "axes_failures_since_start", None) != settings.AXES_FAILURE_LIMIT:
        return  # it was locked already
    typed = str(getattr(request, "axes_credentials", {}).get("username", ""))
    user = User.objects.filter(username=typed).first()
    whose = f"the account {user}" if user else "a name that is no account"
    message = f"Too many failed log-ins to {whose} from {ip_address}: tries are refused for a while."
    record("log-in", message, about=user, level=LogLevel.WARNING, account=account_key(typed), address=ip_address)
