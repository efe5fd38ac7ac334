"""Observations that end move what was planned: slots are done or missed, units are completed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import SystemLog
from datamgmt.filing.executions import finish_execution
from planning.models import ExecutedObsUnit, ExecutionQuality, ExecutionStatus, ObsUnit, ObsUnitState, SlotStatus
from tests.datamgmt.reports import finish_report
from tests.factories.planning import END, START, ExecutedObsUnitFactory, ObsUnitFactory, PreScheduledSlotFactory
from transfer.managers.slots import SlotManager

pytestmark = pytest.mark.django_db


def end(execution: ExecutedObsUnit, **fields: Any) -> None:
    """Its instrument says that it is over."""
    finish_execution(execution.pk, finish_report(**fields))


def state_of(unit: ObsUnit) -> str:
    return ObsUnit.objects.get(pk=unit.pk).state


class TestSlots:
    @pytest.mark.parametrize("named", [True, False])
    def test_an_observation_that_ends_in_it_makes_a_slot_done(self, named: bool) -> None:
        slot = PreScheduledSlotFactory.create()
        execution = ExecutedObsUnitFactory.create(
            obs_unit=slot.obs_unit, pre_scheduled_slot=slot if named else None, start_time=START + timedelta(minutes=1)
        )
        end(execution)
        slot.refresh_from_db()
        assert slot.status == SlotStatus.DONE

    @pytest.mark.parametrize("status", [ExecutionStatus.ABORTED, ExecutionStatus.FAILED])
    def test_one_that_came_to_nothing_does_not(self, status: str) -> None:
        slot = PreScheduledSlotFactory.create()
        end(ExecutedObsUnitFactory.create(obs_unit=slot.obs_unit, pre_scheduled_slot=slot), status=status)
        slot.refresh_from_db()
        assert slot.status == SlotStatus.PLANNED
        SlotManager().run_once()
        slot.refresh_from_db()
        assert slot.status == SlotStatus.MISSED

    def test_one_that_began_outside_of_it_does_not(self) -> None:
        slot = PreScheduledSlotFactory.create()
        end(ExecutedObsUnitFactory.create(obs_unit=slot.obs_unit, start_time=START - timedelta(seconds=1)))
        slot.refresh_from_db()
        assert slot.status == SlotStatus.PLANNED

    def test_what_passes_with_nothing_is_missed_and_may_turn_out_to_be_done(self) -> None:
        slot = PreScheduledSlotFactory.create()
        SlotManager().run_once()
        slot.refresh_from_db()
        assert slot.status == SlotStatus.MISSED
        end(ExecutedObsUnitFactory.create(obs_unit=slot.obs_unit, pre_scheduled_slot=slot))  # the link was down
        slot.refresh_from_db()
        assert slot.status == SlotStatus.DONE

    def test_while_something_is_observed_in_it_it_waits(self) -> None:
        slot = PreScheduledSlotFactory.create()
        ExecutedObsUnitFactory.create(obs_unit=slot.obs_unit)
        SlotManager().run_once()
        slot.refresh_from_db()
        assert slot.status == SlotStatus.PLANNED

    def test_what_is_to_come_is_left_alone(self) -> None:
        slot = PreScheduledSlotFactory.create(start_time=START, end_time=END + timedelta(days=20000))
        SlotManager().run_once()
        slot.refresh_from_db()
        assert slot.status == SlotStatus.PLANNED

    def test_filing_goes_on_when_its_time_is_anothers_now(self) -> None:
        slot = PreScheduledSlotFactory.create(status=SlotStatus.MISSED)
        execution = ExecutedObsUnitFactory.create(obs_unit=slot.obs_unit, pre_scheduled_slot=slot)
        other = ObsUnitFactory.create(name="another", telescope=slot.telescope)
        PreScheduledSlotFactory.create(obs_unit=other)

        end(execution)

        execution.refresh_from_db()
        slot.refresh_from_db()
        assert (execution.status, slot.status) == (ExecutionStatus.COMPLETED, SlotStatus.MISSED)
        assert SystemLog.objects.filter(message__contains="another one's now").exists()


class TestUnits:
    def observed(self, unit: ObsUnit, hours: float = 0.5, **fields: Any) -> None:
        execution = ExecutedObsUnitFactory.create(obs_unit=unit)
        end(execution, end_time=START + timedelta(hours=hours), **fields)

    def test_completed_after_the_repetitions(self) -> None:
        unit = ObsUnitFactory.create(repetitions_requested=2)
        self.observed(unit)
        assert state_of(unit) == ObsUnitState.ACTIVE
        self.observed(unit)
        assert state_of(unit) == ObsUnitState.COMPLETED

    def test_completed_after_the_time(self) -> None:
        unit = ObsUnitFactory.create(time_goal_h=1.0)
        self.observed(unit, 0.9)
        assert state_of(unit) == ObsUnitState.ACTIVE
        self.observed(unit, 0.1)
        assert state_of(unit) == ObsUnitState.COMPLETED

    def test_with_both_goals_both_count(self) -> None:
        unit = ObsUnitFactory.create(repetitions_requested=1, time_goal_h=1.0)
        self.observed(unit, 0.5)
        assert state_of(unit) == ObsUnitState.ACTIVE
        self.observed(unit, 0.5)
        assert state_of(unit) == ObsUnitState.COMPLETED

    def test_without_a_goal_it_stays_active(self) -> None:
        unit = ObsUnitFactory.create(repetitions_requested=None)
        self.observed(unit)
        assert state_of(unit) == ObsUnitState.ACTIVE

    @pytest.mark.parametrize(
        "fields", [{"quality": ExecutionQuality.BAD}, {"status": ExecutionStatus.ABORTED}, {"status": "failed"}]
    )
    def test_bad_data_and_what_was_aborted_do_not_count(self, fields: dict[str, str]) -> None:
        unit = ObsUnitFactory.create(repetitions_requested=1)
        self.observed(unit, 0.5, **fields)
        assert state_of(unit) == ObsUnitState.ACTIVE

    def test_one_on_hold_is_completed_and_a_cancelled_one_stays_cancelled(self) -> None:
        held = ObsUnitFactory.create(repetitions_requested=1, state=ObsUnitState.ON_HOLD)
        cancelled = ObsUnitFactory.create(name="x", repetitions_requested=1, state=ObsUnitState.CANCELLED)
        self.observed(held)
        self.observed(cancelled)
        assert (state_of(held), state_of(cancelled)) == (ObsUnitState.COMPLETED, ObsUnitState.CANCELLED)
