"""What every API view shares: pages of large tables, and errors as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.core.exceptions import PermissionDenied
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import exception_handler

from ccatdc.common.errors import CcatError


class LargeTablePagination(CursorPagination):
    """Pages by position, not by number: the last page of 10^8 rows costs what the first does."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
    ordering = "-created_at"


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every error of the API as ``application/problem+json`` with a stable ``code``."""
    if isinstance(error, CcatError):
        body = {
            "title": error.message,
            "code": error.code,
            "detail": error.remedy,
            **getattr(error, "extra", {}),
        }
        return _problem(int(error.http_status), body)
    response = exception_handler(error, context)
    if response is None:
        return None
    return _problem(response.status_code, _body_of(error, response), dict(response.items()))


def _body_of(error: Exception, response: Response) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return {
            "title": "The request has errors.",
            "code": "request.invalid",
            "errors": error.get_full_details(),
        }
    if isinstance(error, exceptions.APIException):
        return {"title": str(error.detail), "code": f"request.{error.get_codes()}"}
    if isinstance(error, Http404):
        return {"title": "There is nothing here.", "code": "request.not_found"}
    if isinstance(error, PermissionDenied):
        return {"title": "You may not do this.", "code": "request.not_allowed"}
    return {"title": str(response.data), "code": "request.invalid"}


def _problem(code: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    headers = {
        k: v
        for k, v in (headers or {}).items()
        if k.lower() in {"www-authenticate", "retry-after", "allow"}
    }
    response = Response(
        {"type": "about:blank", "status": code, **body}, status=code, headers=headers
    )
    response.content_type = "application/problem+json"
    return response
