"""*All is well* means: none of these conditions holds. The one list, read by the first page of the portal, ``/health``,
``/metrics``, ``manage.py ops status`` and notifications.

Each condition is a bounded query on a partial index: such rows are rare among millions, and a page shows the first of
them. What docs/operations/monitoring.md says of each stands in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ccatdc.common.states import Status
from ccatdc.portal.attention import copies, expiring, notifications, observations, places, processes, work
from ccatdc.portal.attention.lines import AttentionGroup, Seen, Uncounted, count_together
from datamgmt.models import DataLocation
from transfer.admin.operations import named
from transfer.models import Operation, ServiceHeartbeat

#: Running operations that are looked at, those that have run for longest.
MOST_RUNNING: Final = 48

#: The worst first.
CONDITIONS: Final[tuple[Callable[[Seen], AttentionGroup | Uncounted], ...]] = (
    processes.services,
    expiring.backups,
    places.places,
    places.held_back,
    work.failed,
    work.failed_packages,
    places.switched_off,
    copies.set_aside,
    work.paused,
    work.stalled,
    work.growing,
    copies.old_evidence,
    processes.clocks,
    expiring.tokens,
    notifications.notifications,
    copies.unrecorded,
    copies.approvals,
    observations.overdue,
)


def look() -> Seen:
    """What the conditions share, in three queries."""
    running = named(Operation.objects.non_polymorphic()).filter(status=Status.IN_PROGRESS)
    return Seen(
        locations=list(DataLocation.objects.non_polymorphic().with_site()),
        services=list(ServiceHeartbeat.objects.all()),
        running=list(running.select_related("location__site").order_by("started_at")[:MOST_RUNNING]),
    )


def attention_groups(seen: Seen) -> list[AttentionGroup]:
    """Every kind of which there is some."""
    return [group for group in count_together(condition(seen) for condition in CONDITIONS) if group.count]
