"""Who may do what: people, their roles, and permissions.

A permission is ``action:resource`` (``write:observations``). A person has the permissions of their roles.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

#: Any of these shows the data of all programs: to look at it, or since filing and mending reach all of it anyway.
ALL_SEEING = ("read:all_programs", "write:observations", "write:transfers")


class Permission(models.Model):
    """One right, written ``action:resource``."""

    codename = models.CharField(max_length=64, unique=True)
    description = models.CharField(max_length=255, blank=True)

    class Meta:
        db_table = "permission"
        ordering = ["codename"]
        constraints = [
            models.CheckConstraint(condition=Q(codename__regex=r"^[a-z]+:[a-z_]+$"), name="permission_codename_form")
        ]

    def __str__(self) -> str:
        return self.codename


class Role(models.Model):
    """A named set of permissions: admin, observer, viewer, service."""

    name = models.CharField(max_length=64, unique=True)
    description = models.CharField(max_length=255, blank=True)
    permissions = models.ManyToManyField(Permission, db_table="role_permission", related_name="roles", blank=True)

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
        """Whether data of every program is shown to them, and not only of their own (accounts/auth/visibility.py)."""
        return any(self.may(codename) for codename in ALL_SEEING)
