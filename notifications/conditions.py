"""Conditions become alerts: what is seen for the first time opens one, what is gone for a while resolves it.

Called by ``run_notifications`` with the list that the first page of the portal shows (ccatdc/portal/conditions.py), so
that both agree.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Max
from django.utils import timezone

from notifications.models import Alert, Severity

#: An alert is resolved when its condition was not seen for so long: what comes and goes is told once.
RESOLVED_AFTER: Final = timedelta(seconds=45)
#: Resolved alerts are kept for so long.
KEPT: Final = timedelta(days=90)
_WHY_LENGTH: Final = 2000
_UPDATED: Final = ("severity", "what", "why", "code", "url", "count", "last_seen")


@dataclass(frozen=True, slots=True)
class Condition:
    """One cause that needs a person now. ``key`` stays the same as long as it is the same cause."""

    key: str
    kind: str
    severity: Severity
    what: str
    why: str = ""
    code: str = ""
    url: str = ""
    count: int = 1


def record_conditions(seen: Collection[Condition], *, not_all_of: Collection[str] = ()) -> None:
    """Bring the alerts in line with all conditions of this moment.

    ``not_all_of``: kinds of which ``seen`` has only some, so that what is missing of them may still be there.
    """
    now = timezone.now()
    conditions = {each.key[:512]: each for each in seen}
    open_alerts = {alert.key: alert for alert in Alert.objects.open().select_for_update()}
    known = [_shown(alert, conditions[key], now) for key, alert in open_alerts.items() if key in conditions]
    Alert.objects.bulk_update(known, _UPDATED)

    new = [key for key in conditions if key not in open_alerts]
    # A silence is about the cause, which may come and go meanwhile.
    silenced = dict(
        Alert.objects.filter(key__in=new, silenced_until__gt=now)
        .order_by()
        .values_list("key")
        .annotate(until=Max("silenced_until"))
    )
    Alert.objects.bulk_create(
        _shown(Alert(key=key, first_seen=now, silenced_until=silenced.get(key)), conditions[key], now) for key in new
    )

    gone = [
        alert.pk
        for key, alert in open_alerts.items()
        if key not in conditions and alert.kind not in not_all_of and alert.last_seen <= now - RESOLVED_AFTER
    ]
    Alert.objects.filter(pk__in=gone).update(resolved_at=now)


def forget_old_alerts() -> int:
    """Remove what was resolved long ago; how many."""
    removed, _ = Alert.objects.filter(resolved_at__lt=timezone.now() - KEPT).delete()
    return removed


def _shown(alert: Alert, condition: Condition, now: object) -> Alert:
    """The alert with what is seen of its condition now."""
    alert.kind, alert.severity = condition.kind[:128], condition.severity
    alert.what, alert.why = condition.what[:255], condition.why[:_WHY_LENGTH]
    alert.code, alert.url = condition.code[:64], condition.url[:512]
    alert.count = condition.count
    alert.last_seen = now  # type: ignore[assignment]
    return alert
