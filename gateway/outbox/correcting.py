"""What an operator does about a call that the main site refused: correct it, send it again, discard it.

Only a refused call is touched: replay leaves its observation alone until then. Who did what and when is written on the
call and in the audit log.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from rest_framework.exceptions import ParseError, ValidationError

from accounts.models import User, record
from ccatdc.common.api.parsers import StrictJsonParser
from ccatdc.common.db.notify import notify_gateway
from ccatdc.common.errors import RequestError
from ccatdc.common.states import transition, transition_all
from datamgmt.api.filing_serializers import FinishSerializer, StartSerializer
from datamgmt.filing.parsing import read_file_reports
from gateway.models import ItemKind, ItemStatus, OutboxItem
from gateway.outbox.accepting import as_text, sequence_of


def resend(item: OutboxItem, person: User) -> None:
    """Send it once more as it is: the cause was at the main site and is gone.

    Raises InvalidTransition when it is not refused any more.
    """
    with transaction.atomic():
        _send_again(item, person)
        record("gateway", f"{item} of {item.of_what} is resent.", about=item, user=person)


def correct(item: OutboxItem, text: str, person: User) -> None:
    """Send it with another body. What is stored here stays as it was filed.

    Raises RequestError for a body that is no call of this kind for this observation, InvalidTransition when the call is
    not refused any more.
    """
    body = _checked(item, text)
    with transaction.atomic():
        new = as_text(body)
        _send_again(
            item,
            person,
            original_body=item.original_body or item.body,
            body=new,
            body_bytes=len(new),
            files=len(body) if item.kind == ItemKind.FILES else 0,
        )
        record("gateway", f"{item} of {item.of_what} was corrected and is resent.", about=item, user=person)


def discard(item: OutboxItem, reason: str, person: User, *, rest: bool = False) -> int:
    """Never send it; with ``rest`` neither what waits behind it. How many calls.

    The main site will not have what they say. Raises RequestError without a reason, InvalidTransition when the call is
    not refused any more.
    """
    if not reason.strip():
        raise _invalid("Say why: the main site will never have this.")
    facts: dict[str, Any] = {"decided_by": person, "decided_at": Now(), "reason": reason.strip()}
    with transaction.atomic():
        transition(item, ItemStatus.DISCARDED, where=Q(status=ItemStatus.DEAD), **facts)
        count = 1
        if rest:
            others = OutboxItem.objects.open().filter(sequence=item.sequence)
            count += transition_all(others, ItemStatus.DISCARDED, **facts)
        what = f"{item} and {count - 1} more" if count > 1 else f"{item}"
        record("gateway", f"{what} of {item.of_what} discarded: {reason.strip()}", about=item, user=person)
        notify_gateway()
    return count


def _send_again(item: OutboxItem, person: User, **columns: Any) -> None:
    transition(item, ItemStatus.WAITING, decided_by=person, decided_at=Now(), not_before=None, attempts=0, **columns)
    notify_gateway()


def _checked(item: OutboxItem, text: str) -> Any:
    """The body, when it is a call of this kind for this observation."""
    try:
        body = StrictJsonParser().parse(BytesIO(text.encode()))
        if item.kind == ItemKind.FILES:
            read_file_reports(body)
            named = {sequence_of(row) for row in body}
        elif item.kind == ItemKind.START:
            start = StartSerializer(data=body)
            start.is_valid(raise_exception=True)
            named = {start.validated_data["id"]}
        else:
            FinishSerializer(data=body).is_valid(raise_exception=True)
            named = {item.sequence}
    except UnicodeEncodeError as error:
        raise _invalid("The text has a character that is none.") from error
    except ParseError as error:
        raise _invalid(str(error.detail)) from error
    except ValidationError as error:
        raise _invalid(_sentence(error.detail)) from error
    if named != {item.sequence}:
        raise _invalid(f"This call is about {item.of_what} only.")
    return body


def _invalid(message: str) -> RequestError:
    return RequestError(message, code="gateway.invalid_correction")


def _sentence(detail: Any) -> str:
    if isinstance(detail, dict):
        return " ".join(f"{name}: {_sentence(member)}" for name, member in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(member) for member in detail)
    return str(detail)
