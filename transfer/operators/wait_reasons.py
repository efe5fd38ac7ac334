"""Why a piece of work does not run now, in a sentence for people. Read by the portal, by scientists' pages and by the
API.

An operation waits for one of few reasons: it is paused, its place is off or held back by a breaker, its next attempt is
later, or the workers of its place are busy or not there. What was never planned is told by the managers
(ServiceHeartbeat.waiting).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from ccatdc.common.states import Status
from ccatdc.common.units import duration_text
from transfer.models import CircuitBreaker, Operation, ServiceHeartbeat


class Waiting:
    """The state of workers and breakers, read once for all operations of a page: two queries, or one where ``services``
    are known already.
    """

    def __init__(self, services: Iterable[ServiceHeartbeat] | None = None) -> None:
        if services is None:
            services = ServiceHeartbeat.objects.alive()
        self.workers = {
            service.name
            for service in services
            if service.service_type == "location" and not (service.is_silent or service.stopped_at is not None)
        }
        self.breakers = list(CircuitBreaker.objects.open().with_places())

    def why(self, operation: Operation) -> str:
        """The reason, or an empty text for work that is over or runs well. Needs ``location__site``."""
        if operation.status == Status.IN_PROGRESS:
            return "No byte has moved for a long time." if operation.is_stalled else ""
        if operation.status not in (Status.PENDING, Status.SCHEDULED):
            return ""
        if operation.paused_at:
            return f"Paused: {operation.lost_leases} workers died in it without progress. It goes on after a long wait; Resume starts it."
        return self._place(operation) or self._turn(operation)

    def _place(self, operation: Operation) -> str:
        location = operation.location
        if location.why_off:
            return f"{location.full_name} is {location.why_off}."
        for breaker in self.breakers:
            if breaker.holds(operation) and breaker.next_trial_at is not None:
                return (
                    f"{breaker} is held back after {breaker.failures} failures in a row,"
                    f" tried again {_when(breaker.next_trial_at)}: {breaker.error_message}"
                )
        if location.full_name not in self.workers:
            return f"No worker runs for {location.full_name}."
        return ""

    def _turn(self, operation: Operation) -> str:
        if operation.status == Status.SCHEDULED:
            return f"Waits in the queue of {operation.location.full_name}: its workers are busy."
        left = operation.run_after - timezone.now()
        if left.total_seconds() > 0:
            said = f" after: {operation.error_message}" if operation.error_message else ""
            return f"Attempt {operation.attempts + 1} in {duration_text(left)}{said}"
        return f"Waits for its turn at {operation.location.full_name}."


def _when(moment: datetime) -> str:
    left = moment - timezone.now()
    return f"in {duration_text(left)}" if left.total_seconds() > 0 else "now, with one operation"


def why_waiting(operations: Iterable[Operation], services: Iterable[ServiceHeartbeat] | None = None) -> dict[int, str]:
    """The reason of each operation that waits, by its key."""
    waiting = Waiting(services)
    reasons = {operation.pk: waiting.why(operation) for operation in operations}
    return {pk: reason for pk, reason in reasons.items() if reason}
