"""The root of the API: every app's addresses, their description, and what is not there."""

from __future__ import annotations

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path, resolve
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

import accounts.openapi  # noqa: F401  describes our tokens
from ccatdc.common.problems import concerns_api, problem_page


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """404 as a problem document; says so when only the slash at the end is wrong."""
    other = request.path[:-1] if request.path.endswith("/") else f"{request.path}/"
    detail = f"There is nothing at {request.path}."
    if _exists(other):
        detail += f" Did you mean {other}?"
    return problem_page(HTTPStatus.NOT_FOUND, "request.not_found", detail)


def _exists(address: str) -> bool:
    try:
        return resolve(address).func is not nothing_here
    except Http404:
        return False


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a fault of ours, logged by Django; a problem document where one is expected."""
    if concerns_api(request):
        detail = "The data center made a mistake. It is logged; tell its operators when it was."
        return problem_page(HTTPStatus.INTERNAL_SERVER_ERROR, "internal.error", detail)
    return defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 before a view was reached."""
    if concerns_api(request):
        return problem_page(HTTPStatus.BAD_REQUEST, "request.invalid", "The request is malformed.")
    return defaults.bad_request(request, exception)


urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("observatory.api.urls")),
    path("", include("accounts.api.urls")),
    path("", include("planning.api.urls")),
    path("", include("datamgmt.api.urls")),
    path("", include("transfer.api.urls")),
    path("", include("gateway.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"", nothing_here),
]
