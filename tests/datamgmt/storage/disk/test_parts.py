"""Writing on a disk: full disks, killed and woken writers, durability, rename without replacing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from ccatdc.common.errors import NoSpaceError, RequestError, StorageError
from datamgmt.storage.disk import paths
from datamgmt.storage.disk.store import DiskStorage
from tests.datamgmt.storage.contract import read, write
from tests.datamgmt.storage.places import CHILD_SECONDS, DiskPlace, run_child, start_child


@pytest.fixture
def disk(disk_place: DiskPlace) -> DiskStorage:
    return disk_place.storage()


# Full disks

FILL = """
import subprocess, sys
from pathlib import Path
from ccatdc.common.errors import NoSpaceError
from tests.datamgmt.storage.places import DiskPlace
root = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tiny", str(root)], check=True, timeout=20)
disk = DiskPlace(root).storage()
disk.write_marker()
try:
    with disk.writer("big.dat", "a1") as out:
        for _ in range(64):
            out.write(bytes(100_000))
except NoSpaceError as error:
    assert not error.consumes_attempt and error.retryable, error
else:
    sys.exit("a full disk was not noticed")
assert not disk.exists("big.dat")
assert list((root / ".ccatdc" / "parts").iterdir()) == []
with disk.writer("small.dat", "a2", 1000) as out:
    out.write(bytes(1000))
try:
    with disk.writer("announced.dat", "a3", 3_000_000):
        sys.exit("the announced size was not looked at")
except NoSpaceError:
    pass
sys.exit(42)
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    private = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "-m")
    probe = [*private, "mount", "-t", "tmpfs", "tiny", str(tmp_path)]
    if subprocess.run(probe, timeout=20, check=False, capture_output=True).returncode != 0:
        if os.environ.get("CI"):
            pytest.fail("this machine allows no private mounts: the full-disk test cannot run")
        pytest.skip("full disk: this machine allows no private mounts")

    assert run_child(FILL, str(tmp_path), wrapper=private) == 42


def test_more_than_the_disk_holds_is_refused_at_once(disk: DiskStorage, disk_place: DiskPlace) -> None:
    with (
        pytest.raises(NoSpaceError, match="it needs 1152921504606846976 bytes"),
        disk.writer("huge.dat", "a1", 1 << 60),
    ):
        pytest.fail("the block was entered")

    assert disk_place.unfinished() == []


