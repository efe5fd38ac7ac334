"""Every change that a request makes bears the name of who made it, and how: portal, API or pages.

django-pghistory hands this to the database with each statement that writes; the triggers of history keep it
(ccatdc/common/history.py). A token's name is added where the token is checked (accounts/authentication.py).
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from pghistory.middleware import HistoryMiddleware

#: Beginnings of addresses, and what the requests below them are called; any other is "pages".
HOW = {"/portal/": "portal", "/api/": "api"}


class ChangesBearAName(HistoryMiddleware):
    """Writing requests only (PGHISTORY_MIDDLEWARE_METHODS): reading changes nothing."""

    def get_context(self, request: HttpRequest) -> dict[str, Any]:
        """Who, how and where; a user who is recognised later (a token) is added by the library."""
        how = next((how for start, how in HOW.items() if request.path.startswith(start)), "pages")
        return {**super().get_context(request), "how": how}
