"""What a line of a log is about: ids that are added to every line while a request or an operation is under way.

Lines go to standard error as text or as JSON (settings: CCATDC_LOG_FORMAT). A web process serves requests beside each
other, so that theirs are of the thread; a worker does one operation at a time in several threads, so that its are of
the process.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django.http import HttpRequest, HttpResponse

REQUEST_ID_HEADER: Final = "X-Request-ID"
#: Of a proxy that gives requests an id; anything else is replaced.
_ID: Final = re.compile(r"[0-9A-Za-z_-]{8,64}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")
_of_operation: dict[str, str | int] = {}


def request_id() -> str:
    """Of the request that is served now; empty outside of one."""
    return _request_id.get()


@contextmanager
def about_operation(**ids: str | int) -> Iterator[None]:
    """Every line of this process has these ids until the end of the block."""
    _of_operation.update(ids)
    try:
        yield
    finally:
        _of_operation.clear()


class Ids(logging.Filter):
    """Adds the ids to a line: as attributes, of which JSON makes fields, and as ``ids`` for a line of text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never leaves a line out."""
        found: dict[str, str | int] = {**_of_operation, **({"request_id": request_id()} if request_id() else {})}
        vars(record).update(found)
        record.ids = "".join(f" {name}={value}" for name, value in found.items())
        return True


class RequestIds:
    """Gives each request an id, in its lines and in the header of its answer.

    django-guid does the same for requests; operations need the filter anyhow, and this is the rest.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        token = _request_id.set(given if _ID.fullmatch(given) else uuid.uuid4().hex)
        try:
            response = self._get_response(request)
            response[REQUEST_ID_HEADER] = request_id()
        finally:
            _request_id.reset(token)
        return response