# Killed and stale writers

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.datamgmt.storage.places import DiskPlace
with DiskPlace(Path(sys.argv[1])).storage().writer("obs/file.dat", "op7.2") as out:
    out.write(b"all of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_only_its_part(disk: DiskStorage, disk_place: DiskPlace) -> None:
    status = run_child(KILLED, str(disk_place.root))
    assert status == -signal.SIGKILL

    assert not disk.exists("obs/file.dat")
    assert list(disk.walk()) == []
    [part] = disk_place.unfinished()
    assert part.startswith("op7.2-")

    disk.discard_attempt("obs/file.dat", "op7.1")
    disk.discard_attempt("obs/file.dat", "op7.22")
    disk.discard_attempt("obs/file.dat2", "op7.2")
    assert disk_place.unfinished() == [part]

    write(disk, "obs/file.dat", b"second try", "op7.3")
    disk.discard_attempt("obs/file.dat", "op7.2")
    assert disk_place.unfinished() == []
    assert read(disk, "obs/file.dat") == b"second try"


def test_a_writer_thought_dead_cannot_finish(disk: DiskStorage, disk_place: DiskPlace) -> None:
    with pytest.raises(StorageError), disk.writer("file.dat", "a1") as out:
        out.write(b"slow")
        disk.discard_attempt("file.dat", "a1")

    assert not disk.exists("file.dat")
    assert disk_place.unfinished() == []


def test_a_woken_writer_does_not_touch_its_successor_s_part(disk: DiskStorage) -> None:
    with disk.writer("file.dat", "a1") as second:
        second.write(b"second ")
        with pytest.raises(RuntimeError), disk.writer("file.dat", "a1") as first:
            first.write(b"first")
            raise RuntimeError("woken up, and told that the lease is lost")
        second.write(b"half")

    assert read(disk, "file.dat") == b"second half"


def test_the_part_of_the_longest_name_has_a_name(disk: DiskStorage, disk_place: DiskPlace) -> None:
    with disk.writer("n" * 255, "a" * 100) as out:
        out.write(b"x")
        [part] = disk_place.unfinished()

    assert len(part.encode()) <= 255
    assert disk.exists("n" * 255)


@pytest.mark.parametrize("attempt", ["", "a/b", "../x", "a b", "a" * 101, "ä"])
def test_an_attempt_that_is_no_file_name_is_refused(disk: DiskStorage, attempt: str) -> None:
    with pytest.raises(RequestError) as caught, disk.writer("file.dat", attempt):
        pytest.fail("the block was entered")

    assert caught.value.code == "storage.attempt_malformed"


DELETER = """
import sys
from pathlib import Path
from tests.datamgmt.storage.places import DiskPlace
disk = DiskPlace(Path(sys.argv[1])).storage()
while not disk.exists("stop"):
    disk.delete("day/obs/a")
"""


def test_writers_survive_folders_that_deletions_remove(disk: DiskStorage, disk_place: DiskPlace) -> None:
    """Another process empties a folder, and removes it, again and again; we need it."""
    deleter = start_child(DELETER, str(disk_place.root))
    try:
        for _ in range(200):
            write(disk, "day/obs/a", b"x")
            while disk.exists("day/obs/a"):
                assert deleter.poll() is None
        write(disk, "stop", b"")
        assert deleter.wait(CHILD_SECONDS) == 0
    finally:
        deleter.kill()
        deleter.wait()

    assert sorted(path.name for path in disk_place.root.iterdir()) == [".ccatdc", "stop"]


# Durability


def test_bytes_and_names_are_synced_in_the_right_order(
    disk: DiskStorage, disk_place: DiskPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real_sync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        kind = "file" if stat.S_ISREG(os.fstat(descriptor).st_mode) else str(path)
        named = (disk_place.root / "new/obs/file.dat").exists()
        synced.append(f"{kind.removeprefix(str(disk_place.root))}{' named' if named else ''}")
        real_sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write(disk, "new/obs/file.dat", b"x")

    assert synced == ["file", "/new/obs named", "/new named", " named", "/.ccatdc/parts named"]


def test_a_failing_sync_is_a_failed_write(
    disk: DiskStorage, disk_place: DiskPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        write(disk, "file.dat", b"x")
    monkeypatch.undo()

    assert not disk.exists("file.dat")
    assert disk_place.unfinished() == []


# Renaming where the kernel's own way is missing


def test_the_rename_of_network_file_systems_does_not_replace_either(tmp_path: Path) -> None:
    for name in ("file", "other", "empty_folder", "full_folder", "folder", "folder2"):
        path = tmp_path / name
        if "folder" in name:
            path.mkdir()
        else:
            path.write_bytes(name.encode())
    (tmp_path / "full_folder" / "inner").write_bytes(b"x")
    folder = os.open(tmp_path, os.O_RDONLY)

    with pytest.raises(FileExistsError):
        paths.rename_by_link(folder, "file", folder, "other")
    with pytest.raises(FileExistsError):
        paths.rename_by_link(folder, "folder", folder, "full_folder")
    with pytest.raises(FileExistsError):
        paths.rename_by_link(folder, "folder", folder, "file")
    paths.rename_by_link(folder, "file", folder, "new")
    paths.rename_by_link(folder, "folder", folder, "new_folder")
    os.close(folder)

    assert (tmp_path / "new").read_bytes() == b"file"
    assert (tmp_path / "other").read_bytes() == b"other"
    assert (tmp_path / "full_folder" / "inner").read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "empty_folder",
        "folder2",
        "full_folder",
        "new",
        "new_folder",
        "other",
    ]
