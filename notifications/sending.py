"""Sending what waits: one message after the other of a channel, under the channel's own circuit breaker.

A message is claimed for some minutes, sent, and noted as sent: who dies in between leaves it to be sent again. A channel
that fails is held back for a growing time and uses up nothing; a message that alone is refused waits while others go on,
and is given up after about a day. Runs in ``run_notifications`` and nowhere else, each channel in a thread of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from smtplib import SMTPAuthenticationError, SMTPDataError, SMTPException, SMTPNotSupportedError, SMTPRecipientsRefused
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from ccatdc.common.errors import ConfigurationError
from notifications.models import NotificationChannel, OutgoingMessage
from notifications.models.messages import MAIL_KINDS
from notifications.webhooks import call_for

logger = logging.getLogger(__name__)

#: Seconds that a server may say nothing.
SILENT_SECONDS: Final = 10.0
#: Nobody else sends a message that was claimed for so long.
CLAIM: Final = timedelta(minutes=3)
#: Seconds that a channel which failed is left alone: doubled each time, up to the most.
FIRST_WAIT_SECONDS: Final = 15.0
LONGEST_WAIT_SECONDS: Final = 600.0
#: The same for a message that was refused, and after how many refusals it is given up: about a day.
FIRST_REFUSAL_SECONDS: Final = 60.0
LONGEST_REFUSAL_SECONDS: Final = 3600.0
MOST_REFUSALS: Final = 30
#: What was sent or given up is kept for so long.
KEPT: Final = timedelta(days=30)
_ANSWER_LENGTH: Final = 200
#: Answers that are about the document and not about who sends it.
_REFUSALS: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)


class ChannelError(Exception):
    """The channel does not work, whatever is sent."""


class RefusedError(Exception):
    """This message or its address is refused; others may pass."""


def send_waiting(channel: NotificationChannel, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Send what is due, until nothing is or the channel fails; how many were sent."""
    sent = 0
    while not stopping() and (message := _claim(channel)) is not None:
        try:
            _send(channel, message)
        except RefusedError as refusal:
            _postpone(message, str(refusal))
            _note_works(channel)
        except ChannelError as error:
            _hold_back(channel, message, str(error))
            break
        else:
            _note_sent(channel, message)
            sent += 1
    return sent


@transaction.atomic
def _claim(channel: NotificationChannel) -> OutgoingMessage | None:
    """The next message, which nobody else sends for some time."""
    message = OutgoingMessage.objects.due().filter(channel=channel).select_for_update(skip_locked=True).first()
    if message is not None:
        message.attempts += 1
        OutgoingMessage.objects.filter(pk=message.pk).update(attempts=message.attempts, next_attempt_at=Now() + CLAIM)
    return message


def _send(channel: NotificationChannel, message: OutgoingMessage) -> None:
    if channel.kind in MAIL_KINDS:
        _send_mail(message)
    else:
        _call_webhook(channel, message)


def _send_mail(message: OutgoingMessage) -> None:
    host = urlsplit(settings.PORTAL_URL).hostname or "localhost"
    headers = {"Message-ID": f"<{message.pk}@{host}>", "Auto-Submitted": "auto-generated"}
    server = get_connection(timeout=SILENT_SECONDS)
    mail = EmailMessage(message.subject, message.body, None, [message.address], headers=headers, connection=server)
    try:
        if not mail.send():
            raise RefusedError(f"The mail cannot be sent: {message.address!r} is no address.")
    except SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise RefusedError(f"The mail server refuses {message.address}: {code} {_words(text)}") from error
    except SMTPAuthenticationError as error:
        # Servers repeat what was sent to them: no word of it.
        raise ChannelError(f"The mail server refuses our log-in ({error.smtp_code}).") from error
    except SMTPDataError as error:
        raise RefusedError(f"The mail server refuses the mail: {error.smtp_code} {_words(error.smtp_error)}") from error
    except (SMTPNotSupportedError, ValueError) as error:
        raise RefusedError(f"The mail cannot be sent: {error}") from error
    except (SMTPException, OSError) as error:
        raise ChannelError(f"The mail server fails: {type(error).__name__}: {error}"[:500]) from error


