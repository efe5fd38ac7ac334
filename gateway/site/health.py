"""Is the gateway alive? ``GET /health`` there, for monitors: no log-in, a few cheap queries.

200 as long as its own database answers: filing goes on, so that a link that is down or a backlog makes the state
``degraded`` and no more. 503 when the database is away.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gateway.outbox.backlog import look

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    try:
        state = {"database": "ok", **look()}
    except (DatabaseError, InterfaceError):
        logger.exception("health: the database did not answer")
        down = {"status": "down", "role": "gateway", "database": "unreachable"}
        return JsonResponse(down, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return JsonResponse(state)
