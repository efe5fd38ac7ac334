"""With what an observation is made: from the command line and from Python, to the rows."""

from __future__ import annotations

from uuid import UUID

import pytest

from ccat_file.errors import Exit
from planning.models import ExecutedObsUnit, ObsUnit
from tests.client.conftest import Instrument
from tests.factories.observatory import PrimeCamModuleConfigurationFactory
from tests.factories.planning import PreScheduledSlotFactory


def test_the_command_names_set_ups_and_slot(instrument: Instrument, unit: ObsUnit) -> None:
    module_configuration = PrimeCamModuleConfigurationFactory.create()
    slot = PreScheduledSlotFactory.create(obs_unit=unit)
    done = instrument.run(
        "start", "--obs-unit-id", str(unit.pk), "--module-configuration", "primecam/f280=standard",
        "--slot", str(slot.pk), "--wait", "20",
    )  # fmt: skip
    assert done.returncode == Exit.DONE, done.stderr

    execution = ExecutedObsUnit.objects.get(pk=UUID(done.stdout.strip()))
    assert [each.pk for each in execution.instrument_module_configurations.all()] == [module_configuration.pk]
    assert execution.pre_scheduled_slot == slot


def test_python_names_them_too(instrument: Instrument, unit: ObsUnit) -> None:
    PrimeCamModuleConfigurationFactory.create()
    filing = instrument.filing(send=True)
    observation = filing.start(obs_unit=unit.pk, module_configurations={("primecam", "f280"): "standard"})
    observation.finish(conditions={"el_min_deg": 45.0, "el_max_deg": 46.0})
    observation.wait(20)

    execution = ExecutedObsUnit.objects.get()
    assert execution.instrument_module_configurations.count() == 1
    assert (execution.el_min_deg, execution.el_max_deg) == (45.0, 46.0)


@pytest.mark.parametrize(
    "words",
    [
        ["primecam=standard"],
        ["primecam/f280"],
        ["primecam/=standard"],
        ["primecam/f280=a", "--module-configuration", "primecam/f280=b"],
    ],
)
def test_what_names_no_set_up_is_refused_at_once(instrument: Instrument, unit: ObsUnit, words: list[str]) -> None:
    done = instrument.run("start", "--obs-unit-id", str(unit.pk), "--module-configuration", *words)
    assert done.returncode == Exit.USAGE, done.stderr
    assert not ExecutedObsUnit.objects.exists()
