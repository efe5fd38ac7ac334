"""Who may do what: User, Role, Permission, ApiToken; and SystemLog, the append-only diary of what was done by whom.

A permission is ``action:resource`` (``write:observations``). A person has the permissions of their roles; a token has those of
its scopes that its owner's roles hold too, so that a demotion also reaches the tokens.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.attempts import FailedAttempt  # noqa: F401 - a table of this app
from ccatdc.common.history import TABLE, ChangeContext, ChangeTime, ChangeUser, root_of
from ccatdc.common.indexes import words_index
from ccatdc.common.states import known_values
from observatory.models import Instrument

#: Any of these shows the data of all programs: to look at it, or since filing and mending reach all of it anyway.
ALL_SEEING = ("read:all_programs", "write:observations", "write:transfers")
#: Fixed beginning of every token, so that scanners for leaked secrets can find one.
TOKEN_MARK = "ccatdc_"  # noqa: S105


class Permission(models.Model):
    """One right, written ``action:resource``."""

    codename = models.CharField(max_length=64, unique=True)
    description = models.CharField(max_length=255, blank=True)

    class Meta:
        db_table = "permission"
        ordering = ["codename"]
        constraints = [
            models.CheckConstraint(
                condition=Q(codename__regex=r"^[a-z]+:[a-z_]+$"), name="permission_codename_form"
            )
        ]

    def __str__(self) -> str:
        return self.codename


class Role(models.Model):
    """A named set of permissions: admin, observer, viewer, service."""

    name = models.CharField(max_length=64, unique=True)
    description = models.CharField(max_length=255, blank=True)
    permissions = models.ManyToManyField(
        Permission, db_table="role_permission", related_name="roles", blank=True
    )

    class Meta:
        db_table = "role"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person or a service. What they may do follows from their roles; ``is_superuser`` may do everything."""

    full_name = models.CharField(max_length=255, blank=True)
    roles = models.ManyToManyField(Role, db_table="user_role", related_name="users", blank=True)

    class Meta:
        db_table = "user"
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username

    def permission_codenames(self) -> frozenset[str]:
        """The ``action:resource`` strings of all roles, read once per request."""
        cached: frozenset[str] | None = self.__dict__.get("_permission_codenames")
        if cached is None:
            names = Permission.objects.filter(roles__users=self).values_list("codename", flat=True)
            cached = frozenset(names)
            self.__dict__["_permission_codenames"] = cached
        return cached

    def remember_permissions(self, codenames: Iterable[str]) -> None:
        """What another query found already, so that this request does not ask again."""
        self.__dict__["_permission_codenames"] = frozenset(codenames)

    def may(self, codename: str) -> bool:
        """Whether this account, active and through its roles, has the permission."""
        return self.is_active and (self.is_superuser or codename in self.permission_codenames())

    @property
    def sees_all_programs(self) -> bool:
        """Whether data of every program is shown to them, and not only of their own (accounts/visibility.py)."""
        return any(self.may(codename) for codename in ALL_SEEING)


