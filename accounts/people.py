"""Who sits in front of a page, and who may do what they may not."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.models import Permission, Role, User

#: People that a refusal names.
NAMED: Final = 3


def person_of(request: HttpRequest) -> User:
    """The logged-in person. Pages ask for a log-in first, so that nobody else should come here; PermissionDenied if so."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Log in first.")
    return request.user


def who_may(permission: Permission) -> str:
    """The roles that hold a permission, as a sentence says it."""
    names = list(Role.objects.filter(permissions=permission).values_list("name", flat=True))
    return ", ".join(names) or "no role"


def who_gives_roles() -> str:
    """Whom to ask for a role: some of those who manage users, as a sentence says it."""
    people = User.objects.filter(is_active=True, roles__permissions__codename="manage:users").distinct()
    names = [person.full_name or person.username for person in people.order_by("username")[:NAMED]]
    return ", ".join(names) or "whoever manages users"


def refusal(codename: str) -> str:
    """What a person without the permission is told: what is missing, which roles have it, and whom to ask."""
    permission = Permission.objects.filter(codename=codename).first()
    holders = who_may(permission) if permission else "no role"
    return (
        f"This needs {codename}, which your roles do not include. Roles with it: {holders}. Ask: {who_gives_roles()}."
    )
