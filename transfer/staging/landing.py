"""The first page for who is not logged in: what this is, what is public, how to get an account."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from planning.models import ExecutedObsUnit, ObservingProgram
from planning.models.visibility import public

#: Everybody may ask: the database is asked once in so many seconds by each process.
KEPT_SECONDS: Final = 300
MAX_PROGRAMS: Final = 50
_KEY: Final = "landing.public_programs"


def landing(request: HttpRequest) -> HttpResponse:
    """The page."""
    context = {
        "programs": public_programs(),
        "contact": settings.CONTACT,
        "by_github": settings.GITHUB is not None,
        "address": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "landing.html", context)


def public_programs() -> list[dict[str, Any]]:
    """Programs of which something is public, by name."""
    found: list[dict[str, Any]] | None = cache.get(_KEY)
    if found is None:
        observed = ExecutedObsUnit.objects.filter(public(), obs_unit__observing_program=OuterRef("pk"))
        rows = ObservingProgram.objects.filter(Exists(observed), proprietary_days__isnull=False)
        columns = ("pk", "short_name", "name", "proprietary_days")
        found = list(rows.order_by("short_name").values(*columns)[:MAX_PROGRAMS])
        cache.set(_KEY, found, KEPT_SECONDS)
    return found
