"""The root of the API: every app's addresses, their description, and what is not there."""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import get_template
from django.urls import URLPattern, URLResolver, include, path, re_path, resolve
from django.utils.cache import get_conditional_response
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.request import Request

import accounts.auth.schema  # noqa: F401  describes our tokens
from ccatdc.common.api.problems import concerns_api, problem_page
from ccatdc.common.logs import request_id
from ccatdc.me import MeView
from ccatdc.reference.api import PlansView


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
        detail = f"The data center made a mistake. It is logged; tell its operators the request's id: {request_id()}."
        return problem_page(HTTPStatus.INTERNAL_SERVER_ERROR, "internal.error", detail)
    # Without the person: the database may be what failed.
    page = get_template("500.html").render({"request_id": request_id()})
    return HttpResponse(page, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 before a view was reached."""
    if concerns_api(request):
        return problem_page(HTTPStatus.BAD_REQUEST, "request.invalid", "The request is malformed.")
    return defaults.bad_request(request, exception)


@cache
def _description() -> Any:
    generator: Any = SchemaGenerator
    return generator().get_schema(public=True)


@cache
def _described(media_type: str) -> tuple[bytes, str]:
    """The description in one form, and its ETag."""
    renderer = next(each for each in Description.renderer_classes if each.media_type == media_type)()
    rendered = renderer.render(_description(), renderer_context={})
    text = rendered.encode() if isinstance(rendered, str) else bytes(rendered)
    return text, f'"{hashlib.sha256(text).hexdigest()[:32]}"'


def describe() -> None:
    """Make the description of the API, in every form: a second of processor time that no request shall take."""
    for renderer in Description.renderer_classes:
        _described(renderer.media_type)


class Description(SpectacularAPIView):
    """The description of the API (OpenAPI 3), the same for everybody."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> HttpResponseBase:
        """The document; 304 for who has it."""
        media_type = str(getattr(request.accepted_renderer, "media_type", ""))
        text, tag = _described(media_type)
        headers = {"ETag": tag, "Cache-Control": "public, max-age=300"}
        answer = HttpResponse(text, content_type=media_type, headers=headers)
        return get_conditional_response(request._request, etag=tag, response=answer) or answer


urlpatterns: list[URLPattern | URLResolver] = [
    path("me", MeView.as_view()),
    path("plans", PlansView.as_view()),
    path("", include("observatory.api.urls")),
    path("", include("accounts.api.urls")),
    path("", include("planning.api.urls")),
    path("", include("datamgmt.api.urls")),
    path("", include("transfer.api.urls")),
    path("", include("gateway.api.urls")),
    path("schema/", Description.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"", nothing_here),
]