def _call_webhook(channel: NotificationChannel, message: OutgoingMessage) -> None:
    import httpx

    try:
        url, token = channel.secret("URL", required=True), channel.secret("TOKEN")
    except ConfigurationError as error:
        raise ChannelError(str(error)) from error
    call = call_for(channel.kind, message)
    headers = call.headers | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        with httpx.stream(
            call.method,
            url.rstrip("/") + call.path,
            json=call.document,
            headers=headers,
            timeout=SILENT_SECONDS,
            follow_redirects=False,
            trust_env=False,
        ) as answer:
            status = answer.status_code
            first = next(answer.iter_raw(), b"")
    except (httpx.NetworkError, httpx.TimeoutException) as error:
        why = _words(f"{type(error).__name__}: {error}", url, token)
        raise ChannelError(f"The receiver does not answer: {why}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # The text of these may have parts of the address or token in it, which are secrets.
        raise ChannelError(f"The receiver cannot be called: {type(error).__name__}.") from error
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    words = f"HTTP {status}: {_words(first, url, token)}"
    if status in _REFUSALS:
        raise RefusedError(f"The receiver refuses the message: {words}")
    raise ChannelError(f"The receiver fails: {words}")


def _note_sent(channel: NotificationChannel, message: OutgoingMessage) -> None:
    OutgoingMessage.objects.filter(pk=message.pk).update(sent_at=Now(), given_up_at=None, error_message="")
    _note_works(channel)


def _note_works(channel: NotificationChannel) -> None:
    """It answered: its breaker is closed."""
    NotificationChannel.objects.filter(pk=channel.pk).update(
        failures=0, failing_since=None, next_trial_at=None, error_message="", last_success_at=Now()
    )


def _hold_back(channel: NotificationChannel, message: OutgoingMessage, why: str) -> None:
    """The channel waits, and the message with it. The attempt is not counted: it is not the message's fault."""
    with transaction.atomic():
        locked = NotificationChannel.objects.select_for_update().get(pk=channel.pk)
        wait = min(FIRST_WAIT_SECONDS * 2.0**locked.failures, LONGEST_WAIT_SECONDS)
        NotificationChannel.objects.filter(pk=channel.pk).update(
            failures=F("failures") + 1,
            failing_since=Coalesce("failing_since", Now()),
            next_trial_at=Now() + timedelta(seconds=wait),
            error_message=why,
        )
        OutgoingMessage.objects.filter(pk=message.pk).update(
            attempts=F("attempts") - 1, next_attempt_at=Now(), error_message=why
        )
    logger.warning("The channel %s fails; next trial in %.0f s. %s", channel, wait, why)


def _postpone(message: OutgoingMessage, why: str) -> None:
    wait = min(FIRST_REFUSAL_SECONDS * 2.0 ** (message.attempts - 1), LONGEST_REFUSAL_SECONDS)
    is_last = message.attempts >= MOST_REFUSALS
    OutgoingMessage.objects.filter(pk=message.pk).update(
        next_attempt_at=Now() + timedelta(seconds=wait), given_up_at=Now() if is_last else None, error_message=why
    )
    logger.warning("Message %s is %s. %s", message.pk, "given up" if is_last else "refused", why)


def send_again(message: OutgoingMessage) -> None:
    """A person wants it tried now: also one that was given up, for another day."""
    OutgoingMessage.objects.filter(pk=message.pk, sent_at__isnull=True).update(
        given_up_at=None, next_attempt_at=Now(), attempts=0
    )
    NotificationChannel.objects.filter(pk=message.channel_id, next_trial_at__isnull=False).update(next_trial_at=Now())


def forget_old_messages() -> int:
    """Remove what was sent or given up long ago; how many."""
    old = Now() - KEPT
    removed, _ = OutgoingMessage.objects.filter(Q(sent_at__lt=old) | Q(given_up_at__lt=old)).delete()
    return removed


def _words(answer: bytes | str, *secrets: str) -> str:
    """What a server said, as one line, without secrets: whole ones, or the path of an address."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    for secret in secrets:
        for part in (secret, secret.partition("://")[2].partition("/")[2]):
            if part:
                text = text.replace(part, "***")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_ANSWER_LENGTH]
