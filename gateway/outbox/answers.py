"""What an answer of the main site means for the call that was sent. Between replay and the network.

Only the data center itself accepts or refuses: what a proxy or a log-in page of a network answers says nothing about a
call, and it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

import httpx

_SAID: Final = 500
_AWAY: Final = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
#: Refusals of the gateway's own token, not of what it sent.
_DENIED_CODES: Final = {
    "request.permission_denied",
    "request.not_authenticated",
    "request.authentication_failed",
    "token.may_not_relay",
}


class Meaning(Enum):
    ACCEPTED = "accepted"
    REFUSED = "refused"  #: this call, for good
    LATER = "later"  #: this observation waits: the main site failed over this call
    AWAY = "away"  #: the main site is not there: everything waits
    DENIED = "denied"  #: the gateway's token is wrong, not the call: everything waits


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, in words; the problem document; when to ask again."""

    meaning: Meaning
    said: str
    problem: Mapping[str, Any] = field(default_factory=dict)
    after_seconds: float = 0.0


def judge(response: httpx.Response, expect: Mapping[str, Any]) -> Verdict:
    """The meaning of an answer; ``expect`` is what the answer to this call must say when it is ours."""
    status, document = response.status_code, document_of(response)
    code = document.get("code")
    said = f"{status} {code or ''} {document.get('detail') or response.text[:_SAID]}"
    said = " ".join(said.split())
    after = _seconds(response.headers.get("Retry-After", ""))
    if response.is_success:
        ours = bool(expect) and all(document.get(name) == value for name, value in expect.items())
        return Verdict(Meaning.ACCEPTED if ours else Meaning.AWAY, f"answered {said}")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # also of a proxy in front: it will not shrink
        return Verdict(Meaning.REFUSED, said, document or {"status": status, "detail": said})
    if not isinstance(code, str) or status in _AWAY:
        return Verdict(Meaning.AWAY, said, after_seconds=after)
    if status == HTTPStatus.UNAUTHORIZED or code in _DENIED_CODES:
        return Verdict(Meaning.DENIED, said, after_seconds=after)
    if response.is_client_error and document.get("retryable") is not True:
        return Verdict(Meaning.REFUSED, said, document)
    return Verdict(Meaning.LATER, said, document, after_seconds=after)


def document_of(response: httpx.Response) -> Mapping[str, Any]:
    """The JSON object in the body; empty when there is none. ``rows`` counts a bulk call's files."""
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    if isinstance(document.get("created"), int) and isinstance(document.get("unchanged"), int):
        document["rows"] = document["created"] + document["unchanged"]
    return document


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0
