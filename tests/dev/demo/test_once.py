"""``scripts/demo`` end to end, as a user runs it: real servers, real workers, real files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.gateway.sites import free_port

pytestmark = pytest.mark.pipeline

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "demo"
#: A space, because some users' folders have one.
ROOT = "demo root"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demo for all tests: a second start uses what the first one made."""
    return tmp_path_factory.mktemp("demo") / ROOT


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """As in a user's shell: nothing that the tests' own settings need."""
    names = [name for name in os.environ if name.startswith(("CCATDC_", "DJANGO_"))]
    return {name: value for name, value in os.environ.items() if name not in {*names, "DATABASE_URL"}}


def start(root: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """With a port of its own: two that begin at the same time would both choose the usual one."""
    return subprocess.Popen(
        [str(SCRIPT), "--root", str(root), "--port", str(free_port()), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd="/",
    )


def once(root: Path, environment: dict[str, str], *arguments: str) -> tuple[int, Any, str]:
    process = start(root, environment, "--once", "--json", "--timeout", "240", *arguments)
    out, err = process.communicate(timeout=400)
    return process.returncode, json.loads(out), err


def processes_of(root: Path) -> list[str]:
    """Whatever runs with this root on its command line or in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(str(root) in word for word in words):
            found.append(f"{process.pid} {process.name()}")
    return found


def wait_until_nothing_runs(root: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while processes_of(root) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(root) == []


def first_line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"It ended without saying {text!r}: {process.communicate()}")


def test_a_night_of_simulated_observations_ends_well(root: Path, environment: dict[str, str]) -> None:
    status, result, said = once(root, environment, "--size", "3MB")

    assert (status, result.get("ok")) == (0, True), said
    assert sum(file["size"] for file in result["files"]) == 6_000_000
    assert result["locations"]["ccat_chai_raw_data"] == str(root / "ccat" / "chai_raw_data")
    assert {file["relative_path"].rpartition(".")[2] for file in result["files"]} == {"g3", "fits", "log"}
    for file in result["files"]:
        assert Path(file["staged_path"]).stat().st_size == file["size"]
    wait_until_nothing_runs(root, 5)


def write_tree(folder: Path) -> dict[str, bytes]:
    """Files with names that somebody has somewhere, and their bytes."""
    names = [
        "plain.dat",
        "with space/and ünïcödé 日本.txt",
        "-rf",
        "new\nline",
        "back\\slash",
        "empty",
        "deep/" + "/".join(["d" * 100] * 9) + "/file",
        "l" * 255,
    ]
    contents = {name: b"" if name == "empty" else os.urandom(1000 + 7919 * number) for number, name in enumerate(names)}
    contents["large.bin"] = os.urandom(9_000_000)
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "link").symlink_to("plain.dat")
    os.mkfifo(folder / "pipe")
    return contents


def below_run(path: str) -> str:
    """Without the folder of the run."""
    return path.partition("/")[2]


def test_a_folder_comes_back_byte_for_byte_from_staging_and_from_the_archive(
    root: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    contents = write_tree(tmp_path)
    has_a_past = (root / "postgres").is_dir()
    shutil.rmtree(root / "postgres", ignore_errors=True)  # the database is lost: it comes back from the archive

    status, result, said = once(root, environment, "--input", str(tmp_path))

    assert (status, result.get("ok")) == (0, True), said
    assert ("tars of earlier nights are those that were archived" in said) == has_a_past
    files = {below_run(file["relative_path"]): file for file in result["files"]}
    assert files.keys() == contents.keys()
    assert {entry["path"] for entry in result["skipped"]} == {"link", "pipe"}
    archived: dict[str, bytes] = {}
    for bucket, key in {(f["archive"]["bucket"], f["archive"]["key"]) for f in files.values()}:
        with tarfile.open(Path(result["s3_root"], bucket, key)) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                archived[below_run(member.name)] = stream.read() if stream else b""
    assert archived == contents
    assert {name: Path(f["staged_path"]).read_bytes() for name, f in files.items()} == contents


def test_an_empty_folder_is_an_error_in_words_and_in_json(
    root: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    status, result, said = once(root, environment, "--input", str(tmp_path))

    assert status == 1
    assert result["ok"] is False
    assert "holds no file that can be filed" in result["error"]
    assert "holds no file that can be filed" in said
    wait_until_nothing_runs(root, 5)


def test_what_is_not_done_in_time_is_reported(root: Path, environment: dict[str, str]) -> None:
    process = start(root, environment, "--once", "--json", "--timeout", "0.01")
    out, _ = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "The night was not archived" in json.loads(out)["error"]


@pytest.fixture
def session(root: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = start(root, environment, "--every", "0")
    try:
        first_line_with(process, "Ctrl-C stops everything")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_within_seconds(session: subprocess.Popen[str], root: Path, signum: int) -> None:
    assert len(processes_of(root)) > 5

    session.send_signal(signum)
    out, err = session.communicate(timeout=30)

    assert session.returncode == 0, (out, err)
    assert processes_of(root) == []


def test_nothing_is_left_when_the_demo_is_killed(session: subprocess.Popen[str], root: Path) -> None:
    session.kill()
    session.wait(10)

    # A worker in the middle of an operation has a minute to give it back.
    wait_until_nothing_runs(root, 90)


def test_a_second_demo_in_the_same_folder_is_refused(
    session: subprocess.Popen[str], root: Path, environment: dict[str, str]
) -> None:
    second = start(root, environment, "--once")
    out, _ = second.communicate(timeout=60)

    assert second.returncode == 1
    assert f"Another demo runs in {root} (process {session.pid}, http://127.0.0.1:" in out
    assert session.poll() is None


def test_a_process_that_dies_is_started_again(session: subprocess.Popen[str]) -> None:
    def managers() -> list[int]:
        children = psutil.Process(session.pid).children()
        return [child.pid for child in children if "run_managers" in child.cmdline()]

    (killed,) = managers()
    os.kill(killed, signal.SIGKILL)

    first_line_with(session, "Process 'managers' ended with status -9; started again")
    deadline = time.monotonic() + 10
    while not managers() and time.monotonic() < deadline:
        time.sleep(0.05)
    (started,) = managers()
    assert started != killed


def test_nothing_needs_a_person_while_it_runs(
    session: subprocess.Popen[str], root: Path, environment: dict[str, str]
) -> None:
    said: dict[str, Any] = {}
    deadline = time.monotonic() + 90
    while not said.get("all_well") and time.monotonic() < deadline:
        done = subprocess.run(
            ["sh", "-c", 'set -a; . "$0/environment"; exec "$1" manage.py ops status --json', root, sys.executable],
            cwd=SCRIPT.parents[1],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = json.loads(done.stdout)
    assert said["attention"] == []
    assert session.poll() is None
