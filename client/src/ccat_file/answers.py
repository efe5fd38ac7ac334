"""What an answer to a spooled call means. Between :mod:`ccat_file.sender` and the network.

Only the data center itself can accept or refuse: an answer of a proxy, of a log-in page of a network, of a server that
was set up at the wrong address decides nothing about a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from ccat_file.times import UTC

if TYPE_CHECKING:
    import httpx

_SAID: Final = 500
_AGAIN: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}


class Meaning(Enum):
    ACCEPTED = "accepted"
    REFUSED = "refused"  #: this call, for good
    LATER = "later"  #: this observation waits
    AWAY = "away"  #: nothing that speaks is the server: everything waits
    DENIED = "denied"  #: the token is wrong, not the call: everything waits


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, in words, and when the server wants to be asked again."""

    meaning: Meaning
    said: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    after_seconds: float = 0.0


def judge(response: httpx.Response, expect: Mapping[str, Any]) -> Verdict:
    """What the server's answer to a call means; ``expect`` as the call says."""
    status, document = response.status_code, _document(response)
    code = document.get("code")
    said = f"{status} {code or ''} {document.get('detail') or response.text[:_SAID]}"
    said = " ".join(said.split())
    after = seconds_after(response.headers.get("Retry-After", ""))
    if response.is_success:
        ours = _is_ours(document, expect)
        return Verdict(Meaning.ACCEPTED if ours else Meaning.AWAY, f"answered {said}")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # also of a proxy in front: it will not grow
        return Verdict(Meaning.REFUSED, said, document or {"status": status, "detail": said})
    if not isinstance(code, str) or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Verdict(Meaning.AWAY, said, after_seconds=after)  # too many: of whichever calls
    if status == HTTPStatus.UNAUTHORIZED or code == "request.permission_denied":
        return Verdict(Meaning.DENIED, said, after_seconds=after)
    again = document.get("retryable") is True or status in _AGAIN
    if response.is_client_error and not again:
        return Verdict(Meaning.REFUSED, said, document)
    return Verdict(Meaning.LATER, said, after_seconds=after)


def _document(response: httpx.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_ours(document: Mapping[str, Any], expect: Mapping[str, Any]) -> bool:
    if "rows" in expect:
        try:
            return bool(document["created"] + document["unchanged"] == expect["rows"])
        except (KeyError, TypeError):
            return False
    return bool(expect) and all(document.get(name) == value for name, value in expect.items())


def seconds_after(text: str) -> float:
    """What ``Retry-After`` says, in seconds from now: it is a number of them, or a date."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:  # "-0000": UTC, of an unknown place
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
