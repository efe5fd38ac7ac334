"""Before the flow: log-ins and tokens that were refused, so that guessing is slow. One row for each, for a day.

What was typed as a name is kept only as a keyed hash: people type passwords there.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

#: Rows are of no use when the longest window is over; they are kept somewhat longer, for who looks into it.
KEPT: Final = timedelta(days=1)


class FailedAttemptQuerySet(models.QuerySet["FailedAttempt"]):
    """Questions about failures."""

    def within(self, seconds: float) -> FailedAttemptQuerySet:
        """Of the last seconds."""
        return self.filter(at__gt=timezone.now() - timedelta(seconds=seconds))

    def by_strangers_as(self, account: str) -> FailedAttemptQuerySet:
        """Log-ins to this account from browsers that never logged in to it."""
        return self.filter(account=account, browser="")

    def by_browser(self, browser: str) -> FailedAttemptQuerySet:
        """From a browser that logged in before."""
        return self.filter(browser=browser)

    def log_ins_from(self, address: str) -> FailedAttemptQuerySet:
        """By password, from this address."""
        return self.filter(address=address, browser="").exclude(account="")

    def tokens_from(self, address: str) -> FailedAttemptQuerySet:
        """By token, from this address."""
        return self.filter(address=address, account="")

    def of_account(self, username: str) -> FailedAttemptQuerySet:
        """To the account of this name, from wherever."""
        return self.filter(account=account_key(username))

    def outdated(self) -> FailedAttemptQuerySet:
        """Of no more use."""
        return self.filter(at__lt=timezone.now() - KEPT)


class FailedAttempt(models.Model):
    """A log-in or a token that was refused. ``account`` is empty for a token; ``browser`` names one that logged in to
    the account before.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    address = models.GenericIPAddressField()
    account = models.CharField(max_length=64, blank=True)
    browser = models.CharField(max_length=32, blank=True)

    objects = FailedAttemptQuerySet.as_manager()

    class Meta:
        app_label = "accounts"
        db_table = "failed_attempt"
        indexes = [
            models.Index(fields=["address", "at"], name="failed_attempt_by_address"),
            models.Index(
                fields=["account", "at"], condition=~Q(account=""), name="failed_attempt_by_account"
            ),
            models.Index(
                fields=["browser", "at"], condition=~Q(browser=""), name="failed_attempt_by_browser"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.address}"


def account_key(username: str) -> str:
    """What is kept of a name. Upper and lower case are one: who guesses gains nothing by it."""
    name = username.casefold().encode(errors="replace").decode(errors="replace")
    return salted_hmac("accounts.attempts", name, algorithm="sha256").hexdigest()
