"""The command and the Python API against a real server over real HTTP."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

from ccat_file import FiledFile, create
from datamgmt.models import RawDataFile, RawDataPackage
from planning.models import ExecutedObsUnit, ExecutionStatus, ObsUnit
from tests.client.conftest import Instrument, place, senders
from tests.client.gate import Gate
from tests.factories.datamgmt import RawDataPackageFactory


def start(instrument: Instrument, unit: ObsUnit, *more: str) -> str:
    program = unit.observing_program.short_name
    done = instrument.run("start", "--program", program, "--obs-unit", unit.name, *more)
    assert done.returncode == 0, done.stderr
    return str(UUID(done.stdout.strip()))


def test_an_observation_is_filed_from_the_command_line(instrument: Instrument, unit: ObsUnit) -> None:
    instrument.write("17500/a.g3", b"first")
    instrument.write("17500/b.g3", b"second")
    observation = start(instrument, unit, "--parameters", '{"scan": "daisy"}')
    root = str(instrument.root)
    filed = instrument.run("files", observation, root, "--root", root, "--checksum", "sha256", *place())
    assert filed.returncode == 0, filed.stderr
    conditions = ["--condition", "pwv_mm_mean=0.4", "--quality", "good", "--wait", "20"]
    over = instrument.run("finish", observation, *conditions)
    assert over.returncode == 0, over.stderr

    execution = ExecutedObsUnit.objects.get()
    assert (str(execution.pk), execution.status) == (observation, ExecutionStatus.COMPLETED)
    assert (execution.pwv_mm_mean, execution.parameters) == (0.4, {"scan": "daisy"})
    files = {file.relative_path: file for file in RawDataFile.objects.all()}
    assert files.keys() == {"17500/a.g3", "17500/b.g3"}
    assert files["17500/a.g3"].checksum == hashlib.sha256(b"first").hexdigest()
    assert files["17500/b.g3"].size == 6


def test_an_observation_is_filed_from_python(instrument: Instrument, unit: ObsUnit) -> None:
    path = instrument.write("placeholder").with_name("c.g3")
    filing = instrument.filing(send=True)
    observation = filing.start(obs_unit=unit.pk)
    with create(path, "blake3") as stream:
        stream.write(b"one ")
        stream.write(b"two")
    file = FiledFile.of(path, instrument.root, written=stream, file_type="spectra")
    _, name, _, module, _, location = place()
    assert observation.add_files([file], instrument=name, module=module, location=location) == 1
    observation.finish("aborted", comment="clouds")
    observation.wait(20)

    row = RawDataFile.objects.get()
    assert (row.size, row.checksum_algorithm, row.file_type) == (7, "blake3", "spectra")
    assert row.checksum == stream.checksum
    assert ExecutedObsUnit.objects.get().quality_comment == "clouds"


def test_calls_return_at_once_while_the_server_is_away_and_are_sent_when_it_is_back(
    instrument: Instrument, gate: Gate, unit: ObsUnit
) -> None:
    gate.cut()
    filing = instrument.filing(send=True)
    began = time.monotonic()
    observation = filing.start(obs_unit=unit.pk)
    observation.finish()
    assert time.monotonic() - began < 5  # a connection is tried for ten
    assert instrument.run("status").returncode == 4
    time.sleep(1.0)
    assert len(filing.spool.waiting()) == 2
    gate.open()
    observation.wait(20)
    assert ExecutedObsUnit.objects.get().status == ExecutionStatus.COMPLETED
    assert instrument.run("status").returncode == 0


def test_the_same_files_again_change_nothing(instrument: Instrument, unit: ObsUnit) -> None:
    instrument.write("a.g3")
    observation = start(instrument, unit)
    for _ in range(2):
        root = str(instrument.root)
        done = instrument.run("files", observation, root, "--root", root, "--wait", "20", *place())
        assert done.returncode == 0, done.stderr
    assert RawDataFile.objects.count() == 1


def test_a_refused_call_blocks_nothing_and_is_sent_again_when_corrected(instrument: Instrument, unit: ObsUnit) -> None:
    good = start(instrument, unit, "--wait", "20")
    bad = start(instrument, unit, "--wait", "20")
    done = instrument.run("finish", bad, "--end-time", "2930-01-01T00:00:00Z", "--wait", "20")
    assert done.returncode == 3, done.stderr
    assert "filing.clock" in done.stderr
    assert instrument.run("finish", good, "--wait", "20").returncode == 0

    shown = instrument.run("status", "--json")
    status = json.loads(shown.stdout)
    assert shown.returncode == 3
    (refused,) = status["refused"]
    assert refused["observation"] == bad
    assert refused["answer"]["code"] == "filing.clock"
    assert (status["waiting"], status["blocked"]) == (0, 0)

    ended_at = ExecutedObsUnit.objects.get(pk=good).end_time
    assert ended_at is not None
    done = instrument.run("correct", str(refused["number"]), "--set", f"end_time={ended_at.isoformat()}")
    assert done.returncode == 0, done.stderr
    instrument.until_sent()
    assert ExecutedObsUnit.objects.get(pk=bad).status == ExecutionStatus.COMPLETED
    assert instrument.filing().spool.dead() == []


def test_files_that_are_refused_do_not_keep_an_observation_open(instrument: Instrument, unit: ObsUnit) -> None:
    observation = start(instrument, unit, "--wait", "20")
    files = [FiledFile(f"a/{n}.g3", n) for n in range(3)]
    _, name, _, module, _, location = place()
    filed = instrument.filing().observation(observation)
    filed.add_files([*files, FiledFile("a/../b.g3", 1)], instrument=name, module=module, location=location)
    assert instrument.run("finish", observation).returncode == 0
    instrument.until_sent()
    assert ExecutedObsUnit.objects.get(pk=observation).status == ExecutionStatus.COMPLETED
    (entry,) = instrument.filing().spool.dead()

    all_rows = [word for row in range(4) for word in ("--drop", str(row))]
    for wrong in (["--set", "9.size=1"], ["--drop", "4"], ["--set", "size=1"], [], all_rows):
        assert instrument.run("correct", str(entry.number), *wrong).returncode == 2
    done = instrument.run("correct", str(entry.number), "--set", "2.size=7", "--drop", "3")
    assert done.returncode == 0, done.stderr
    instrument.until_sent()
    assert sorted(RawDataFile.objects.values_list("relative_path", "size")) == [
        ("a/0.g3", 0),
        ("a/1.g3", 1),
        ("a/2.g3", 7),
    ]


def test_without_a_start_the_rest_of_an_observation_waits(instrument: Instrument, unit: ObsUnit) -> None:
    observation = start(instrument, unit, "--operator", "nobody-of-that-name")
    instrument.run("finish", observation)
    while not instrument.filing().spool.dead():
        time.sleep(0.05)
    status = json.loads(instrument.run("status", "--json").stdout)
    assert (status["waiting"], status["blocked"]) == (1, 1)
    (refused,) = status["refused"]
    assert instrument.run("correct", str(refused["number"]), "--set", 'operator=""').returncode == 0
    instrument.until_sent()
    assert ExecutedObsUnit.objects.get(pk=observation).status == ExecutionStatus.COMPLETED


def test_another_finish_is_a_conflict_that_says_what_differs(instrument: Instrument, unit: ObsUnit) -> None:
    observation = start(instrument, unit)
    assert instrument.run("finish", observation, "--wait", "20").returncode == 0
    again = instrument.run("finish", observation, "--quality", "bad", "--wait", "20")
    assert again.returncode == 3, again.stderr
    (entry,) = instrument.filing().spool.dead()
    assert entry.document()["refused"]["code"] == "filing.differs"
    assert "quality" in entry.document()["refused"]["differences"]


def test_a_rejected_token_holds_the_calls_and_refuses_none(instrument: Instrument, unit: ObsUnit) -> None:
    good, instrument.token = instrument.token, "ccatdc_" + "0" * 43
    instrument.run("--no-send", "start", "--obs-unit-id", str(unit.pk))
    sent = instrument.run("send")
    assert sent.returncode == 6, sent.stderr
    assert "request.authentication_failed" in sent.stderr
    assert len(instrument.filing().spool.waiting()) == 1
    instrument.token = good
    assert instrument.run("send").returncode == 0
    assert ExecutedObsUnit.objects.count() == 1


def test_the_token_is_nowhere_in_the_spool(instrument: Instrument, unit: ObsUnit) -> None:
    instrument.run("--no-send", "start", "--obs-unit-id", str(unit.pk))
    texts = [p.read_text() for p in instrument.spool.rglob("*") if p.is_file()]
    assert any("executed_obs_units" in text for text in texts)
    assert not any(instrument.token in text for text in texts)


def test_the_token_is_on_no_command_line_and_in_no_log(instrument: Instrument, gate: Gate, unit: ObsUnit) -> None:
    gate.cut()
    started = instrument.run("start", "--obs-unit-id", str(unit.pk))
    (sender,) = senders(instrument.spool)
    command = Path(f"/proc/{sender}/cmdline").read_text()
    log = instrument.filing().spool.log
    deadline = time.monotonic() + 10
    while not log.read_text():  # what it says about the server that is away
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for text in (started.stdout, command, log.read_text()):
        assert text
        assert instrument.token not in text


def test_watch_ends_when_all_packages_are_archived(instrument: Instrument, unit: ObsUnit) -> None:
    instrument.write("a.g3")
    observation = start(instrument, unit)
    instrument.run("files", observation, instrument.root, "--root", instrument.root, *place())
    instrument.run("finish", observation, "--wait", "20")
    watch = ["watch", observation, "--interval", "0.1", "--timeout"]
    early = instrument.run(*watch, "1")
    assert early.returncode == 4
    assert "1 not yet packaged" in early.stderr

    package = RawDataPackageFactory.create(executed_obs_unit=ExecutedObsUnit.objects.get(), archived=True)
    RawDataFile.objects.update(raw_data_package=package)
    done = instrument.run(*watch, "20")
    assert done.returncode == 0, done.stderr
    assert "1 packages archived" in done.stderr
    assert RawDataPackage.objects.count() == 1


def test_watch_learns_of_it_at_once_and_does_not_ask_again_and_again(instrument: Instrument, unit: ObsUnit) -> None:
    instrument.write("a.g3")
    observation = start(instrument, unit)
    instrument.run("files", observation, instrument.root, "--root", instrument.root, *place())
    instrument.run("finish", observation, "--wait", "20")
    watching = subprocess.Popen(
        [sys.executable, "-m", "ccat_file", "watch", observation, "--interval", "50"],
        env=instrument.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(2)  # it waits at the server by now
    execution = ExecutedObsUnit.objects.get()
    package = RawDataPackageFactory.create(executed_obs_unit=execution, archived=True)
    RawDataFile.objects.update(raw_data_package=package)
    _, said = watching.communicate(timeout=30)  # less than the interval
    assert watching.returncode == 0, said
    assert said.splitlines()[-1] == "ccat-file: archived"


def test_a_refused_call_can_be_given_up(instrument: Instrument, unit: ObsUnit) -> None:
    observation = start(instrument, unit, "--wait", "20")
    wrong = ["--end-time", "2030-01-01T00:00:00Z", "--wait", "20"]
    assert instrument.run("finish", observation, *wrong).returncode == 3
    instrument.run("finish", observation)  # the right one, behind it
    assert "filing.clock" in instrument.run("status").stdout
    (dead,) = instrument.filing().spool.dead()
    given_up = instrument.run("discard", str(dead.number))
    assert given_up.returncode == 0, given_up.stderr
    instrument.until_sent()
    assert ExecutedObsUnit.objects.get().status == ExecutionStatus.COMPLETED
    assert instrument.run("status").returncode == 0


def test_status_says_why_calls_wait(instrument: Instrument, gate: Gate, unit: ObsUnit) -> None:
    gate.cut()
    instrument.run("start", "--obs-unit-id", str(unit.pk))
    deadline = time.monotonic() + 10
    while "does not answer" not in (said := instrument.run("status").stdout):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
