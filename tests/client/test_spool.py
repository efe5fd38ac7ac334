"""The spool: whole calls in order, whatever happens to disk and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from ccat_file import SpoolError, UsageError
from ccat_file.calls import Call
from ccat_file.spool import Spool
from tests.client.conftest import PACKAGE

ONE, OTHER = UUID(int=1), UUID(int=2)


def call(observation: UUID = ONE, body: object = None, path: str = "/api/x") -> Call:
    return Call(observation, "POST", path, body, {"id": "1"})


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_calls_keep_their_order_and_their_content(spool: Spool) -> None:
    for number in range(12):
        spool.append([call(body={"n": number})])
    entries = Spool(spool.folder).waiting()
    assert [entry.read().body["n"] for entry in entries] == list(range(12))


def test_a_number_is_used_once_also_when_all_calls_are_gone(spool: Spool) -> None:
    (first,) = spool.append([call()])
    spool.done(first)
    (second,) = spool.append([call()])
    assert second.number > first.number


def test_a_refused_call_keeps_its_answer_and_blocks_nothing(spool: Spool) -> None:
    first, second, other = spool.append([call(), call(), call(OTHER)])
    spool.refuse(first, {"code": "filing.differs"})
    assert spool.sendable() == [second, other]
    (dead,) = spool.dead()
    assert dead.document()["refused"] == {"code": "filing.differs"}
    spool.retry([first.number])
    assert [entry.number for entry in spool.sendable()] == [1, 2, 3]


def test_a_refused_start_and_a_spoiled_call_block_their_observation(spool: Spool) -> None:
    start, _, spoiled, _ = spool.append([call(path="/api/x/start"), call(), call(OTHER), call(OTHER)])
    spool.refuse(start, {"code": "filing.unknown_obs_unit"})
    spoiled.path.write_text("{")
    spool.refuse(spoiled, {})
    assert spool.sendable() == []


def test_a_refused_call_that_is_given_up_is_kept_and_blocks_nothing(spool: Spool) -> None:
    first, second = spool.append([call(body="wrong"), call()])
    spool.refuse(first, {"code": "filing.differs"})
    (kept,) = spool.discard([first.number])
    assert (spool.dead(), spool.sendable()) == ([], [second])
    assert kept.path == spool.folder / "discarded" / first.path.name
    assert kept.document()["refused"] == {"code": "filing.differs"}
    assert kept.read().body == "wrong"


def test_an_unknown_number_says_so_and_moves_nothing(spool: Spool) -> None:
    (first,) = spool.append([call()])
    spool.refuse(first, {})
    for act in (spool.retry, spool.discard):
        with pytest.raises(UsageError, match="No refused call has the number 7"):
            act([first.number, 7])
    assert len(spool.dead()) == 1


def test_a_correction_that_is_no_json_is_not_sent(spool: Spool) -> None:
    first, second = spool.append([call(), call()])
    for entry in (first, second):
        spool.refuse(entry, {})
    spool.dead()[1].path.write_text("{")
    with pytest.raises(SpoolError, match="not JSON"):
        spool.retry()
    assert len(spool.dead()) == 2


def test_the_last_line_of_the_log_says_why_calls_wait(spool: Spool) -> None:
    assert spool.last_said() == ""
    spool.log.write_text("long ago\n" * 1000 + "the server does not answer\n")
    assert spool.last_said() == "the server does not answer"


def test_a_half_written_call_is_no_call(spool: Spool) -> None:
    (spool.folder / "call.part.0").write_text('{"half": ')
    assert spool.waiting() == []
    spool.append([call()])
    assert len(spool.waiting()) == 1
    assert not (spool.folder / "call.part.0").exists()


@pytest.mark.parametrize("body", [float("nan"), {1, 2}, b"bytes"])
def test_what_json_cannot_say_is_refused_before_it_is_spooled(spool: Spool, body: object) -> None:
    with pytest.raises(UsageError, match="JSON"):
        spool.append([call(), call(body=body)])
    assert spool.waiting() == []


def test_a_full_disk_is_a_clear_error_and_nothing_is_half_written(small_disk: Path) -> None:
    spool = Spool(small_disk / "spool")
    spool.append([call(body="kept")])
    with pytest.raises(SpoolError, match=r"disk is full.*Nothing was recorded"):
        spool.append([call(body="x" * 1000), call(body="x" * 1_000_000)])
    assert [entry.read().body for entry in spool.waiting()] == ["kept"]
    assert not list(spool.folder.glob("*.part*"))
    spool.append([call(body="after")])
    assert len(spool.waiting()) == 2


def test_a_full_disk_does_not_keep_a_refused_call_in_the_way(small_disk: Path) -> None:
    spool = Spool(small_disk / "spool")
    entry, other = spool.append([call(body="y" * 50_000), call(OTHER)])
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"z" * 4096)
    spool.refuse(entry, {"code": "filing.differs"})
    assert spool.sendable() == [other]
    assert spool.dead()[0].read().body == "y" * 50_000


def test_a_limit_on_file_sizes_is_a_clear_error(tmp_path: Path) -> None:
    program = f"""
