"""Every error of the API as a problem document: ``application/problem+json`` (RFC 9457).

``title`` is the phrase of the HTTP status, ``code`` (stable) says which of our errors it is, ``detail`` what happened
and what to do, ``retryable`` whether the same call can succeed later. ``errors`` lists what is wrong: ``field``
(dotted), ``code`` and ``message`` of each, and ``index`` of the row in a call with many.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from psycopg.errors import QueryCanceled
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from ccatdc.common.errors import CcatError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
KEPT_HEADERS = ("WWW-Authenticate", "Retry-After", "Allow")
#: Seconds after which a caller should try again when something was away or busy.
RETRY_AFTER_SECONDS = 5
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an error that a view raised; None for a fault of ours: Django reports it."""
    if isinstance(error, CcatError):
        set_rollback()
        seconds = getattr(error, "retry_after", RETRY_AFTER_SECONDS)
        later = {"Retry-After": str(seconds)} if error.http_status in BUSY else {}
        return _response(error.http_status, _of_ccat_error(error), later)
    if isinstance(error, OperationalError | InterfaceError):
        return _of_database(error, context.get("request"))
    if isinstance(error, RequestDataTooBig):
        detail = f"The body has more than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes."
        return _response(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            {"code": "request.too_large", "detail": f"{detail} Send fewer rows at a time."},
        )
    if isinstance(error, SuspiciousOperation):
        set_rollback()
        return _response(HTTPStatus.BAD_REQUEST, {"code": "request.invalid", "detail": str(error)})
    response = exception_handler(error, context)
    if response is None:
        return None
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    return _response(response.status_code, _of_framework_error(error), headers)


def _of_database(error: Exception, request: Any) -> Response:
    if is_too_costly(error):
        set_rollback()
        detail = "The database did not finish the question in time. Ask for less: narrower filters, fewer words."
        return _response(HTTPStatus.UNPROCESSABLE_ENTITY, {"code": "request.too_costly", "detail": detail})
    logger.error("The database did not answer %s", request, exc_info=error)
    body = {"code": "world.database", "detail": "The database did not answer. Try again.", "retryable": True}
    return _response(HTTPStatus.SERVICE_UNAVAILABLE, body, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def is_too_costly(error: Exception) -> bool:
    """Whether the database gave a statement up because it took too long (CCATDC_STATEMENT_TIMEOUT_SECONDS)."""
    return isinstance(error, OperationalError) and isinstance(error.__cause__, QueryCanceled)


def problem_page(status: HTTPStatus, code: str, detail: str) -> JsonResponse:
    """A problem document outside of the framework's views."""
    return JsonResponse(_document(status, {"code": code, "detail": detail}), status=status, content_type=MEDIA_TYPE)


def concerns_api(request: HttpRequest) -> bool:
    """Whether whoever sent this expects a problem document and not a page."""
    return request.path.startswith("/api/")


def _of_ccat_error(error: CcatError) -> dict[str, Any]:
    return {"code": error.code, "detail": str(error), "retryable": error.retryable, **getattr(error, "extra", {})}


def _of_framework_error(error: Exception) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flat(error.get_full_details()))
        first = errors[0] if errors else {"message": "The request has errors."}
        where = f"{first['field']}: " if first.get("field") else ""
        return {"code": "request.invalid", "detail": f"{where}{first['message']}", "errors": errors}
    if isinstance(error, exceptions.APIException):
        code = getattr(error.detail, "code", error.default_code)
        return {"code": f"request.{code}", "detail": str(error.detail)}
    if isinstance(error, Http404):
        return {"code": "request.not_found", "detail": "There is nothing here."}
    if isinstance(error, PermissionDenied):
        return {"code": "request.permission_denied", "detail": str(error) or "You may not do this."}
    raise TypeError(f"The framework answered an error that it does not know: {error!r}")


def _flat(details: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """``{"a": [{"message", "code"}]}`` as rows of field, code and message."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        # Forms and filters may give no code.
        yield {"field": ".".join(path), **details, "code": details["code"] or "invalid"}
    elif isinstance(details, dict):
        for name, member in details.items():
            own = () if name == "non_field_errors" else (str(name),)
            yield from _flat(member, path + own)
    else:
        for member in details:
            yield from _flat(member, path)


def _document(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "retryable": False,
        **body,
    }


def _encodable(value: Any) -> Any:
    """What was sent stands in the answer too, and may hold what UTF-8 cannot."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(member) for member in value]
    return value


def _response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    response = Response(_encodable(_document(status, body)), status=status, headers=headers)
    response.content_type = MEDIA_TYPE
    return response
