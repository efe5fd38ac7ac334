"""People, roles and tokens. A user without roles may do nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.auth.guessing import account_key
from accounts.models import ApiToken, FailedLogIn, LogLevel, Permission, Role, SystemLog, User, UserSession
from accounts.sessions import SessionStore

PASSWORD = "correct-horse-battery"


class PermissionFactory(DjangoModelFactory[Permission]):
    """One right, by its codename."""

    class Meta:
        model = Permission
        django_get_or_create = ("codename",)

    codename = "read:observations"


class RoleFactory(DjangoModelFactory[Role]):
    """A role; ``permissions=["read:observations"]`` gives it rights."""

    class Meta:
        model = Role
        django_get_or_create = ("name",)
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"role{n}")

    @factory.post_generation
    def permissions(self: Any, create: bool, extracted: Iterable[str] | None, **_: Any) -> None:
        """Rights by codename."""
        if create and extracted:
            self.permissions.add(*(PermissionFactory(codename=name) for name in extracted))


class UserFactory(DjangoModelFactory[User]):
    """An active person who can log in with :data:`PASSWORD`.

    ``permissions=[...]`` gives rights through a role, and with them the sight of all programs, as operators have it;
    ``sees_all=False`` makes a scientist, who sees the data of their programs.
    """

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda o: f"{o.username}@example.org")
    password = factory.django.Password(PASSWORD)

    @factory.post_generation
    def permissions(self: Any, create: bool, extracted: Iterable[str] | None, **_: Any) -> None:
        """Rights by codename, through a role of this user's own."""
        if create and extracted:
            role = RoleFactory(name=f"role of {self.username}", permissions=extracted)
            self.roles.add(role)

    @factory.post_generation
    def sees_all(self: Any, create: bool, extracted: bool | None, **_: Any) -> None:
        """With any rights, unless it is said otherwise."""
        if create and extracted is not False and self.roles.exists():
            self.roles.add(RoleFactory(name="oversight", permissions=["read:all_programs"]))

    @factory.post_generation
    def roles(self: Any, create: bool, extracted: Iterable[Role] | None, **_: Any) -> None:
        """Roles that exist already."""
        if create and extracted:
            self.roles.add(*extracted)


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """A token; its secret, which is nowhere stored, is the attribute ``secret`` of the new row.

    By default of a user who may file and read, with the same scopes.
    """

    class Meta:
        model = ApiToken

    user = factory.SubFactory(UserFactory, permissions=["read:observations", "write:observations"])
    name = factory.Sequence(lambda n: f"token{n}")
    scopes = factory.LazyFunction(lambda: ["read:observations", "write:observations"])

    @classmethod
    def _create(cls, model_class: type[ApiToken], *_args: Any, **fields: Any) -> ApiToken:
        token, secret = model_class.issue(**fields)
        token.secret = secret  # type: ignore[attr-defined]
        return token


class SystemLogFactory(DjangoModelFactory[SystemLog]):
    """One entry of the audit log."""

    class Meta:
        model = SystemLog

    component = "test"
    level = LogLevel.INFO
    message = "Something was done."


class FailedLogInFactory(DjangoModelFactory[FailedLogIn]):
    """Two wrong passwords for the account ``guessed``."""

    class Meta:
        model = FailedLogIn

    ip_address = "192.0.2.7"
    username = factory.LazyFunction(lambda: account_key("guessed"))
    failures_since_start = 2


class UserSessionFactory(DjangoModelFactory[UserSession]):
    """A log-in on 2026-01-15 from one address, good for ever."""

    class Meta:
        model = UserSession

    user = factory.SubFactory(UserFactory)
    session_key = factory.Sequence(lambda n: f"session{n:025}")
    expire_date = datetime(2126, 1, 15, tzinfo=UTC)

    @factory.lazy_attribute
    def session_data(self: Any) -> str:
        at = "2026-01-15T20:00:00+00:00"
        use = {"began": at, "last": at, "address": "192.0.2.9", "program": "Firefox", "count": 3}
        return SessionStore().encode({"use": use, "_auth_user_id": str(self.user.pk)})
