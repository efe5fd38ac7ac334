"""Notifications that nobody sends, channels that fail, messages that are late or refused: a failed channel is told too, by
the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, Exists, FilteredRelation, Min, Q
from django.db.models.functions import Now

from ccatdc.common.admin.badges import list_url
from ccatdc.portal.attention.lines import AttentionGroup, AttentionLine, Button, Seen, group
from notifications.models import NotificationChannel, NotificationRule
from notifications.models.messages import REFUSED_OFTEN

#: A channel that failed once may succeed at the next trial, some seconds later.
FAILURES: Final = 2
#: A message that could be sent and was not for so long is late.
LATE: Final = timedelta(minutes=10)


def notifications(seen: Seen) -> AttentionGroup:
    """One or two lines for each channel that needs somebody, in one query."""
    rows = _channels()
    lines = [*_no_sender(seen, rows), *(line for row in rows if row.active for line in _of_channel(row))]
    return group("Notifications", lines, list_url("notifications", "outgoingmessage"))


def _channels() -> list[Any]:
    """With what they have not sent, and whether anybody wants to be told of anything."""
    late = Q(unsent__given_up_at__isnull=True, unsent__next_attempt_at__lte=Now() - LATE)
    refused = Q(unsent__attempts__gte=REFUSED_OFTEN)
    unsent = FilteredRelation("messages", condition=Q(messages__sent_at__isnull=True))
    rows = NotificationChannel.objects.alias(unsent=unsent).annotate(
        late=Count("unsent", filter=late),
        late_since=Min("unsent__created_at", filter=late),
        refused=Count("unsent", filter=refused),
        refused_since=Min("unsent__created_at", filter=refused),
        is_wanted=Exists(NotificationRule.objects.filter(active=True)),
    )
    return list(rows)


def _of_channel(row: Any) -> Iterator[AttentionLine]:
    page = list_url("notifications", "notificationchannel")
    if row.failures >= FAILURES:
        yield AttentionLine(
            what=f"{row} fails",
            why=row.error_message,
            since=row.failing_since,
            url=list_url("notifications", "notificationchannel", id__exact=row.pk),
            buttons=(Button("Send a test message", "send_test_selected", page, row.pk),),
            then="Its messages wait; it is tried again at growing intervals.",
        )
    elif row.late:
        yield AttentionLine(
            what=f"{row} does not send",
            why=f"{_messages(row.late)} to be sent for more than {LATE.seconds // 60} minutes.",
            since=row.late_since,
            url=list_url("notifications", "outgoingmessage", channel__id__exact=row.pk, state="waiting"),
            then="Look whether manage.py run_notifications is well.",
        )
    if row.refused:
        yield AttentionLine(
            what=f"{row} is refused",
            why=f"{_messages(row.refused)} refused several times; others go on.",
            since=row.refused_since,
            url=list_url("notifications", "outgoingmessage", channel__id__exact=row.pk, state="refused"),
            then="Each is tried for about a day. Correct the address, then send them again or remove them.",
        )


def _messages(count: int) -> str:
    return "1 message was" if count == 1 else f"{count} messages were"


def _no_sender(seen: Seen, rows: list[Any]) -> Iterator[AttentionLine]:
    """It never ran although somebody wants to be told, or was stopped and something waits. One that is silent is told
    with the other services.
    """
    beats = [each for each in seen.services if each.service_type == "notifications"]
    if any(each.stopped_at is None for each in beats):
        return
    if any((row.active and row.late) or (row.is_wanted and not beats) for row in rows):
        yield AttentionLine(
            what="Sender of notifications",
            why=f"It {'was stopped' if beats else 'never ran'}: nobody is told of anything. Start: "
            "manage.py run_notifications",
            since=beats[0].stopped_at if beats else None,
            url=list_url("transfer", "serviceheartbeat", service_type__exact="notifications"),
        )
