"""Putting messages into the queue: in the transaction of what they tell. Nothing is sent here, and nothing waits."""

from __future__ import annotations

from collections.abc import Iterable

from notifications.models import NotificationChannel, OutgoingMessage
from notifications.models.messages import personal_channel

#: Characters of a subject and of a text, at most: Mattermost refuses texts of more than 16,383.
SUBJECT_LENGTH, BODY_LENGTH = 200, 12_000


def queue_message(
    channel: NotificationChannel,
    subject: str,
    body: str,
    *,
    addresses: Iterable[str] | None = None,
    dedup_key: str = "",
) -> int:
    """One message for each address of the channel, or of ``addresses``; how many. What the same cause (``dedup_key``)
    already wrote is not written again.
    """
    to = channel.destinations if addresses is None else addresses
    one_line = f"[CCAT] {' '.join(subject.split())}"[:SUBJECT_LENGTH]
    text = body if len(body) <= BODY_LENGTH else f"{body[: BODY_LENGTH - 6]} [...]"
    rows = [
        OutgoingMessage(channel=channel, address=address, subject=one_line, body=text, dedup_key=dedup_key)
        for address in to
    ]
    OutgoingMessage.objects.bulk_create(rows, ignore_conflicts=bool(dedup_key))
    return len(rows)


def queue_mail(address: str, subject: str, body: str, *, dedup_key: str = "") -> int:
    """A mail to a person; none to who has no address."""
    if not address:
        return 0
    return queue_message(personal_channel(), subject, body, addresses=[address], dedup_key=dedup_key)
