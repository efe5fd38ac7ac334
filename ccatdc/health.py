"""Is the data center alive? ``GET /health``, for monitors: no log-in, three cheap queries.

200 when the database answers and managers are alive, else 503. A location's worker that fell silent is named and makes
the state ``degraded``, still with 200: the rest goes on, and so does filing.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from transfer.models import ServiceHeartbeat

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    state = look()
    ok = state["database"] == "ok" and state["managers"] == "alive"
    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(state, status=status)


def look() -> dict[str, Any]:
    """``status`` (ok, degraded, down), ``database``, ``managers``, and who fell ``silent``."""
    try:
        managers = ServiceHeartbeat.objects.alive().filter(service_type="managers").exists()
        silent = [f"{beat.service_type} {beat.name}" for beat in ServiceHeartbeat.objects.silent()]
    except (DatabaseError, InterfaceError):
        logger.exception("health: the database did not answer")
        return {"status": "down", "database": "unreachable", "managers": "unknown", "silent": []}
    return {
        "status": "ok" if managers and not silent else "degraded",
        "database": "ok",
        "managers": "alive" if managers else "silent",
        "silent": silent,
    }
