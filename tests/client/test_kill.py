"""kill -9 at any moment, of the program that files and of the process that sends, and a cut link."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from uuid import UUID

from datamgmt.models import RawDataFile, RawDataFilePhysicalCopy
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.client.conftest import Instrument, kill, place, senders
from tests.client.gate import Gate

#: Files observation after observation; an observation that a kill interrupted is filed once more
#: from its beginning, with the UUID that the program keeps. "done N" when N is on disk.
PROGRAM = """
import sys
from datetime import UTC, datetime
from uuid import UUID
from ccat_file import Filing, FiledFile
first, last, unit, instrument, module, location = sys.argv[1:]
filing = Filing()
for number in range(int(first), int(last)):
    moment = datetime(2026, 5, 1, 22, tzinfo=UTC)
    one = filing.start(obs_unit=int(unit), observation=UUID(int=number + 1), start_time=moment)
    for part in range(2):
        files = [FiledFile(f"{number}/{part}/{n}.g3", n) for n in range(3)]
        one.add_files(files, instrument=instrument, module=module, location=location)
    one.finish(end_time=moment)
    print("done", number, flush=True)
"""
OBSERVATIONS = 30
KILLS = 10


def test_killed_ten_times_with_the_link_cut_everything_arrives_exactly_once(
    instrument: Instrument, gate: Gate, unit: ObsUnit
) -> None:
    chance = random.Random(20260501)  # noqa: S311 - the same moments every time
    _, name, _, module, _, location = place()
    done, killed_senders, cuts = 0, 0, 0
    for _ in range(KILLS):
        arguments = [str(done), str(OBSERVATIONS), str(unit.pk), name, module, location]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments], env=instrument.environment(), stdout=subprocess.PIPE, text=True
        )
        time.sleep(chance.uniform(0.25, 0.6))
        if chance.random() < 0.5:
            gate.cut()
            gate.open()
            cuts += 1
        process.kill()
        said = process.communicate(timeout=10)[0].split()
        done = max([done, *(int(number) + 1 for number in said[1::2])])
        for pid in senders(instrument.spool):
            kill(pid)
            killed_senders += 1
    arguments = [str(done), str(OBSERVATIONS), str(unit.pk), name, module, location]
    assert instrument.python("-c", PROGRAM, *arguments).returncode == 0
    assert instrument.run("send").returncode in (0, 4)
    instrument.until_sent(60)

    assert killed_senders
    assert cuts
    spool = instrument.filing().spool
    assert spool.dead() == []
    over = ExecutedObsUnit.objects.filter(status=ExecutionStatus.COMPLETED)
    assert sorted(over.values_list("pk", flat=True)) == [UUID(int=n + 1) for n in range(OBSERVATIONS)]
    assert ExecutedObsUnit.objects.count() == OBSERVATIONS
    wanted = {f"{number}/{part}/{n}.g3" for number in range(OBSERVATIONS) for part in range(2) for n in range(3)}
    paths = list(RawDataFile.objects.values_list("relative_path", flat=True))
    assert sorted(paths) == sorted(wanted)
    assert RawDataFilePhysicalCopy.objects.count() == len(wanted)


def test_a_killed_sender_is_followed_by_another_with_the_next_call(
    instrument: Instrument, gate: Gate, unit: ObsUnit
) -> None:
    gate.cut()
    instrument.run("start", "--obs-unit-id", str(unit.pk))
    (first,) = senders(instrument.spool)
    kill(first)
    while senders(instrument.spool):
        time.sleep(0.02)
    gate.open()
    assert instrument.run("start", "--obs-unit-id", str(unit.pk)).returncode == 0
    instrument.until_sent()
    assert ExecutedObsUnit.objects.count() == 2


def test_two_programs_at_once_have_one_sender(instrument: Instrument, gate: Gate, unit: ObsUnit) -> None:
    gate.cut()
    _, name, _, module, _, location = place()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, (a, a + 5, unit.pk, name, module, location))],
            env=instrument.environment(),
            stdout=subprocess.DEVNULL,
        )
        for a in (0, 5)
    ]
    assert [process.wait(30) for process in running] == [0, 0]
    assert len(senders(instrument.spool)) == 1
    gate.open()
    instrument.until_sent()
    assert ExecutedObsUnit.objects.filter(status=ExecutionStatus.COMPLETED).count() == 10
    assert RawDataFile.objects.count() == 60
