"""Slots: a telescope's time is given away once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from planning.models import ObsUnit, PreScheduledSlot, SlotStatus
from tests.factories.observatory import TelescopeFactory
from tests.factories.planning import END, START, ObsUnitFactory, PreScheduledSlotFactory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def test_a_slot_is_on_the_telescope_of_its_unit() -> None:
    slot = PreScheduledSlotFactory.create()

    assert slot.telescope == slot.obs_unit.telescope


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, END),
        (START - MINUTE, START + MINUTE),
        (END - MINUTE, END + MINUTE),
        (START - MINUTE, END + MINUTE),
        (START + MINUTE, END - MINUTE),
    ],
)
def test_two_slots_do_not_overlap(start: datetime, end: datetime) -> None:
    PreScheduledSlotFactory.create()

    with pytest.raises(IntegrityError, match="slot_no_overlap"):
        PreScheduledSlotFactory.create(start_time=start, end_time=end)


def test_a_slot_may_begin_when_another_ends() -> None:
    PreScheduledSlotFactory.create()

    PreScheduledSlotFactory.create(start_time=END, end_time=END + MINUTE)
    PreScheduledSlotFactory.create(start_time=START - MINUTE, end_time=START)

    assert PreScheduledSlot.objects.count() == 3


@pytest.mark.parametrize("status", [SlotStatus.CANCELLED, SlotStatus.MISSED])
def test_a_slot_that_was_given_back_takes_no_time(status: str) -> None:
    PreScheduledSlotFactory.create(status=status)

    PreScheduledSlotFactory.create()

    assert PreScheduledSlot.objects.count() == 2


def test_two_telescopes_work_at_the_same_time() -> None:
    PreScheduledSlotFactory.create()
    other = TelescopeFactory.create(short_name="nanten", name="NANTEN2")

    PreScheduledSlotFactory.create(obs_unit=ObsUnitFactory.create(telescope=other))

    assert PreScheduledSlot.objects.count() == 2


def test_a_unit_does_not_move_to_a_telescope_that_is_taken() -> None:
    PreScheduledSlotFactory.create()
    other = TelescopeFactory.create(short_name="nanten", name="NANTEN2")
    unit = ObsUnitFactory.create(telescope=other)
    PreScheduledSlotFactory.create(obs_unit=unit)

    with pytest.raises(IntegrityError, match="slot_no_overlap"):
        ObsUnit.objects.filter(pk=unit.pk).update(telescope=TelescopeFactory.create())


def test_a_slot_cannot_be_put_on_a_telescope_that_is_not_its_units() -> None:
    PreScheduledSlotFactory.create()
    other = TelescopeFactory.create(short_name="nanten", name="NANTEN2")

    with pytest.raises(IntegrityError, match="slot_telescope_is_the_units"):
        PreScheduledSlot.objects.update(telescope=other)


def test_a_slot_ends_after_it_starts() -> None:
    slot = PreScheduledSlotFactory.build(obs_unit=ObsUnitFactory.create(), start_time=END, end_time=START)

    with pytest.raises(ValidationError, match="ends before it starts"):
        slot.clean()
    slot.end_time = END
    with pytest.raises(IntegrityError, match="slot_ends_after_start"):
        slot.save()


def test_a_form_names_the_other_slot() -> None:
    PreScheduledSlotFactory.create(obs_unit__name="Orion-KL first")
    slot = PreScheduledSlotFactory.build(obs_unit=ObsUnitFactory.create())

    with pytest.raises(ValidationError, match="another slot at this time: GEco: Orion-KL first"):
        slot.full_clean()


def test_a_slot_is_no_obstacle_to_itself() -> None:
    PreScheduledSlotFactory.create().full_clean()
