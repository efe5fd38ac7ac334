"""Is the data center alive? ``GET /health``, for monitors: no log-in, three cheap queries, and every ten seconds those of the first page.

200 when the database answers and managers are alive, else 503. A service that fell silent is named, what needs a person
is counted as on the first page (ccatdc/portal/attention/conditions.py), and both make the state ``degraded``, still with
200: the rest goes on, and so does filing.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from django.core.cache import cache
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ccatdc.portal.attention import conditions
from ccatdc.portal.attention.conditions import attention_groups
from transfer.models import ServiceHeartbeat

#: Anybody may ask: so long the answer of one process is kept.
ATTENTION_SECONDS: Final = 10

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    state = look()
    ok = state["database"] == "ok" and state["managers"] == "alive"
    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse(state, status=status)


def look() -> dict[str, Any]:
    """``status`` (ok, degraded, down), ``database``, ``managers``, who fell ``silent``, and how many things need a person
    (``attention``).
    """
    try:
        managers = ServiceHeartbeat.objects.alive().filter(service_type="managers").exists()
        silent = [f"{beat.service_type} {beat.name}" for beat in ServiceHeartbeat.objects.silent()]
        attention = cache.get_or_set("attention", _count_attention, ATTENTION_SECONDS)
    except (DatabaseError, InterfaceError):
        logger.exception("health: the database did not answer")
        return {"status": "down", "database": "unreachable", "managers": "unknown", "silent": [], "attention": None}
    return {
        "status": "ok" if managers and not silent and not attention else "degraded",
        "database": "ok",
        "managers": "alive" if managers else "silent",
        "silent": silent,
        "attention": attention,
    }


def _count_attention() -> int:
    return sum(group.count for group in attention_groups(conditions.look()))
