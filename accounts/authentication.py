"""API tokens: ``Authorization: Bearer ccatdc_…`` (``Token`` is accepted too). One indexed query, no password hash."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from accounts.models import ApiToken, User

SCHEMES = (b"bearer", b"token")


class ApiTokenAuthentication(BaseAuthentication):
    """A token stands for its owner, narrowed by its scopes."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """User and token of the header; None without one; 401 for one that is not usable."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in SCHEMES:
            return None
        if len(parts) != 2:
            raise exceptions.AuthenticationFailed(
                "Write the header as: Authorization: Bearer <token>"
            )
        try:
            secret = parts[1].decode("ascii")
        except UnicodeDecodeError as error:
            raise exceptions.AuthenticationFailed("The token is not valid.") from error
        token = (
            ApiToken.objects.usable()
            .for_secret(secret)
            .select_related("user", "instrument")
            .first()
        )
        if token is None:
            raise exceptions.AuthenticationFailed(
                "The token is not valid: unknown, expired or revoked."
            )
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Bearer"


def may(request: Any, codename: str) -> bool:
    """Whether this request, by token or by session, has the permission."""
    if isinstance(request.auth, ApiToken):
        return request.auth.may(codename)
    return isinstance(request.user, User) and request.user.may(codename)