import resource
from pathlib import Path
from uuid import UUID
from ccat_file.calls import Call
from ccat_file.spool import Spool
spool = Spool(Path({str(tmp_path / "spool")!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    spool.append([Call(UUID(int=1), "POST", "/x", "x" * 10_000, {{}})])
except Exception as error:
    print(type(error).__name__, error)
print(len(spool.waiting()), len(list(spool.folder.glob("*.part*"))))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "SpoolError" in done.stdout
    assert "disk is full" in done.stdout
    assert done.stdout.endswith("0 0\n")


def test_a_spool_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="Not a directory"):
        Spool(tmp_path / "file" / "spool")


def test_a_spool_belongs_to_one_server(spool: Spool) -> None:
    spool.bind("https://one.example")
    spool.bind("https://one.example")
    with pytest.raises(UsageError, match=r"belongs to https://one\.example"):
        spool.bind("https://two.example")


def test_processes_that_spool_at_once_lose_nothing_and_share_no_number(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    program = f"""
from pathlib import Path
from uuid import UUID
import sys
from ccat_file.calls import Call
from ccat_file.spool import Spool
spool = Spool(Path({str(folder)!r}))
who = UUID(int=int(sys.argv[1]))
for number in range(100):
    spool.append([Call(who, "POST", "/x", number, {{}}), Call(who, "POST", "/x", -number, {{}})])
"""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    running = [subprocess.Popen([sys.executable, "-c", program, str(who)], env=environment) for who in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    entries = Spool(folder).waiting()
    assert [entry.number for entry in entries] == list(range(1, 601))
    for who in range(3):
        own = [e.read().body for e in entries if e.observation == str(UUID(int=who))]
        assert own == [n for number in range(100) for n in (number, -number)]


def test_only_one_sends(spool: Spool) -> None:
    with spool.sender_lock() as first, spool.sender_lock() as second:
        assert first is not None
        assert second is None
        assert spool.is_being_sent()
    assert not spool.is_being_sent()


#: Two calls are spooled, or the first spooled call is put aside; the process ends, without any
#: cleaning up, just before the Nth step that reaches the disk. "whole" when it got to its end.
DYING = """
import os, sys
from pathlib import Path
from uuid import UUID
from ccat_file.calls import Call
from ccat_file.spool import Spool
folder, what, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def dying(step):
    def replacement(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os._exit(9)
        return step(*arguments, **named)
    return replacement
spool = Spool(folder)
for where, name in [(os, "fsync"), (os, "pwrite"), (os, "open"), (Path, "rename"),
                    (Path, "replace"), (Path, "unlink")]:
    setattr(where, name, dying(getattr(where, name)))
if what == "append":
    spool.append([Call(UUID(int=1), "POST", "/x", n, {}) for n in (1, 2)])
else:
    spool.refuse(spool.waiting()[0], {"code": "filing.differs"})
print("whole")
"""


@pytest.mark.parametrize("what", ["append", "refuse"])
def test_a_process_that_dies_before_any_step_leaves_whole_calls(tmp_path: Path, what: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    for step in range(1, 30):
        spool = Spool(tmp_path / str(step))
        spool.append([call(body=0)])
        done = subprocess.run(
            [sys.executable, "-c", DYING, str(spool.folder), what, str(step)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (0 if "whole" in done.stdout else 9), done.stderr
        bodies = [entry.read().body for entry in spool.waiting()]
        dead = [entry.document()["refused"] for entry in spool.dead()]
        if what == "append":
            assert bodies == [0, 1, 2][: len(bodies)]
            assert 0 in bodies
        else:
            assert (bodies, dead) in [([0], []), ([], [{"code": "filing.differs"}])]
        (new,) = spool.append([call(body="new")])
        assert new == max([*spool.waiting(), *spool.dead()])
        if "whole" in done.stdout:
            assert step > 5
            return
    pytest.fail("it never got to its end")
