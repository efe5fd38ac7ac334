"""What waits for the main site, since when, and what may go: the figures of the portal, of ``/health`` and of
``gateway_status``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Min, Sum
from django.utils import timezone

from gateway.models import Link, OutboxItem

#: Rows that one pass of pruning deletes.
PRUNED_AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """Calls that the main site does not have yet. ``oldest`` is when the first of them was filed."""

    items: int
    files: int
    observations: int
    oldest: datetime | None
    dead: int

    @property
    def age_seconds(self) -> float:
        """How long the oldest has waited; 0 without any."""
        return 0.0 if self.oldest is None else (timezone.now() - self.oldest).total_seconds()


def backlog() -> Backlog:
    """Counted on the partial index of what is open: two queries."""
    found = OutboxItem.objects.open().aggregate(
        items=Count("id"),
        files=Sum("files", default=0),
        observations=Count("sequence", distinct=True),
        oldest=Min("filed_at"),
    )
    return Backlog(**found, dead=OutboxItem.objects.dead().count())


def look() -> dict[str, Any]:
    """The state of the gateway as ``/health`` shows it; ``warnings`` say what is not as it should be."""
    link, waiting = Link.row(), backlog()
    age = link.reference_age
    warnings = list(_warnings(link, waiting))
    return {
        "status": "degraded" if warnings else "ok",
        "role": "gateway",
        "primary": settings.PRIMARY_URL,
        "link": link_state(link),
        "last_contact": link.last_contact_at,
        "gateway": "alive" if link.process_is_alive else "silent",
        "backlog": {
            "items": waiting.items,
            "files": waiting.files,
            "observations": waiting.observations,
            "oldest_seconds": round(waiting.age_seconds),
        },
        "dead_letters": waiting.dead,
        "reference_age_seconds": None if age is None else round(age.total_seconds()),
        "warnings": warnings,
    }


def link_state(link: Link) -> str:
    """``up``, ``down``, ``denied``, or ``never`` before the first contact."""
    if link.denied:
        return "denied"
    if link.down_since is not None:
        return "down"
    return "never" if link.last_contact_at is None else "up"


def _warnings(link: Link, waiting: Backlog) -> list[str]:
    found = []
    if not link.process_is_alive:
        found.append("run_gateway is not running: nothing is sent.")
    if link.denied:
        found.append(f"The main site does not let this gateway in: {link.trouble}")
    elif not link.is_up:
        found.append(f"The link to the main site is down: {link.trouble or 'never up yet.'}")
    if waiting.age_seconds > settings.GATEWAY_BACKLOG_MAX_SECONDS:
        found.append("What was filed has waited for long.")
    if waiting.dead:
        calls = (
            "1 call: its observation waits" if waiting.dead == 1 else f"{waiting.dead} calls: their observations wait"
        )
        found.append(f"The main site refused {calls} until somebody decides.")
    age = link.reference_age
    if age is None:
        found.append("There is no reference data yet: nothing can be filed.")
    elif age.total_seconds() > settings.GATEWAY_REFERENCE_MAX_SECONDS:
        found.append("The copy of the reference data is old.")
    if link.reference_problem:
        found.append(f"The reference data cannot be refreshed: {link.reference_problem}")
    return found


def prune() -> int:
    """Delete calls that the main site has had for longer than the setting; how many."""
    before = timezone.now() - timedelta(days=settings.GATEWAY_KEEP_DAYS)
    pks = OutboxItem.objects.delivered_before(before).values("pk")[:PRUNED_AT_ONCE]
    return OutboxItem.objects.filter(pk__in=pks).delete()[0]
