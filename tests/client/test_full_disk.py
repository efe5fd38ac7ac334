"""A spool on a full disk: a clear error, nothing lost, and sending makes room again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.client.conftest import Instrument, senders
from tests.client.gate import Gate


def fill(folder: Path) -> None:
    filler = folder / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("ab", buffering=0) as stream:
        while True:
            stream.write(b"z" * 512)


def test_what_is_spooled_on_a_full_disk_is_sent_and_filing_goes_on(
    instrument: Instrument, gate: Gate, unit: ObsUnit, small_disk: Path
) -> None:
    gate.cut()
    instrument.folder = small_disk
    started = instrument.run("--no-send", "start", "--obs-unit-id", str(unit.pk))
    observation = started.stdout.strip()
    fill(small_disk)

    full = instrument.run("finish", observation)  # nobody sends yet
    assert full.returncode == 5
    assert "the disk is full. Nothing was recorded" in full.stderr
    assert len(instrument.filing().spool.waiting()) == 1

    gate.open()
    instrument.until_sent()
    (small_disk / "filler").unlink()
    assert instrument.run("finish", observation, "--wait", "20").returncode == 0
    assert ExecutedObsUnit.objects.get().status == ExecutionStatus.COMPLETED
    while senders(instrument.spool):  # they have files open on the disk
        time.sleep(0.05)
