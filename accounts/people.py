"""Who sits in front of a page."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.models import User


def person_of(request: HttpRequest) -> User:
    """The logged-in person. Pages ask for a log-in first, so that nobody else should come here; PermissionDenied if so."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Log in first.")
    return request.user
