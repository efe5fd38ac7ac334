"""Finding files on a disk: links that lead elsewhere, long paths, odd entries, the root itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ccatdc.common.errors import (
    ConfigurationError,
    KeyEscapesError,
    KeyMissingError,
    LocationIdentityError,
    StorageError,
)
from datamgmt.storage.disk.store import DiskStorage
from tests.datamgmt.storage.contract import read, write
from tests.datamgmt.storage.places import DiskPlace, DiskRow


@pytest.fixture
def disk(disk_place: DiskPlace) -> DiskStorage:
    return disk_place.storage()


def test_a_key_may_be_longer_than_the_system_s_longest_path(disk: DiskStorage, disk_place: DiskPlace) -> None:
    key = "/".join([f"{number:03}" + "x" * 252 for number in range(20)])
    assert len(key) > os.pathconf("/", "PC_PATH_MAX")

    write(disk, key, b"deep")

    assert read(disk, key) == b"deep"
    assert [found for found, _ in disk.walk()] == [key]
    disk.delete(key)
    assert [path.name for path in disk_place.root.iterdir()] == [".ccatdc"]


def test_the_root_itself_may_be_a_link(disk_place: DiskPlace, tmp_path: Path) -> None:
    (tmp_path / "mount").symlink_to(disk_place.root)
    disk = DiskStorage(DiskRow(str(tmp_path / "mount")))

    write(disk, "file.dat", b"x")

    assert (disk_place.root / "file.dat").read_bytes() == b"x"


def test_a_linked_folder_below_the_root_is_refused(disk: DiskStorage, disk_place: DiskPlace, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"not ours")
    (disk_place.root / "way").symlink_to(outside)
    uses: list[Callable[[], object]] = [
        lambda: disk.open("way/secret"),
        lambda: disk.stat("way/secret"),
        lambda: disk.exists("way/secret"),
        lambda: write(disk, "way/new", b"x"),
        lambda: disk.delete("way/secret"),
        lambda: disk.delete_tree("way/sub"),
        lambda: disk.make_tree("way/sub", "a1").__enter__(),
        lambda: disk.link("way/link", "target"),
        lambda: disk.unlink_link("way/secret"),
        lambda: list(disk.walk("way")),
    ]

    for use in uses:
        with pytest.raises(KeyEscapesError, match="way") as caught:
            use()
        assert caught.value.code == "storage.symlink"
    assert {entry.name: entry.read_bytes() for entry in outside.iterdir()} == {"secret": b"not ours"}
    assert list(disk.walk()) == []


def test_a_linked_file_is_refused(disk: DiskStorage, disk_place: DiskPlace, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not ours")
    (disk_place.root / "file").symlink_to(tmp_path / "secret")

    for use in (disk.open, disk.stat, disk.exists, disk.delete, disk.delete_tree):
        with pytest.raises(KeyEscapesError) as caught:
            use("file")
        assert caught.value.code == "storage.symlink"
    assert (tmp_path / "secret").read_bytes() == b"not ours"


def test_the_house_s_folder_cannot_be_led_elsewhere(disk: DiskStorage, disk_place: DiskPlace, tmp_path: Path) -> None:
    (disk_place.root / ".ccatdc").rename(tmp_path / "moved")
    (disk_place.root / ".ccatdc").symlink_to(tmp_path / "moved")

    with pytest.raises(KeyEscapesError):
        write(disk, "file.dat", b"x")


def test_a_named_pipe_does_not_hang_a_worker(disk: DiskStorage, disk_place: DiskPlace) -> None:
    os.mkfifo(disk_place.root / "pipe")

    with pytest.raises(KeyEscapesError) as caught:
        disk.open("pipe")

    assert caught.value.code == "storage.not_a_file"
    assert not disk.exists("pipe")
    assert list(disk.walk()) == []


def test_a_name_that_is_not_utf8_is_listed_but_not_opened(disk: DiskStorage, disk_place: DiskPlace) -> None:
    Path(os.fsdecode(os.fsencode(disk_place.root) + b"/caf\xe9.dat")).write_bytes(b"x")

    [(key, stored)] = disk.walk()

    assert os.fsencode(key) == b"caf\xe9.dat"
    assert stored.size == 1
    with pytest.raises(KeyEscapesError):
        disk.open(key)


def test_a_file_in_the_way_of_a_folder_is_said(disk: DiskStorage) -> None:
    write(disk, "a", b"x")

    with pytest.raises(StorageError, match=r"Not a directory|is a file, not a folder"):
        write(disk, "a/b", b"x")
    with pytest.raises(KeyMissingError):
        disk.open("a/b")


# The root


def test_a_root_that_is_not_there_is_an_unmounted_disk(tmp_path: Path) -> None:
    disk = DiskStorage(DiskRow(str(tmp_path / "not mounted")))

    for use in (
        disk.write_marker,
        disk.check_identity,
        disk.usage,
        lambda: disk.open("a"),
        lambda: write(disk, "a", b"x"),
        lambda: disk.delete("a"),
        lambda: list(disk.walk()),
    ):
        with pytest.raises(LocationIdentityError, match="not mounted") as caught:
            use()
        assert caught.value.code == "location.marker_missing"
        assert caught.value.retryable
        assert not caught.value.consumes_attempt
    assert not (tmp_path / "not mounted").exists()


def test_a_relative_root_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="absolute"):
        DiskStorage(DiskRow("data/fyst"))


def test_usage_is_the_file_system_s(disk: DiskStorage, disk_place: DiskPlace) -> None:
    found = shutil.disk_usage(disk_place.root)

    usage = disk.usage()

    assert usage.used_bytes == pytest.approx(found.used, rel=0.01)
    assert usage.capacity_bytes == pytest.approx(found.used + found.free, rel=0.01)
