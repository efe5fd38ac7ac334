"""Every change that a request makes bears the name of who made it, and how: portal, API or pages.

django-pghistory passes this to the database with each statement that writes; the triggers of history keep it
(ccatdc/common/audit/triggers.py). A token's name is added where the token is checked (accounts/auth/tokens.py).
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from pghistory.middleware import HistoryMiddleware

from accounts.addresses import client_address
from accounts.auth.uses import of_sessions
from accounts.sessions import note_use
from ccatdc.common.api.problems import is_too_costly

#: Beginnings of addresses, and what the requests below them are called; any other is "pages".
HOW = {"/portal/": "portal", "/api/": "api"}


class KeptByNobody:
    """Answers to somebody who was recognised are for them alone: no cache may keep them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        is_known = "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES
        if is_known and "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-store"
        return response


class UseOfSessions:
    """Remembers when and from where each session was used last."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        key = request.session.session_key
        # Where the database gave a question up, nothing more is asked of it.
        if response.status_code < HTTPStatus.BAD_REQUEST and key is not None and SESSION_KEY in request.session:
            count = of_sessions.note(key)
            if count:
                program = request.headers.get("User-Agent", "")
                note_use(request.session, address=client_address(request), program=program, count=count)
        return response


class TooCostly:
    """A page whose question the database gave up says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """422 as a page; None for any other error."""
        if not is_too_costly(error):
            return None
        return render(request, "too_costly.html", status=HTTPStatus.UNPROCESSABLE_ENTITY)


class ChangesBearAName(HistoryMiddleware):
    """Writing requests only (PGHISTORY_MIDDLEWARE_METHODS): reading changes nothing."""

    def get_context(self, request: HttpRequest) -> dict[str, Any]:
        """Who, how and where; a user who is recognised later (a token) is added by the library."""
        how = next((how for start, how in HOW.items() if request.path.startswith(start)), "pages")
        return {**super().get_context(request), "how": how}
