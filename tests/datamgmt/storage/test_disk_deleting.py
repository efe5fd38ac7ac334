"""Deleting on a disk: the guard and its races, killed deletions, empty folders."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccatdc.common.errors import DataIntegrityError, KeyEscapesError, StorageError
from datamgmt.storage import paths, quarantine
from datamgmt.storage.base import Stored
from datamgmt.storage.disk import DiskStorage
from tests.datamgmt.storage.contract import read, write
from tests.datamgmt.storage.places import DiskPlace, run_child


@pytest.fixture
def disk(disk_place: DiskPlace) -> DiskStorage:
    return disk_place.storage()


def quarantined(place: DiskPlace) -> list[Path]:
    folder = place.root / ".ccatdc" / "quarantine"
    return sorted(folder.iterdir()) if folder.exists() else []


# The guard


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b" and more")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 1))


def replace(path: Path) -> None:
    """Another file of the same size and time."""
    kept = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"x" * kept.st_size)
    os.utime(other, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [grow, touch, replace])
def test_a_file_that_is_not_the_expected_one_is_kept(
    disk: DiskStorage, disk_place: DiskPlace, change: object
) -> None:
    write(disk, "obs/file.dat", b"packaged")
    expected = disk.stat("obs/file.dat")
    change(disk_place.root / "obs/file.dat")  # type: ignore[operator]
    content = read(disk, "obs/file.dat")

    with pytest.raises(DataIntegrityError) as caught:
        disk.delete("obs/file.dat", expected=expected)

    assert caught.value.code == "storage.changed"
    assert read(disk, "obs/file.dat") == content
    assert quarantined(disk_place) == []


def test_a_change_between_the_look_and_the_rename_is_seen(
    disk: DiskStorage, disk_place: DiskPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(disk, "obs/file.dat", b"packaged")
    expected = disk.stat("obs/file.dat")
    real_rename = paths.rename_noreplace

    def change_first(folder: int, name: str, to_folder: int, to_name: str) -> None:
        monkeypatch.setattr(quarantine, "rename_noreplace", real_rename)
        grow(disk_place.root / "obs/file.dat")
        real_rename(folder, name, to_folder, to_name)

    monkeypatch.setattr(quarantine, "rename_noreplace", change_first)
    with pytest.raises(DataIntegrityError) as caught:
        disk.delete("obs/file.dat", expected=expected)

    assert caught.value.code == "storage.changed"
    assert read(disk, "obs/file.dat") == b"packaged and more"
    assert quarantined(disk_place) == []


def test_a_changed_file_whose_name_is_taken_stays_in_quarantine(
    disk: DiskStorage, disk_place: DiskPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(disk, "obs/file.dat", b"packaged")
    expected = disk.stat("obs/file.dat")
    real_rename = paths.rename_noreplace

    def change_and_take(folder: int, name: str, to_folder: int, to_name: str) -> None:
        monkeypatch.setattr(quarantine, "rename_noreplace", real_rename)
        grow(disk_place.root / "obs/file.dat")
        real_rename(folder, name, to_folder, to_name)
        disk_place.put("obs/file.dat", b"a new one")

    monkeypatch.setattr(quarantine, "rename_noreplace", change_and_take)
    with pytest.raises(DataIntegrityError) as caught:
        disk.delete("obs/file.dat", expected=expected)

    assert read(disk, "obs/file.dat") == b"a new one"
    [kept] = quarantined(disk_place)
    assert kept.read_bytes() == b"packaged and more"
    assert kept.name in caught.value.__notes__[0]


# Killed deletions

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.datamgmt.storage.places import DiskPlace
disk = DiskPlace(Path(sys.argv[1])).storage()
os.unlink = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
getattr(disk, sys.argv[2])(sys.argv[3])
"""


def kill_while(place: DiskPlace, method: str, key: str) -> None:
    assert run_child(KILLED, str(place.root), method, key) == -signal.SIGKILL


def test_a_killed_deletion_is_finished_by_the_next(
    disk: DiskStorage, disk_place: DiskPlace
) -> None:
    write(disk, "obs_1", b"x")
    write(disk, "obs_10", b"y")
    expected = disk.stat("obs_1")
    kill_while(disk_place, "delete", "obs_1")
    assert not disk.exists("obs_1")
    assert len(quarantined(disk_place)) == 1

    disk.delete("obs_10")
    assert len(quarantined(disk_place)) == 1
    disk.delete("obs_1", expected=expected)

    assert quarantined(disk_place) == []


