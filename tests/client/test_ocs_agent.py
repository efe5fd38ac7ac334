"""The example agent, with sessions of OCS: it files what an acquisition says in its ``session.data``."""

from __future__ import annotations

import importlib.util
import time
from threading import Thread
from typing import Any
from unittest.mock import Mock

import pytest

from datamgmt.models import RawDataFile
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.client.conftest import PACKAGE, Instrument
from tests.factories.observatory import InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ObservingProgramFactory, ObsUnitFactory


def example() -> Any:
    spec = importlib.util.spec_from_file_location("ocs_agent_example", PACKAGE.parent / "examples/ocs_agent.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_files_a_session_once_also_after_it_was_restarted(instrument: Instrument, unit: ObsUnit) -> None:
    ocs_agent = pytest.importorskip("ocs.ocs_agent", reason="the package ocs is not installed")
    galactic = ObservingProgramFactory.create(short_name="GPS")
    ObsUnitFactory.create(name="Orion-KL polarization", observing_program=galactic)
    primecam = InstrumentFactory.create(short_name="prime-cam")
    InstrumentModuleFactory.create(short_name="280ghz", instrument=primecam)
    app = Mock()  # its connection and its log
    acquisition, own = ocs_agent.OpSession(7, "acq", app=app), ocs_agent.OpSession(1, "file", app=app)
    acquisition.set_status("running")
    filing = instrument.filing(send=True)

    def agent() -> Any:
        return example().FilingAgent(filing, acquisition.encoded, instrument.root)

    def until_filed(count: int) -> None:
        deadline = time.monotonic() + 20
        while own.data.get("files") != count:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    paths = [str(instrument.write(f"17500/r01d1_{number:03}.g3")) for number in range(2)]
    first = agent()
    process = Thread(target=first.file, args=(own, {"seconds": 0.05}))
    process.start()
    acquisition.data = {"files": paths[:1]}
    until_filed(1)
    first.stop(own, None)
    process.join(10)
    assert not process.is_alive()

    again = agent()
    acquisition.data = {"files": paths}
    again.once(own)
    acquisition.success = True
    acquisition.set_status("done")
    for _ in range(2):
        again.once(own)
    instrument.until_sent()
    assert filing.spool.dead() == []
    execution = ExecutedObsUnit.objects.get()
    assert execution.status == ExecutionStatus.COMPLETED
    assert own.data == {"observation": str(execution.pk), "files": 2, "finished": str(execution.pk)}
    assert sorted(RawDataFile.objects.values_list("relative_path", flat=True)) == [
        "17500/r01d1_000.g3",
        "17500/r01d1_001.g3",
    ]
