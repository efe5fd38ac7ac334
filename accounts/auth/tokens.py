"""API tokens: ``Authorization: Bearer ccatdc_…`` (``Token`` is accepted too).

One query by a unique index, with the owner's permissions in it, and no password hash.
"""

from __future__ import annotations

from typing import Any, Final

import pghistory
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from accounts.addresses import client_address
from accounts.auth.guessing import refuse_token
from accounts.auth.uses import of_tokens
from accounts.models import ApiToken, Permission, User
from accounts.rates import count_request

SCHEMES: Final = (b"bearer", b"token")


class ApiTokenAuthentication(BaseAuthentication):
    """A token stands for its owner, narrowed by its scopes."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """User and token of the header; None without one; 401 for one that is not usable, 429 for too many of these
        from one address, or for a token that asks too often.
        """
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in SCHEMES:
            return None
        if len(parts) != 2:
            raise exceptions.AuthenticationFailed("Write the header as: Authorization: Bearer <token>")
        try:
            secret = parts[1].decode("ascii")
        except UnicodeDecodeError as error:
            raise exceptions.AuthenticationFailed("The token is not valid.") from error
        token = _token_with_rights(secret)
        if token is None:
            refuse_token(request._request)
            raise exceptions.AuthenticationFailed("The token is not valid: unknown, expired or revoked.")
        count_request(token.pk)
        _note_use(token, request._request)
        # Added to what history keeps of this request, if the request writes.
        pghistory.context(token=token.name)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """What a 401 asks for."""
        return "Bearer"


def _token_with_rights(secret: str) -> ApiToken | None:
    rights = Permission.objects.filter(roles__users=OuterRef("user_id")).order_by()
    tokens = ApiToken.objects.usable().for_secret(secret).select_related("user", "instrument")
    token = tokens.annotate(owner_rights=ArraySubquery(rights.values("codename"))).first()
    if token is None:
        return None
    token.user.remember_permissions(vars(token)["owner_rights"])
    return token


def _note_use(token: ApiToken, request: HttpRequest) -> None:
    count = of_tokens.note(str(token.pk))
    if count:
        ApiToken.objects.filter(pk=token.pk).update(
            last_used_at=timezone.now(), last_used_from=client_address(request), use_count=F("use_count") + count
        )


def user_of(request: Request) -> User:
    """Who asks; 401 for nobody."""
    if not isinstance(request.user, User):
        raise exceptions.NotAuthenticated
    return request.user


def may(request: Any, codename: str) -> bool:
    """Whether this request, by token or by session, has the permission."""
    if isinstance(request.auth, ApiToken):
        return request.auth.may(codename)
    return isinstance(request.user, User) and request.user.may(codename)