def test_what_a_killed_deletion_should_have_kept_is_put_back(
    disk: DiskStorage, disk_place: DiskPlace
) -> None:
    write(disk, "obs/file.dat", b"not what was packaged")
    kill_while(disk_place, "delete", "obs/file.dat")

    with pytest.raises(DataIntegrityError):
        disk.delete("obs/file.dat", expected=Stored(size=8))

    assert read(disk, "obs/file.dat") == b"not what was packaged"
    assert quarantined(disk_place) == []


def test_a_killed_deletion_of_a_tree_is_finished_by_the_next(
    disk: DiskStorage, disk_place: DiskPlace
) -> None:
    for key in ("tree/a/b/c.dat", "tree/a/d.dat", "tree/e.dat"):
        write(disk, key, b"x")
    kill_while(disk_place, "delete_tree", "tree")
    assert quarantined(disk_place) != []

    disk.delete_tree("tree")

    assert quarantined(disk_place) == []
    assert list(disk.walk()) == []


def test_a_deletion_that_lost_its_file_to_another_says_so(
    disk: DiskStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(disk, "file.dat", b"x")
    real_rename = paths.rename_noreplace

    def lose(folder: int, name: str, to_folder: int, to_name: str) -> None:
        real_rename(folder, name, to_folder, to_name)
        os.unlink(to_name, dir_fd=to_folder)

    monkeypatch.setattr(quarantine, "rename_noreplace", lose)
    with pytest.raises(StorageError) as caught:
        disk.delete("file.dat")

    assert caught.value.code == "storage.delete_interrupted"
    assert caught.value.retryable


# Empty folders


def test_folders_that_became_empty_go_but_never_the_root(
    disk: DiskStorage, disk_place: DiskPlace
) -> None:
    for key in ("2026/11/20/a", "2026/11/21/b"):
        write(disk, key, b"x")

    disk.delete("2026/11/20/a")
    assert not (disk_place.root / "2026/11/20").exists()
    assert disk.exists("2026/11/21/b")

    disk.delete("2026/11/21/b")
    assert [path.name for path in disk_place.root.iterdir()] == [".ccatdc"]


def test_folders_that_others_left_empty_stay(disk: DiskStorage, disk_place: DiskPlace) -> None:
    (disk_place.root / "instrument/module").mkdir(parents=True)

    disk.delete("instrument/module/never.dat")

    assert (disk_place.root / "instrument/module").is_dir()


# Trees


def test_a_tree_goes_whole_and_alone(
    disk: DiskStorage, disk_place: DiskPlace, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_bytes(b"x")
    for key in ("obs_1/a", "obs_1/b/c/d", "obs_10/a"):
        write(disk, key, b"x")
    (disk_place.root / "obs_1/link").symlink_to(tmp_path / "outside")
    (disk_place.root / "obs_1/b/link").symlink_to(tmp_path / "outside" / "kept")
    (disk_place.root / "obs_1/empty").mkdir()

    disk.delete_tree("obs_1")

    assert [key for key, _ in disk.walk()] == ["obs_10/a"]
    assert not (disk_place.root / "obs_1").exists()
    assert (tmp_path / "outside" / "kept").read_bytes() == b"x"
    assert quarantined(disk_place) == []


@pytest.fixture
def few_open_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_open_files")
def test_a_tree_deeper_than_files_may_be_open_goes(disk: DiskStorage) -> None:
    write(disk, "tree/" + "/".join(["d"] * 300) + "/file", b"x")

    disk.delete_tree("tree")

    assert list(disk.walk()) == []


def test_a_tree_that_is_gone_is_success(disk: DiskStorage) -> None:
    disk.delete_tree("never/was")


def test_a_file_or_a_link_is_not_deleted_as_a_tree(
    disk: DiskStorage, disk_place: DiskPlace
) -> None:
    write(disk, "file", b"x")
    write(disk, "tree/file", b"x")
    (disk_place.root / "link").symlink_to("tree")

    for key, code in (("file", "storage.not_a_folder"), ("link", "storage.symlink")):
        with pytest.raises(KeyEscapesError) as caught:
            disk.delete_tree(key)
        assert caught.value.code == code

    assert disk.exists("file")
    assert disk.exists("tree/file")
