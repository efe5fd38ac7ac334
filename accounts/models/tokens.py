"""Tokens of programs. A token has those of its scopes that its owner's roles hold too, so that a demotion also reaches it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.people import User
from observatory.models import Instrument

#: Permission of site gateways: to read all that filing needs.
MIRROR: Final = "mirror:reference"
#: Fixed beginning of every token, so that scanners for leaked secrets can find one.
TOKEN_MARK = "ccatdc_"  # noqa: S105


def hash_token(token: str) -> str:
    """The stored form of a token: SHA-256. The token has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, now: datetime | None = None) -> ApiTokenQuerySet:
        """Not revoked, not expired, of an active owner."""
        now = now or timezone.now()
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at__isnull=True, user__is_active=True
        )

    def of_programs(self) -> ApiTokenQuerySet:
        """Of an instrument or of a gateway: what stops when they end."""
        return self.filter(Q(instrument__isnull=False) | Q(scopes__contains=[MIRROR]), revoked_at__isnull=True)

    def ending(self, now: datetime, within: timedelta) -> ApiTokenQuerySet:
        """That end within this time, or ended in the last week, and were used in the month before."""
        ends = Q(expires_at__range=(now - timedelta(days=7), now + within))
        return self.filter(ends, last_used_at__gte=now - timedelta(days=30), user__is_active=True)

    def for_secret(self, token: str) -> ApiTokenQuerySet:
        """The token with this secret: one look-up in a unique index."""
        return self.filter(token_hash=hash_token(token))


class ApiToken(models.Model):
    """A secret for a program. Only its hash is kept; it is shown once, when it is made.

    ``scopes`` lists permissions; ``instrument`` binds the token to the data of one instrument.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=128)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    token_prefix = models.CharField(max_length=8, editable=False)
    scopes = models.JSONField(default=list)
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="api_tokens")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(null=True, blank=True, editable=False)
    use_count = models.PositiveBigIntegerField(default=0, editable=False, help_text="Requests, written once a minute.")

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        db_table = "api_token"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="api_token_name_unique")]

    def __str__(self) -> str:
        return f"{self.name} ({TOKEN_MARK}{self.token_prefix}…)"

    @classmethod
    def issue(cls, **fields: Any) -> tuple[ApiToken, str]:
        """Make a token; returns the row and the secret, which is nowhere else to be had."""
        random_part = secrets.token_urlsafe(32)
        secret = TOKEN_MARK + random_part
        row = cls.objects.create(token_hash=hash_token(secret), token_prefix=random_part[:8], **fields)
        return row, secret

    @property
    def is_usable(self) -> bool:
        """Not revoked and not expired. Its owner may be switched off all the same."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def may(self, codename: str) -> bool:
        """What the scopes name and the owner's roles hold."""
        return codename in self.scopes and self.user.may(codename)
