"""Step 0 at the telescope: each accepted call is filed here and, in the same transaction, put into the outbox for the
main site.

The views are those of the main site (datamgmt/api/filing_views.py), wrapped: same checks, same answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from django.db import transaction
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.auth.tokens import user_of
from accounts.models import ApiToken
from ccatdc.common.db.notify import notify_gateway
from ccatdc.common.errors import CcatError
from ccatdc.common.units import duration_text
from datamgmt.api import filing_views
from gateway.link import want_refresh
from gateway.models import ItemKind, Link, OutboxItem
from gateway.outbox.locks import share_reference_data
from planning.models import ExecutedObsUnit, ExecutionStatus

#: Where files are sent, whatever they were filed through.
BULK_PATH: Final = "/api/raw_data_files/bulk"
#: What is wrong when a call names something that this copy of the reference data does not have.
UNKNOWN_CODES: Final = frozenset(
    {
        "filing.unknown_obs_unit",
        "filing.unknown_operator",
        "filing.unknown_module_configuration",
        "filing.unknown_plan",
        "does_not_exist",
    }
)

Handler = Callable[..., Response]
#: Of a request and its answer: kind, sequence, body and number of files of what is to be sent.
Reader = Callable[[Request, dict[str, Any]], Iterator[tuple[str, UUID, Any, int]]]


def remembered(reader: Reader) -> Callable[[Handler], Handler]:
    """Make a handler that files here and puts into the outbox what ``reader`` finds in the call.

    A call that changed nothing here is not sent: the one that did is on its way.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def handle(view: Any, request: Request, **kwargs: Any) -> Response:
            try:
                with transaction.atomic():
                    share_reference_data()
                    ended = "pk" in kwargs and _is_over(kwargs["pk"])
                    response = handler(view, request, **kwargs)
                    if _is_news(response, kwargs, ended=ended):
                        _put(reader(request, kwargs), request)
            except (CcatError, ValidationError) as error:
                if _names_something_unknown(error):
                    _tell_how_old_the_copy_is(error)
                raise
            return response

        return handle

    return decorate


def _is_over(pk: UUID) -> bool:
    """Whether the execution has ended; locks it, so that the call and its place in the order agree."""
    states = ExecutedObsUnit.objects.all_for_update([pk]).values_list("status", flat=True)
    return any(status != ExecutionStatus.RUNNING for status in states)


def _is_news(response: Response, kwargs: dict[str, Any], *, ended: bool) -> bool:
    """Ending an execution answers 200 in any case, everything else 201 when it made something."""
    if "pk" in kwargs:
        return not ended
    return response.status_code == HTTPStatus.CREATED


def _put(calls: Iterator[tuple[str, UUID, Any, int]], request: Request) -> None:
    token = request.auth if isinstance(request.auth, ApiToken) else None
    rows = []
    for kind, sequence, body, files in calls:
        text = as_text(body)
        rows.append(
            OutboxItem(
                kind=kind,
                sequence=sequence,
                data_stream=stream_of(body[0]) if kind == ItemKind.FILES else "",
                method=str(request.method),
                path=BULK_PATH if kind == ItemKind.FILES else request.path,
                body=text,
                body_bytes=len(text),
                files=files,
                token=token,
                user=user_of(request),
            )
        )
    OutboxItem.objects.bulk_create(rows)
    notify_gateway()


def as_text(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"))


def start_of(request: Request, _kwargs: dict[str, Any]) -> Iterator[tuple[str, UUID, Any, int]]:
    body: Any = request.data
    yield ItemKind.START, UUID(body["id"]), body, 0


def finish_of(request: Request, kwargs: dict[str, Any]) -> Iterator[tuple[str, UUID, Any, int]]:
    yield ItemKind.FINISH, kwargs["pk"], request.data, 0


def files_of(request: Request, _kwargs: dict[str, Any]) -> Iterator[tuple[str, UUID, Any, int]]:
    """One list for each observation and data stream: each is sent in its own order."""
    rows = request.data if isinstance(request.data, list) else [request.data]
    by_sequence: dict[UUID, list[Any]] = {}
    for row in rows:
        by_sequence.setdefault(sequence_of(row), []).append(row)
    for sequence, files in by_sequence.items():
        yield ItemKind.FILES, sequence, files, len(files)


def sequence_of(row: Mapping[str, Any]) -> UUID:
    """Within what a row of files is sent in order: the id of its observation, else a UUID made of the data stream."""
    stream = stream_of(row)
    return uuid5(NAMESPACE_OID, f"data_stream/{stream}") if stream else UUID(row["executed_obs_unit"])


def stream_of(row: Mapping[str, Any]) -> str:
    """The data stream of a row of files; empty for one of an observation."""
    if row.get("executed_obs_unit") is not None:
        return ""
    module = row.get("instrument_module") or f"{row.get('instrument')}/{row.get('module')}"
    return f"{module}/{row['data_stream']}"


def _names_something_unknown(error: CcatError | ValidationError) -> bool:
    if isinstance(error, ValidationError):
        return bool(set(_codes(error.get_codes())) & UNKNOWN_CODES)
    rows = getattr(error, "extra", {}).get("errors", [])
    named = {row["code"] for row in rows if row.get("field") != "executed_obs_unit"}
    return bool({error.code, *named} & UNKNOWN_CODES)


def _codes(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list):
        for each in found:
            yield from _codes(each)
    else:
        yield str(found)


def _tell_how_old_the_copy_is(error: CcatError | ValidationError) -> None:
    """Perhaps the main site has it already: says so, and has the copy refreshed."""
    want_refresh()
    age = Link.row().reference_age
    copy = f"is {duration_text(age)} old" if age is not None else "is missing yet"
    hint = (
        f"This is the site gateway: its copy of the reference data {copy}. It is refreshed now if "
        "the main site can be reached; if this should be known, try again in a minute."
    )
    if isinstance(error, CcatError):
        error.remedy = f"{error.remedy} {hint}".strip()
    else:
        error.detail = _with_hint(error.detail, hint)


def _with_hint(detail: Any, hint: str) -> Any:
    if isinstance(detail, dict):
        return {name: _with_hint(member, hint) for name, member in detail.items()}
    if isinstance(detail, list):
        return [_with_hint(member, hint) for member in detail]
    return ErrorDetail(f"{detail} {hint}" if detail.code in UNKNOWN_CODES else detail, detail.code)


class StartExecutionView(filing_views.StartExecutionView):
    """An observation begins: here, and later at the main site."""

    post = remembered(start_of)(filing_views.StartExecutionView.post)


class FinishExecutionView(filing_views.FinishExecutionView):
    """An observation is over: here, and later at the main site."""

    put = remembered(finish_of)(filing_views.FinishExecutionView.put)


class RegisterFileView(filing_views.RegisterFileView):
    """One file: here, and later at the main site."""

    post = remembered(files_of)(filing_views.RegisterFileView.post)


class RegisterFilesView(filing_views.RegisterFilesView):
    """Up to 10,000 files: here, and later at the main site."""

    post = remembered(files_of)(filing_views.RegisterFilesView.post)
