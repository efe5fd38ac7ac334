"""What an API view needs: one ``action:resource`` for each HTTP method, else it is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.auth.tokens import may
from accounts.models import ApiToken
from accounts.people import refusal

if TYPE_CHECKING:  # the framework's views read the setting that names this class
    from rest_framework.views import APIView

#: What a view names that everybody may use who is logged in or has a token.
ANYBODY = "anybody"
#: Methods that need what GET needs.
AS_GET = ("HEAD", "OPTIONS")


class RolePermission(BasePermission):
    """By token or by session: whoever asks has the permission that the view names."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the request may go on; 401 without credentials, 403 with a reason."""
        if not request.user or not request.user.is_authenticated:
            return False
        method = request.method or ""
        needed = needed_for(view, method)
        if needed == ANYBODY or (needed is not None and may(request, needed)):
            return True
        if not hasattr(view, method.lower()):
            return True  # the answer is 405
        raise PermissionDenied(_reason(request, needed))


def needed_for(view: Any, method: str) -> str | None:
    """The permission that a view needs for a method; None: nobody may."""
    needs: Mapping[str, str] = getattr(view, "needs", {})
    needed = needs.get(method)
    if needed is None and method in AS_GET:
        return needs.get("GET") or next(iter(needs.values()), None)
    return needed


def _reason(request: Request, needed: str | None) -> str:
    if needed is None:
        return "Nobody may do this."
    if isinstance(request.auth, ApiToken) and needed not in request.auth.scopes:
        return f"This needs {needed}, which is not among the scopes of this token."
    return refusal(needed)
