"""Who is told of which alerts: each rule becomes messages in the queue, in one transaction with the note that it was told.

A rule is told of an alert once, and of its end once. What is new in one round is one message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from ccatdc.common.units import duration_text
from notifications.models import Alert, NotificationChannel, NotificationRule, Severity
from notifications.models.messages import personal_channel
from notifications.queueing import queue_message

#: Alerts that one message names; the others are counted.
NAMED: Final = 20
_WHY_SHOWN: Final = 250


def tell() -> int:
    """Every rule whose time has come; how many messages were written."""
    rules = NotificationRule.objects.filter(Q(channel__active=True) | Q(user__is_active=True), active=True)
    return sum(
        _tell(rule) for rule in list(rules.select_related("channel", "user").defer("user__password").order_by("pk"))
    )


@transaction.atomic
def _tell(rule: NotificationRule) -> int:
    locked = NotificationRule.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=rule.pk).first()
    if locked is None:
        return 0
    now = timezone.now()
    raised, resolved = list(Alert.objects.to_raise(locked, now)), list(Alert.objects.to_resolve(locked))
    since = [max(alert.first_seen + locked.delay, alert.silenced_until or alert.first_seen) for alert in raised]
    since += [alert.resolved_at for alert in resolved if alert.resolved_at is not None]
    if not since or min(since) + locked.digest > now:
        return 0
    over = [*resolved, *(alert for alert in raised if not alert.is_open)]
    written = _write(rule, raised, over)
    _note(Alert.raised_to.through, locked, raised)
    _note(Alert.resolved_to.through, locked, over)
    NotificationRule.objects.filter(pk=rule.pk).update(last_told_at=now)
    return written


def _note(through: type, rule: NotificationRule, alerts: Sequence[Alert]) -> None:
    through.objects.bulk_create(  # type: ignore[attr-defined]
        [through(alert_id=alert.pk, notificationrule_id=rule.pk) for alert in alerts]
    )


def _write(rule: NotificationRule, raised: Sequence[Alert], over: Sequence[Alert]) -> int:
    """The message of a rule. A person who may not see the first page any more is told nothing."""
    new = [alert for alert in raised if alert.is_open]
    channel, addresses = _receiver(rule)
    if channel is None:
        return 0
    body = "\n".join(_lines(rule, new, over))
    return queue_message(channel, subject_of(rule, new, over), body, addresses=addresses)


def _receiver(rule: NotificationRule) -> tuple[NotificationChannel | None, list[str] | None]:
    if rule.user is None:
        return rule.channel, None
    return (personal_channel(), [rule.user.email]) if may_be_told(rule.user) else (None, None)


def may_be_told(user: User) -> bool:
    """Alerts tell of all programs, as the first page does: by mail too they are for who may see it."""
    return bool(user.is_active and user.email and user.may("read:observations") and user.sees_all_programs)


def subject_of(rule: NotificationRule, new: Sequence[Alert], over: Sequence[Alert]) -> str:
    """The alert itself where there is one, else how many."""
    if len(new) == 1 and not over:
        words = f"{new[0].get_severity_display()}: {new[0]}"
    elif len(over) == 1 and not new:
        words = f"Resolved: {over[0]}"
    else:
        worst = f"{Severity(max(alert.severity for alert in new)).label}: " if new else ""
        parts = [f"{len(new)} new"] if new else []
        parts += [f"{len(over)} resolved"] if over else []
        words = f"{worst}{', '.join(parts)}"
    if new and rule.after_minutes:
        words += f", not acknowledged for {duration_text(rule.delay)}"
    return words


def _lines(rule: NotificationRule, new: Sequence[Alert], over: Sequence[Alert]) -> Iterator[str]:
    for alert in sorted(new, key=lambda each: -each.severity)[:NAMED]:
        yield f"{alert.get_severity_display().upper()}  {alert}" + (f" ({alert.count})" if alert.count > 1 else "")
        code = f" [{alert.code}]" if alert.code else ""
        yield f"    {' '.join(alert.why.split())[:_WHY_SHOWN]}{code}"
        yield f"    since {_moment(alert.first_seen)}, {settings.PORTAL_URL}{alert.url}"
        yield ""
    for alert in over[:NAMED]:
        lasted = duration_text((alert.resolved_at or alert.last_seen) - alert.first_seen)
        yield f"RESOLVED  {alert}, {_moment(alert.first_seen)}, after {lasted}"
    more = max(0, len(new) - NAMED) + max(0, len(over) - NAMED)
    if more:
        yield f"And {more} more."
    yield ""
    yield f"Acknowledge or silence: {settings.PORTAL_URL}{reverse('admin:notifications_alert_changelist')}"
    if rule.user_id is not None:
        yield f"Choose what you are told: {settings.PORTAL_URL}{reverse('my_notifications')}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def acknowledge(alert: Alert, user: User) -> None:
    """Somebody takes care of it: it is not escalated. Nothing happens to one that is over or acknowledged already."""
    rows = Alert.objects.open().filter(pk=alert.pk, acknowledged_at__isnull=True)
    rows.update(acknowledged_at=timezone.now(), acknowledged_by=user)


def silence(alert: Alert, time: timedelta) -> None:
    """Nobody is told of it, nor of the same cause again, for a time; no time ends a silence."""
    Alert.objects.filter(pk=alert.pk).update(silenced_until=timezone.now() + time if time else None)
