"""What a gateway answers for what only the main site does: staging, and the flow to the archive."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from ccatdc.common.api.problems import problem_page


def first_page(request: HttpRequest, **_: object) -> HttpResponse:
    """What this is, and where the rest is."""
    return render(request, "gateway/home.html", {"primary": settings.PRIMARY_URL})


@csrf_exempt
def at_main_site(request: HttpRequest, *_: object) -> HttpResponse:
    """404 as a problem document that names the main site."""
    detail = f"{request.path} is served by the main site, {settings.PRIMARY_URL}, only."
    return problem_page(HTTPStatus.NOT_FOUND, "gateway.not_here", detail)
