"""Deleting on a disk: the guard and its races, killed deletions, empty folders."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccatdc.common.errors import DataIntegrityError, KeyEscapesError, KeyExistsError, StorageError
from datamgmt.storage.base import Stored
from datamgmt.storage.disk import paths, quarantine
from datamgmt.storage.disk.store import DiskStorage
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


def edit_and_put_the_time_back(path: Path) -> None:
    """In place, as ``touch -r`` does: only ctime tells."""
    kept = path.stat()
    path.write_bytes(b"x" * kept.st_size)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


@pytest.mark.parametrize("change", [grow, touch, replace, edit_and_put_the_time_back])
def test_a_file_that_is_not_the_expected_one_is_kept(disk: DiskStorage, disk_place: DiskPlace, change: object) -> None:
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


def test_a_killed_deletion_is_finished_by_the_next(disk: DiskStorage, disk_place: DiskPlace) -> None:
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


def test_what_a_killed_deletion_should_have_kept_is_put_back(disk: DiskStorage, disk_place: DiskPlace) -> None:
    write(disk, "obs/file.dat", b"not what was packaged")
    kill_while(disk_place, "delete", "obs/file.dat")

    with pytest.raises(DataIntegrityError):
        disk.delete("obs/file.dat", expected=Stored(size=8))

    assert read(disk, "obs/file.dat") == b"not what was packaged"
    assert quarantined(disk_place) == []


def test_a_killed_deletion_of_a_tree_is_finished_by_the_next(disk: DiskStorage, disk_place: DiskPlace) -> None:
    for key in ("tree/a/b/c.dat", "tree/a/d.dat", "tree/e.dat"):
        write(disk, key, b"x")
    kill_while(disk_place, "delete_tree", "tree")
    assert quarantined(disk_place) != []

    disk.delete_tree("tree")

    assert quarantined(disk_place) == []
    assert list(disk.walk()) == []


def test_a_deletion_that_lost_its_file_to_another_says_so(disk: DiskStorage, monkeypatch: pytest.MonkeyPatch) -> None:
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


# Putting back


def test_what_a_killed_deletion_took_out_gets_its_name_back(disk: DiskStorage, disk_place: DiskPlace) -> None:
    write(disk, "obs/file.dat", b"x")
    kill_while(disk_place, "delete", "obs/file.dat")

    assert disk.put_back("obs/file.dat")
    assert read(disk, "obs/file.dat") == b"x"
    assert quarantined(disk_place) == []
    assert not disk.put_back("obs/file.dat")


def test_nothing_is_replaced_by_what_is_put_back(disk: DiskStorage, disk_place: DiskPlace) -> None:
    write(disk, "obs/file.dat", b"old")
    kill_while(disk_place, "delete", "obs/file.dat")
    write(disk, "obs/file.dat", b"new")

    with pytest.raises(KeyExistsError):
        disk.put_back("obs/file.dat")

    assert read(disk, "obs/file.dat") == b"new"
    assert [path.read_bytes() for path in quarantined(disk_place)] == [b"old"]


def test_a_tree_of_which_a_part_is_gone_is_put_back_and_deleted_later(disk: DiskStorage, disk_place: DiskPlace) -> None:
    for key in ("tree/a/b/c.dat", "tree/a/d.dat", "tree/e.dat"):
        write(disk, key, b"x")
    kill_while(disk_place, "delete_tree", "tree")

    assert disk.put_back("tree")
    assert "tree/e.dat" in {key for key, _ in disk.walk()}
    disk.delete_tree("tree")

    assert quarantined(disk_place) == []
    assert list(disk.walk()) == []


@pytest.fixture
def killed_between_link_and_unlink(disk: DiskStorage, monkeypatch: pytest.MonkeyPatch) -> str:
    """A deletion on a file system that can only link and unlink (NFS) ended between the two."""
    write(disk, "obs/file.dat", b"x")

    def link(folder: int, name: str, to_folder: int, to_name: str) -> None:
        os.link(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder)
        raise OSError(errno.EIO, "killed")

    with monkeypatch.context() as dying:
        dying.setattr(quarantine, "rename_noreplace", link)
        with pytest.raises(StorageError):
            disk.delete("obs/file.dat")
    return "obs/file.dat"


def test_a_file_under_both_names_goes_from_both(
    disk: DiskStorage, disk_place: DiskPlace, killed_between_link_and_unlink: str
) -> None:
    found = disk.stat(killed_between_link_and_unlink)
    # The link has moved ctime: the operation lets the digest decide then.
    disk.delete(killed_between_link_and_unlink, expected=Stored(found.size, found.mtime_ns))

    assert not disk.exists(killed_between_link_and_unlink)
    assert quarantined(disk_place) == []


def test_a_file_under_both_names_keeps_its_own(
    disk: DiskStorage, disk_place: DiskPlace, killed_between_link_and_unlink: str
) -> None:
    assert disk.put_back(killed_between_link_and_unlink)

    assert read(disk, killed_between_link_and_unlink) == b"x"
    assert quarantined(disk_place) == []


# Empty folders


def test_folders_that_became_empty_go_but_never_the_root(disk: DiskStorage, disk_place: DiskPlace) -> None:
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


def test_a_tree_goes_whole_and_alone(disk: DiskStorage, disk_place: DiskPlace, tmp_path: Path) -> None:
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


def test_a_file_or_a_link_is_not_deleted_as_a_tree(disk: DiskStorage, disk_place: DiskPlace) -> None:
    write(disk, "file", b"x")
    write(disk, "tree/file", b"x")
    (disk_place.root / "link").symlink_to("tree")

    for key, code in (("file", "storage.not_a_folder"), ("link", "storage.symlink")):
        with pytest.raises(KeyEscapesError) as caught:
            disk.delete_tree(key)
        assert caught.value.code == code

    assert disk.exists("file")
    assert disk.exists("tree/file")
