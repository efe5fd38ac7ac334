"""Obs units: what belongs together is kept together by the database itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection

from planning.models import ObsUnit, SubObservingProgram
from tests.factories.observatory import ChaiModuleConfigurationFactory, InstrumentFactory, TelescopeFactory
from tests.factories.planning import (
    ExecutedObsUnitFactory,
    ObservingProgramFactory,
    ObsModeFactory,
    ObsUnitFactory,
    PreScheduledSlotFactory,
    SubObservingProgramFactory,
)

pytestmark = pytest.mark.django_db


def sub_program_elsewhere() -> SubObservingProgram:
    other = ObservingProgramFactory.create(short_name="DSS")
    sub: SubObservingProgram = SubObservingProgramFactory.create(observing_program=other)
    return sub


class TestSubProgram:
    def test_one_of_the_same_program_is_kept(self) -> None:
        sub = SubObservingProgramFactory.create()

        unit = ObsUnitFactory.create(sub_observing_program=sub)

        assert ObsUnit.objects.get().sub_observing_program == sub
        unit.full_clean()

    def test_one_of_another_program_is_refused_by_the_database(self) -> None:
        with pytest.raises(IntegrityError, match="obs_unit_sub_program_in_program"):
            ObsUnitFactory.create(sub_observing_program=sub_program_elsewhere())

    def test_also_when_rows_are_updated_in_bulk(self) -> None:
        ObsUnitFactory.create()

        with pytest.raises(IntegrityError, match="obs_unit_sub_program_in_program"):
            ObsUnit.objects.update(sub_observing_program=sub_program_elsewhere())

    def test_also_when_the_sub_program_moves(self) -> None:
        unit = ObsUnitFactory.create(sub_observing_program=SubObservingProgramFactory.create())
        other = ObservingProgramFactory.create(short_name="DSS")

        with pytest.raises(IntegrityError, match="obs_unit_sub_program_in_program"):
            SubObservingProgram.objects.filter(obs_units=unit).update(observing_program=other)

    def test_a_form_says_it_first(self) -> None:
        unit = ObsUnitFactory.create()
        unit.sub_observing_program = sub_program_elsewhere()

        with pytest.raises(ValidationError, match="belongs to another program"):
            unit.full_clean()

    def test_the_constraint_says_it_without_the_model(self) -> None:
        unit = ObsUnitFactory.create()
        unit.sub_observing_program = sub_program_elsewhere()

        with pytest.raises(ValidationError, match="belongs to another program"):
            unit.validate_constraints()


class TestTelescope:
    def test_it_is_the_one_of_the_modes_instrument(self) -> None:
        TelescopeFactory.create()
        other = TelescopeFactory.create(short_name="nanten", name="NANTEN2")
        mode = ObsModeFactory.create(name="otf_tp", instrument=InstrumentFactory.create(telescope=other))

        unit = ObsUnitFactory.create(telescope=None, obs_mode=mode)

        assert unit.telescope == other

    def test_it_is_the_only_one_for_a_mode_of_all_instruments(self) -> None:
        fyst = TelescopeFactory.create()

        assert ObsUnitFactory.create(telescope=None).telescope == fyst

    def test_with_several_telescopes_it_has_to_be_said(self) -> None:
        TelescopeFactory.create()
        TelescopeFactory.create(short_name="nanten", name="NANTEN2")
        unit = ObsUnitFactory.build(
            telescope=None, obs_mode=ObsModeFactory.create(), observing_program=ObservingProgramFactory.create()
        )

        with pytest.raises(ValidationError, match="which of the telescopes"):
            unit.clean()

    def test_it_is_not_another_one_than_the_modes(self) -> None:
        mode = ObsModeFactory.create(instrument=InstrumentFactory.create())
        other = TelescopeFactory.create(short_name="nanten", name="NANTEN2")
        unit = ObsUnitFactory.create(obs_mode=mode)
        unit.telescope = other

        with pytest.raises(ValidationError, match="instrument on another telescope"):
            unit.clean()

    def test_slots_follow_when_it_changes(self) -> None:
        slot = PreScheduledSlotFactory.create()
        other = TelescopeFactory.create(short_name="nanten", name="NANTEN2")

        ObsUnit.objects.update(telescope=other)

        slot.refresh_from_db()
        assert slot.telescope == other


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"min_elevation_deg": -1.0}, "obs_unit_elevation_range"),
        ({"max_elevation_deg": 91.0}, "obs_unit_elevation_range"),
        ({"min_elevation_deg": 60.0, "max_elevation_deg": 30.0}, "obs_unit_elevation_order"),
        ({"max_pwv_mm": 0.0}, "obs_unit_limits_positive"),
        ({"time_goal_h": -1.0}, "obs_unit_limits_positive"),
        ({"min_sun_distance_deg": 181.0}, "obs_unit_sun_distance_range"),
        ({"lst_start_h": 24.1}, "obs_unit_lst_range"),
        ({"lst_stop_h": -0.1}, "obs_unit_lst_range"),
    ],
)
def test_the_database_refuses_limits_that_cannot_be(fields: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        ObsUnitFactory.create(**fields)


def test_a_unit_and_its_execution_have_the_set_ups_of_their_modules() -> None:
    module_configuration = ChaiModuleConfigurationFactory.create()
    unit = ObsUnitFactory.create()
    unit.instrument_module_configurations.add(module_configuration)
    execution = ExecutedObsUnitFactory.create(obs_unit=unit)
    execution.instrument_module_configurations.add(module_configuration)

    assert list(module_configuration.obs_units.all()) == [unit]
    assert list(module_configuration.executions.all()) == [execution]


def test_the_extension_for_slots_is_there() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'btree_gist'")
        assert cursor.fetchone() == (1,)