def hash_token(token: str) -> str:
    """The stored form of a token: SHA-256. The token has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Questions about tokens."""

    def usable(self, now: datetime | None = None) -> ApiTokenQuerySet:
        """Not revoked, not expired, of an active owner."""
        now = now or timezone.now()
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            revoked_at__isnull=True,
            user__is_active=True,
        )

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
    instrument = models.ForeignKey(
        Instrument, models.PROTECT, null=True, blank=True, related_name="api_tokens"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_token"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="api_token_name_unique")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({TOKEN_MARK}{self.token_prefix}…)"

    @classmethod
    def issue(cls, **fields: Any) -> tuple[ApiToken, str]:
        """Make a token; returns the row and the secret, which is nowhere else to be had."""
        random_part = secrets.token_urlsafe(32)
        secret = TOKEN_MARK + random_part
        row = cls.objects.create(
            token_hash=hash_token(secret), token_prefix=random_part[:8], **fields
        )
        return row, secret

    def may(self, codename: str) -> bool:
        """What the scopes name and the owner's roles hold."""
        return codename in self.scopes and self.user.may(codename)


class LogLevel(models.TextChoices):
    """How much a line of the diary matters."""

    DEBUG = "debug", "Debug"
    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"
    CRITICAL = "critical", "Critical"


class SystemLog(models.Model):
    """One line of the diary: who did what to which thing, as text, so that it outlives the thing. Append-only."""

    timestamp = models.DateTimeField(default=timezone.now, db_index=True)
    level = models.CharField(max_length=16, choices=LogLevel.choices, default=LogLevel.INFO)
    component = models.CharField(max_length=64)
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    message = models.TextField()
    context = models.JSONField(default=dict, blank=True)
    object_type = models.CharField(max_length=64, blank=True)
    object_id = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "system_log"
        ordering = ["-timestamp"]
        indexes = [
            models.Index(fields=["object_id", "object_type"], name="system_log_object"),
            # The portal's lists and its search: the diary grows with everything that happens.
            models.Index(fields=["level", "-timestamp"], name="system_log_by_level"),
            models.Index(fields=["user", "-timestamp"], name="system_log_by_user"),
            words_index("message", "system_log_words"),
        ]
        constraints = [known_values("level", LogLevel, "system_log_level_known")]

    def __str__(self) -> str:
        return f"{self.timestamp:%Y-%m-%d %H:%M:%S} {self.component}: {self.message}"


class ChangeAction(models.TextChoices):
    """What happened to a row."""

    ADDED = "added", "Added"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"


class ChangeQuerySet(models.QuerySet["Change"]):
    """Questions about history."""

    def about(self, obj: models.Model) -> ChangeQuerySet:
        """What happened to one thing, the newest first."""
        kind = root_of(type(obj))._meta.label_lower
        return self.filter(object_type=kind, object_id=str(obj.pk))

    def outside_accounts(self) -> ChangeQuerySet:
        """Without people, roles and tokens, which not everybody may read."""
        return self.exclude(object_type__startswith="accounts.")


class Change(models.Model):
    """One row that was added, changed or deleted: history, written by triggers of the database, read by people.

    ``changes`` is {column: value} of a row that came or went, {column: [from, to]} of one that changed, {column: null} where
    only the fact may be kept (a password). ``context`` says how: in the portal, through the API, by a command. A kind of
    something (a fixed source) has two tables, ``table_name`` says which; the object is named by its base.
    """

    at = models.DateTimeField(db_default=ChangeTime(), editable=False)
    user = models.ForeignKey(
        User,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_default=ChangeUser(),
        db_index=False,
        related_name="+",
        help_text="Who; empty for a command.",
    )
    context = models.JSONField(db_default=ChangeContext(), help_text="How it was done.")
    action = models.CharField(max_length=16, choices=ChangeAction.choices)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    object_name = models.TextField(help_text="Its name at the time.")
    table_name = models.CharField(max_length=64)
    changes = models.JSONField()

    objects = ChangeQuerySet.as_manager()

    class Meta:
        db_table = TABLE
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_id", "object_type"], name="change_history_object"),
            models.Index(fields=["user", "-id"], name="change_history_by_user"),
            models.Index(fields=["at"], name="change_history_by_time"),
            words_index("object_name", "change_history_name_words"),
        ]
        constraints = [known_values("action", ChangeAction, "change_history_action_known")]

    def __str__(self) -> str:
        return f"{self.object_name}: {self.action}"


def record(
    component: str,
    message: str,
    *,
    about: models.Model | None = None,
    user: User | None = None,
    level: str = LogLevel.INFO,
    **context: Any,
) -> SystemLog:
    """Write one line of the diary about ``about``."""
    return SystemLog.objects.create(
        component=component,
        message=message,
        user=user,
        level=level,
        context=context,
        object_type=about._meta.label_lower if about is not None else "",
        object_id=str(about.pk) if about is not None else "",
    )
