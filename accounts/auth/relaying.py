"""On whose behalf a call comes: a site gateway files what instruments filed there.

Its own token says who sends; the header names the token that the instrument used. Tokens have the same ids at both
sites (gateway/reference).
"""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request

from accounts.auth.tokens import may
from accounts.models import ApiToken
from ccatdc.common.errors import NotAllowedError

#: ``token 17``, or ``person`` for somebody who was logged in.
FILED_BY_HEADER: Final = "X-Ccatdc-Filed-By"
RELAY: Final = "relay:observations"


def filing_token(request: Request) -> ApiToken | None:
    """The token that a filing is recorded under and whose instrument it is held to.

    Raises NotAllowedError for the header of somebody who may not file for others. A token that the main site does not
    know (made at the gateway) is replaced by the gateway's own.
    """
    own = request.auth if isinstance(request.auth, ApiToken) else None
    named = request.headers.get(FILED_BY_HEADER)
    if named is None:
        return own
    if not may(request, RELAY):
        raise NotAllowedError(f"{FILED_BY_HEADER} is for site gateways: it needs {RELAY}.", code="token.may_not_relay")
    if named == "person":
        return None
    kind, _, key = named.partition(" ")
    if kind != "token" or not (key.isascii() and key.isdigit()) or len(key) > 18:
        return own
    return ApiToken.objects.select_related("instrument").filter(pk=int(key)).first() or own
