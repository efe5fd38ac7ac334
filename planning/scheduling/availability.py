"""Whether obs units may be scheduled, and how soon: set by operators in the portal and by the scheduler through the
API.

States move as planning/models/obs_units.py says: a unit that is completed or cancelled is over, and only taking it up
again as a draft brings it back. Permission is the caller's business.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.models import User
from ccatdc.common.bulk_actions import BulkAction, Outcome
from ccatdc.common.errors import RequestError
from ccatdc.common.states import transition_all
from planning.models import ObsUnit, ObsUnitState, PreScheduledSlot, SlotStatus

COMPONENT = "availability"
#: What the audit log calls a move to a state.
ACTION_NAMES: dict[str, str] = {
    ObsUnitState.DRAFT: "Taken up again as drafts",
    ObsUnitState.ACTIVE: "Activated",
    ObsUnitState.ON_HOLD: "Put on hold",
    ObsUnitState.COMPLETED: "Called completed",
    ObsUnitState.CANCELLED: "Cancelled",
}
#: Lowest and highest priority (a small integer of the database).
PRIORITIES = (-32768, 32767)


def set_obs_units_availability(
    obs_units: QuerySet[ObsUnit], state: str, user: User | None, reason: str = ""
) -> Outcome:
    """Move obs units to a state of :class:`ObsUnitState`; those that may not go there stay, with the reason.

    Raises RequestError for a word that is no state.
    """
    if state not in ObsUnitState.values:
        words = ", ".join(ObsUnitState.values)
        raise RequestError(f"{state!r} is no state of an obs unit.", remedy=f"Give one of {words}.")
    moves = ObsUnit.machines["state"]

    def obstacle(unit: ObsUnit) -> str:
        if unit.state == state:
            return f"{_word(unit.state)} already"
        return "" if state in moves[unit.state] else _word(unit.state)

    def write(units: QuerySet[ObsUnit]) -> None:
        transition_all(units, state, field="state", updated_at=Now())

    action = BulkAction(ACTION_NAMES[state], COMPONENT, obstacle, write)
    return action.on(obs_units.select_related("observing_program"), user=user, reason=reason)


def set_obs_units_priority(obs_units: QuerySet[ObsUnit], priority: int, user: User | None, reason: str = "") -> Outcome:
    """Set the priority (lower is sooner) of units that are not over. Raises RequestError for one out of range."""
    low, high = PRIORITIES
    if not low <= priority <= high:
        raise RequestError(f"A priority lies between {low} and {high}.", remedy="Lower is sooner.")

    def obstacle(unit: ObsUnit) -> str:
        if unit.state in (ObsUnitState.COMPLETED, ObsUnitState.CANCELLED):
            return _word(unit.state)
        return f"priority {priority} already" if unit.priority == priority else ""

    def write(units: QuerySet[ObsUnit]) -> None:
        units.update(priority=priority, updated_at=Now())

    action = BulkAction(f"Set priority {priority}", COMPONENT, obstacle, write)
    return action.on(obs_units.select_related("observing_program"), user=user, reason=reason)


def cancel_slots(slots: QuerySet[PreScheduledSlot], user: User | None, reason: str = "") -> Outcome:
    """Give back the telescope's time of slots that are still planned."""

    def obstacle(slot: PreScheduledSlot) -> str:
        planned = slot.status == SlotStatus.PLANNED
        return "" if planned else str(SlotStatus(slot.status).label).lower()

    def write(slots: QuerySet[PreScheduledSlot]) -> None:
        transition_all(slots, SlotStatus.CANCELLED)

    action = BulkAction("Cancelled", COMPONENT, obstacle, write)
    return action.on(slots.select_related("obs_unit__observing_program"), user=user, reason=reason)


def _word(state: str) -> str:
    return ObsUnitState(state).label.lower()
