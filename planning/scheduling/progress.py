"""What an observation that ended means for its plan: its slot is done, and its unit is completed when its goals are
reached. Called by filing (datamgmt/filing/executions.py) in the transaction that ends the observation. Slots that passed
with nothing are missed (transfer/managers/slots.py).
"""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Sum
from django.db.models.functions import Now

from accounts.models import record
from ccatdc.common.states import transition_all
from planning.models import (
    ExecutedObsUnit,
    ExecutionQuality,
    ExecutionStatus,
    ObsUnit,
    ObsUnitState,
    PreScheduledSlot,
    SlotStatus,
)

COMPONENT = "planning"


def note_end(execution: ExecutedObsUnit) -> None:
    """Bring the plan in line with an execution that ended. Only one that was completed fulfils a plan."""
    if execution.status != ExecutionStatus.COMPLETED:
        return
    _close_slot(execution)
    _complete_unit(execution.obs_unit_id)


def _close_slot(execution: ExecutedObsUnit) -> None:
    """The slot that the instrument named, else the unit's slot in which the observation began."""
    slots = PreScheduledSlot.objects.filter(obs_unit=execution.obs_unit_id)
    if execution.pre_scheduled_slot_id is not None:
        slots = slots.filter(pk=execution.pre_scheduled_slot_id)
    else:
        slots = slots.filter(start_time__lte=execution.start_time, end_time__gt=execution.start_time)
    try:
        with transaction.atomic():
            transition_all(slots, SlotStatus.DONE)
    except IntegrityError:
        # It was missed and its time given away since: what was observed is filed all the same.
        record(COMPONENT, f"{execution} was observed in a slot whose time is another one's now.", about=execution)


def _complete_unit(key: int) -> None:
    """Every goal that the unit has is reached: repetitions, and hours between start and end. Bad data do not count."""
    unit = ObsUnit.objects.select_for_update(of=("self",)).get(pk=key)
    if unit.repetitions_requested is None and unit.time_goal_h is None:
        return
    good = ExecutedObsUnit.objects.filter(obs_unit=key, status=ExecutionStatus.COMPLETED)
    done = good.exclude(quality=ExecutionQuality.BAD).aggregate(
        times=Count("pk"), length=Sum(F("end_time") - F("start_time"))
    )
    enough = unit.repetitions_requested is None or done["times"] >= unit.repetitions_requested
    length = done["length"] or timedelta()
    long_enough = unit.time_goal_h is None or length >= timedelta(hours=unit.time_goal_h)
    if not (enough and long_enough):
        return
    rows = ObsUnit.objects.filter(pk=key)
    if transition_all(rows, ObsUnitState.COMPLETED, field="state", updated_at=Now()):
        record(
            COMPONENT,
            f"{unit} is completed: observed {done['times']} times, {length / timedelta(hours=1):.1f} h.",
            about=unit,
        )
