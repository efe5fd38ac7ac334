"""``ccat-file follow``: a tree is filed while it grows, whatever is killed, full or set to another time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ccat_file import Filing, SettingsError, SpoolError, UsageError
from ccat_file.following import Follower, Target
from ccat_file.layouts import LAYOUTS, Layout, layout_of
from ccat_file.readouts import modules_of
from datamgmt.models import RawDataFile
from tests.client.conftest import Instrument, kill, place
from tests.client.gate import Gate
from tests.factories.observatory import DataStreamFactory, PrimeCamModuleConfigurationFactory

SESSION = 1_777_672_800
TARGET = Target("primecam", "timestreams", "ccat_primecam_raw_data", "f280")


def g3(sequence: int, *, drone: str = "rfsoc01_drone1", session: int = SESSION) -> str:
    return f"{str(session)[:5]}/{drone}/r{drone[5:7]}d{drone[-1]}_{session}_{sequence:03d}.g3"


def written(instrument: Instrument, name: str, at: float, content: bytes = b"data") -> Path:
    path = instrument.write(name, content)
    os.utime(path, (at, at))
    return path


def follower(instrument: Instrument, layout: Layout = LAYOUTS["rfsoc"], **fields: Any) -> Follower:
    instrument.root.mkdir(exist_ok=True)
    return Follower(
        instrument.filing(),
        instrument.root,
        **{"root": instrument.root, "layout": layout, "target": TARGET, "tell": lambda _: None, **fields},
    )


def spooled(instrument: Instrument) -> dict[str, dict[str, Any]]:
    """Rows that wait in the spool, by path."""
    rows = [row for entry in instrument.filing().spool.waiting() for row in entry.read().body]
    assert len({row["id"] for row in rows}) == len({row["relative_path"] for row in rows})
    return {row["relative_path"]: row for row in rows}


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class TestCompleteness:
    def test_a_file_is_complete_when_the_next_of_its_drone_exists(self, computer: Instrument) -> None:
        for sequence in (0, 1, 9, 10):
            written(computer, g3(sequence), SESSION + 600 * (sequence + 1))
        written(computer, g3(0, drone="rfsoc01_drone2"), SESSION + 600)
        assert follower(computer).look() == 3
        assert spooled(computer).keys() == {g3(0), g3(1), g3(9)}

    def test_the_last_of_a_session_is_complete_when_another_session_began(self, computer: Instrument) -> None:
        written(computer, g3(0), SESSION + 600)
        written(computer, g3(0, session=SESSION + 7200), SESSION + 7300)
        assert follower(computer).look() == 1
        assert spooled(computer).keys() == {g3(0)}

    def test_one_without_successor_is_complete_when_it_has_rested(
        self, computer: Instrument, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        path = written(computer, g3(0), SESSION + 10)
        one = follower(computer)
        assert one.look() == 0
        now += 899
        assert one.look() == 0
        path.write_bytes(b"and more")
        now += 2
        assert one.look() == 0, "it was written to: the wait begins anew"
        now += 900
        assert one.look() == 1

    def test_a_clock_that_is_set_hurries_nothing(self, computer: Instrument) -> None:
        written(computer, g3(0), time.time() - 1e6)
        one = follower(computer)
        assert [one.look(), one.look()] == [0, 0]

    def test_one_that_is_open_for_writing_does_not_rest(
        self, computer: Instrument, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        path = written(computer, g3(0), SESSION + 10)
        one = follower(computer)
        with path.open("ab"):
            one.look()
            now += 10_000
            assert one.look() == 0
        assert one.look() == 1

    def test_what_is_not_of_the_layout_is_told_once_and_left(self, computer: Instrument) -> None:
        computer.write("notes.txt")
        computer.write(".hidden/r.g3")
        (computer.root / g3(0)).parent.mkdir(parents=True)
        (computer.root / g3(0)).symlink_to(computer.root / "notes.txt")
        told: list[str] = []
        one = follower(computer, tell=told.append)
        assert [one.look(all_complete=True), one.look(all_complete=True)] == [0, 0]
        assert [line.partition(" is not")[0] for line in told] == [str(computer.root / "notes.txt")]

    def test_a_file_that_changed_after_it_was_filed_is_told(self, computer: Instrument) -> None:
        written(computer, g3(0), SESSION + 600)
        told: list[str] = []
        one = follower(computer, tell=told.append)
        one.look(all_complete=True)
        written(computer, g3(0), SESSION + 600, b"other content")
        assert one.look(all_complete=True) == 0
        assert "4 were filed" in told[0]


class TestTimes:
    def test_a_file_begins_where_the_one_before_it_ended(self, computer: Instrument) -> None:
        ends = [SESSION + 600.5, SESSION + 1201.25]
        for sequence, end in enumerate(ends):
            written(computer, g3(sequence), end)
        follower(computer).look(all_complete=True)
        rows = spooled(computer)
        assert (seconds(rows[g3(0)]["start_time"]), seconds(rows[g3(0)]["end_time"])) == (SESSION, ends[0])
        assert (seconds(rows[g3(1)]["start_time"]), seconds(rows[g3(1)]["end_time"])) == tuple(ends)
        assert {row["data_stream"] for row in rows.values()} == {"timestreams"}
        assert {row["file_type"] for row in rows.values()} == {"detector_timestream"}

    def test_also_when_that_one_was_deleted_meanwhile(self, computer: Instrument) -> None:
        first = written(computer, g3(0), SESSION + 600)
        one = follower(computer)
        one.look(all_complete=True)
        first.unlink()
        written(computer, g3(1), SESSION + 1200)
        one.look(all_complete=True)
        assert seconds(spooled(computer)[g3(1)]["start_time"]) == SESSION + 600

    def test_also_after_a_restart(self, computer: Instrument) -> None:
        first = written(computer, g3(0), SESSION + 600)
        one = follower(computer)
        one.look(all_complete=True)
        one.close()
        first.unlink()
        written(computer, g3(1), SESSION + 1200)
        follower(computer).look(all_complete=True)
        assert seconds(spooled(computer)[g3(1)]["start_time"]) == SESSION + 600

    def test_a_clock_that_went_back_makes_no_file_that_ends_before_it_begins(self, computer: Instrument) -> None:
        written(computer, g3(0), SESSION - 3600)
        follower(computer).look(all_complete=True)
        row = spooled(computer)[g3(0)]
        assert (seconds(row["start_time"]), seconds(row["end_time"])) == (SESSION - 3600, SESSION)

    @pytest.mark.parametrize("mtime", [-10 * 86_400, 13_569_465_600])
    def test_a_time_that_cannot_be_right_is_left_out(self, computer: Instrument, mtime: float) -> None:
        written(computer, g3(0), mtime)
        follower(computer).look(all_complete=True)
        row = spooled(computer)[g3(0)]
        assert (seconds(row["start_time"]), seconds(row["end_time"])) == (SESSION, SESSION)

    def test_housekeeping_begins_with_the_time_of_its_name(self, computer: Instrument) -> None:
        written(computer, f"17776/{SESSION}.g3", SESSION + 900)
        follower(computer, LAYOUTS["housekeeping"]).look(all_complete=True)
        (row,) = spooled(computer).values()
        assert (seconds(row["start_time"]), seconds(row["end_time"])) == (SESSION, SESSION + 900)
        assert row["file_type"] == "housekeeping"


class TestModules:
    def test_the_module_is_that_of_the_readout_stream(self, computer: Instrument) -> None:
        for drone in ("rfsoc01_drone1", "rfsoc01_drone2", "rfsoc02_drone1"):
            written(computer, g3(0, drone=drone), SESSION + 600)
        told: list[str] = []
        modules = {"rfsoc01_drone1": "f280", "rfsoc01_drone2": "eor"}
        target = Target("primecam", "timestreams", "ccat_primecam_raw_data", modules=modules)
        assert follower(computer, target=target, tell=told.append).look(all_complete=True) == 2
        assert {path.split("/")[1]: row["module"] for path, row in spooled(computer).items()} == modules
        assert "'rfsoc02_drone1'" in told[0]

    def test_a_session_of_ccatkidlib_by_board_and_drone(self, computer: Instrument) -> None:
        for name in ("timestream/B1D2/a.npy", "config/B1D2/c.yaml", "config/session.yaml"):
            written(computer, f"20260501/{SESSION}/{name}", SESSION + 5)
        target = Target("primecam", "sessions", "ccat_primecam_raw_data", "f280", {"B1D2": "eor"})
        assert follower(computer, LAYOUTS["ccatkidlib"], target=target).look(all_complete=True) == 3
        assert {path.rpartition("/")[2]: row["module"] for path, row in spooled(computer).items()} == {
            "a.npy": "eor",
            "c.yaml": "eor",
            "session.yaml": "f280",
        }

    def test_the_server_says_which_module_has_which_stream(self, instrument: Instrument, gate: Gate) -> None:
        PrimeCamModuleConfigurationFactory.create(stream_ids=["rfsoc03_drone2"])
        wanted = {"rfsoc03_drone2": "f280", "B3D2": "f280"}
        assert modules_of(instrument.filing(), "primecam", tell=print) == wanted
        gate.cut()
        assert modules_of(instrument.filing(), "primecam", tell=lambda _: None) == wanted, "as it said last"

    def test_without_an_answer_ever_there_is_no_guess(self, computer: Instrument) -> None:
        with pytest.raises(UsageError, match="--module"):
            modules_of(computer.filing(), "primecam", tell=print)

    def test_a_token_that_may_not_read_is_told(self, instrument: Instrument) -> None:
        instrument.token = "ccatdc_" + "x" * 40
        with pytest.raises(SettingsError):
            modules_of(instrument.filing(), "primecam", tell=print)


class TestOnceOnly:
    def test_what_was_filed_is_not_filed_again(self, computer: Instrument) -> None:
        written(computer, g3(0), SESSION + 600)
        first = follower(computer)
        assert [first.look(all_complete=True), first.look(all_complete=True)] == [1, 0]
        first.close()
        assert follower(computer).look(all_complete=True) == 0

    def test_one_that_is_filed_twice_is_the_same_row(self, computer: Instrument) -> None:
        """Killed between the spool and the journal."""
        for sequence in range(3):
            written(computer, g3(sequence), SESSION + 600 * (sequence + 1))
        one = follower(computer)
        one.look(all_complete=True)
        one.close()
        for journal in (computer.spool / "following").glob("*.jsonl"):
            journal.write_text(journal.read_text()[:-3])
        assert follower(computer).look(all_complete=True) == 1
        entries = [entry.read().body for entry in computer.filing().spool.waiting()]
        assert [len(body) for body in entries] == [3, 1]
        assert entries[1][0] in entries[0]

    def test_a_line_that_was_cut_takes_no_other_with_it(self, computer: Instrument) -> None:
        written(computer, g3(0), SESSION + 600)
        one = follower(computer)
        one.look(all_complete=True)
        one.close()
        (journal,) = (computer.spool / "following").glob("*.jsonl")
        journal.write_text(journal.read_text()[:-3])
        two = follower(computer)
        written(computer, g3(1), SESSION + 1200)
        assert two.look(all_complete=True) == 2
        two.close()
        assert follower(computer).look(all_complete=True) == 0

    def test_the_journal_does_not_grow_for_ever(self, computer: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ccat_file.following.SPARE_LINES", 2)
        one = follower(computer)
        for sequence in range(8):
            path = written(computer, g3(sequence), SESSION + 86_400 * 4 * sequence)
            one.look(all_complete=True)
            path.unlink()
        one.look()
        assert _journaled(computer) <= 6
        one.close()
        written(computer, g3(9), SESSION + 86_400 * 32)
        follower(computer).look(all_complete=True)
        assert seconds(spooled(computer)[g3(9)]["start_time"]) == SESSION + 86_400 * 28

    def test_two_do_not_follow_one_folder(self, computer: Instrument) -> None:
        one = follower(computer)
        with pytest.raises(UsageError, match="Another process follows"):
            follower(computer)
        one.close()
        follower(computer)

    def test_a_full_disk_loses_nothing(self, computer: Instrument, small_disk: Path) -> None:
        written(computer, g3(0), SESSION + 600)
        filing = Filing(computer.settings.__class__(small_disk / "spool", computer.url, computer.token), send=False)
        one = Follower(
            filing, computer.root, root=computer.root, layout=LAYOUTS["rfsoc"], target=TARGET, tell=lambda _: None
        )
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
            while True:
                stream.write(b"0" * 4096)
        with pytest.raises(SpoolError):
            one.look(all_complete=True)
        filler.unlink()
        assert one.look(all_complete=True) == 1

    def test_killed_again_and_again_with_the_link_cut_all_arrive_once(self, instrument: Instrument, gate: Gate) -> None:
        DataStreamFactory.create()
        names = [g3(sequence) for sequence in range(12)]
        arguments = [
            "follow",
            instrument.root,
            "--layout",
            "rfsoc",
            "--root",
            instrument.root,
            "--stream",
            "timestreams",
        ]
        command = [sys.executable, "-m", "ccat_file", *map(str, arguments), "--interval", "0.02", *place()]
        instrument.root.mkdir()
        for number, name in enumerate(names):
            if number == 3:
                gate.cut()
            if number == 8:
                gate.open()
            written(instrument, name, SESSION + 600 * (number + 1))
            process = subprocess.Popen(command, env=instrument.environment(), stderr=subprocess.DEVNULL)
            if number % 3 == 2:
                _until_journaled(instrument, number)
            else:
                time.sleep(0.15 * (number % 3))
            kill(process.pid)
            process.wait()
        done = instrument.run(*command[3:-8], *place(), "--once")
        assert done.returncode == 0, done.stderr
        instrument.until_sent()
        assert instrument.filing().spool.dead() == []
        files = RawDataFile.objects.order_by("relative_path")
        assert list(files.values_list("relative_path", flat=True)) == names
        first, second = files[0], files[1]
        assert first.end_time == second.start_time == datetime.fromtimestamp(SESSION + 600, UTC)


def _until_journaled(instrument: Instrument, count: int) -> None:
    deadline = time.monotonic() + 20
    while _journaled(instrument) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _journaled(instrument: Instrument) -> int:
    return sum(len(path.read_text().splitlines()) for path in (instrument.spool / "following").glob("*.jsonl"))


class TestLayouts:
    def test_one_of_ones_own(self, tmp_path: Path) -> None:
        path = tmp_path / "layout.json"
        path.write_text(
            json.dumps({"pattern": r"(?P<time>\d{10})\.h5", "order": ["time"], "start": "time", "quiet": 5})
        )
        layout = layout_of(str(path))
        assert layout.quiet == 5
        place = layout.match(f"{SESSION}.h5")
        assert place is not None
        assert (place.start, place.order) == (SESSION, ((SESSION, ""),))

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "no layout"),
            ("[]", "no JSON object"),
            ('{"order": []}', "has pattern"),
            ('{"pattern": "a", "colour": 1}', "has pattern"),
            ('{"pattern": "("}', "no regular expression"),
            ('{"pattern": "a", "order": ["time"]}', "no group 'time'"),
            ('{"pattern": "a", "file_type": "film"}', "file_type"),
            ('{"pattern": "a", "quiet": 0}', "quiet"),
            ('{"pattern": "a", "quiet": "long"}', "not supported"),
            ('{"pattern": "a", "readout": "{drone}"}', "readout"),
        ],
    )
    def test_one_that_makes_no_sense_is_refused(self, tmp_path: Path, text: str, said: str) -> None:
        path = tmp_path / "layout.json"
        path.write_text(text)
        with pytest.raises(UsageError, match=said):
            layout_of(str(path))

    def test_files_are_ordered_by_number(self) -> None:
        places = [LAYOUTS["rfsoc"].match(g3(n)) for n in (9, 10, 100)]
        assert [place.order for place in places if place] == sorted(place.order for place in places if place)
