"""docs/instruments.md, tried as it stands: its shell and Python blocks run against a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ccat_file.errors import Exit
from ccat_file.options import parser
from datamgmt.models import RawDataFile
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.client.conftest import Instrument
from tests.factories.observatory import DataStreamFactory, InstrumentFactory, InstrumentModuleFactory
from tests.factories.planning import ObservingProgramFactory, ObsUnitFactory

GUIDE = Path(__file__).parents[2] / "docs" / "instruments.md"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return found


def test_the_guide_works_as_it_is_written(instrument: Instrument, unit: ObsUnit) -> None:
    galactic = ObservingProgramFactory.create(short_name="GPS")
    ObsUnitFactory.create(name="Orion-KL polarization", observing_program=galactic)
    primecam = InstrumentFactory.create(short_name="prime-cam")
    DataStreamFactory.create(instrument_module=InstrumentModuleFactory.create(short_name="280ghz", instrument=primecam))
    command = instrument.folder / "bin" / "ccat-file"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m ccat_file "$@"\n')
    command.chmod(0o755)
    instrument.extra = {"DATA": str(instrument.root)}
    environment = instrument.environment()
    environment["PATH"] = f"{command.parent}:{environment['PATH']}"
    for program in [["sh", "-eu", "-c", text] for text in blocks("sh")] + [
        [sys.executable, "-c", text] for text in blocks("python")
    ]:
        done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    executions = ExecutedObsUnit.objects.all()
    assert [row.status for row in executions] == [ExecutionStatus.COMPLETED] * 2
    assert {row.pwv_mm_mean for row in executions} == {0.4}
    files = RawDataFile.objects.exclude(checksum="")
    assert sorted(files.values_list("relative_path", flat=True)) == ["17500/r01d1_000.g3", "17501/r01d1_000.g3"]
    instrument.until_sent()
    assert RawDataFile.objects.of_streams().count() == 2


def test_the_names_of_the_guide_are_those_of_the_reference_data() -> None:
    """Whoever follows it on the demo finds them."""
    data = GUIDE.parent.parent / "reference_data"
    units = (data / "obs_unit.prime_cam.csv").read_text()
    assert "\nGPS,Orion-KL polarization," in units
    assert "prime-cam/280ghz/standard" in units
    assert "name: primecam_raw_data" in (data / "locations.yaml").read_text()


def test_the_guide_and_the_help_name_every_command() -> None:
    listed = re.search(r"\{([a-z,]+)\}", parser().format_usage())
    assert listed is not None
    guide = GUIDE.read_text()
    assert [name for name in listed[1].split(",") if f"ccat-file {name}" not in guide] == []


def test_the_guide_and_the_help_name_every_exit_status() -> None:
    for text in (GUIDE.read_text(), parser().format_help()):
        for status in Exit:
            assert re.search(rf"^(\| | *){status.value} ", text, re.MULTILINE), status
