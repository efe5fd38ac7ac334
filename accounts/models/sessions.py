"""Log-ins by browser, with whom they belong to: so that people see their own, and end them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models
from django.utils import timezone

from accounts.models.people import User


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    def of(self, user: User, now: datetime | None = None) -> UserSessionQuerySet:
        """Those that a person can use now, the one that ends last first."""
        return self.filter(user=user, expire_date__gt=now or timezone.now()).order_by("-expire_date")


class UserSessionManager(BaseSessionManager.from_queryset(UserSessionQuerySet)):  # type: ignore[misc]
    """What Django asks of sessions, and what we do."""


class UserSession(AbstractBaseSession):
    """A session of Django's (accounts/sessions.py), with its owner as a column."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")

    objects: ClassVar[Any] = UserSessionManager()

    class Meta:
        verbose_name = "session"
        db_table = "user_session"

    @classmethod
    def get_session_store_class(cls) -> type[Any]:
        """What writes and reads the rows; it imports this model."""
        from accounts.sessions import SessionStore

        return SessionStore
