"""Folders made whole, and links to them: how staged packages are shown to scientists."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from ccatdc.common.errors import KeyEscapesError, KeyExistsError, LocationIdentityError, StorageError
from datamgmt.storage.disk import paths
from datamgmt.storage.disk.store import DiskStorage
from tests.datamgmt.storage.contract import read, write
from tests.datamgmt.storage.places import DiskPlace


@pytest.fixture
def disk(disk_place: DiskPlace) -> DiskStorage:
    return disk_place.storage()


def make(disk: DiskStorage, key: str, attempt: str = "a1") -> None:
    with disk.make_tree(key, attempt) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file.dat").write_bytes(attempt.encode())


def test_a_tree_appears_whole(disk: DiskStorage) -> None:
    with disk.make_tree("packages/p1.1", "a1") as folder:
        (folder / "file.dat").write_bytes(b"x")
        assert list(disk.walk()) == []

    assert [key for key, _ in disk.walk()] == ["packages/p1.1/file.dat"]


def test_a_failing_block_leaves_no_tree(disk: DiskStorage, disk_place: DiskPlace) -> None:
    with pytest.raises(RuntimeError), disk.make_tree("packages/p1.1", "a1") as folder:
        (folder / "sub" / "deeper").mkdir(parents=True)
        (folder / "sub" / "deeper" / "file.dat").write_bytes(b"x")
        raise RuntimeError("a digest did not match")

    assert list(disk.walk()) == []
    assert disk_place.unfinished() == []


def test_a_tree_is_never_replaced(disk: DiskStorage, disk_place: DiskPlace) -> None:
    make(disk, "p1")
    (disk_place.root / "empty").mkdir()

    for key in ("p1", "empty"):
        with pytest.raises(KeyExistsError):
            make(disk, key, "a2")

    assert read(disk, "p1/sub/file.dat") == b"a1"
    assert disk_place.unfinished() == []


def test_a_tree_that_came_first_is_not_replaced(disk: DiskStorage, disk_place: DiskPlace) -> None:
    with pytest.raises(KeyExistsError), disk.make_tree("p1", "a1") as folder:
        (folder / "file.dat").write_bytes(b"slow")
        make(disk, "p1", "a2")

    assert read(disk, "p1/sub/file.dat") == b"a2"
    assert disk_place.unfinished() == []


def test_a_tree_is_synced_before_it_has_its_name(
    disk: DiskStorage, disk_place: DiskPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[bool] = []
    real_sync = paths.sync_file_system

    def note(descriptor: int) -> None:
        named.append((disk_place.root / "p1").exists())
        real_sync(descriptor)

    monkeypatch.setattr("datamgmt.storage.disk.store.sync_file_system", note)
    make(disk, "p1")

    assert named == [False]


def test_what_a_killed_attempt_left_of_a_tree_is_discarded(disk: DiskStorage, disk_place: DiskPlace) -> None:
    with disk.make_tree("p1", "a1") as folder:
        pass
    left = folder.parent / folder.name
    (left / "sub").mkdir(parents=True)
    (left / "sub" / "file.dat").write_bytes(b"x")
    assert disk_place.unfinished() == [left.name]

    disk.discard_attempt("p1", "a2")
    assert disk_place.unfinished() == [left.name]
    disk.discard_attempt("p1", "a1")

    assert disk_place.unfinished() == []


# Links


def test_a_link_shows_the_tree_wherever_the_root_is_mounted(disk: DiskStorage, disk_place: DiskPlace) -> None:
    make(disk, "packages/p1.1")

    disk.link("jobs/7/p1", "packages/p1.1")

    assert os.readlink(disk_place.root / "jobs/7/p1") == "../../packages/p1.1"  # noqa: PTH115
    moved = disk_place.root.rename(disk_place.root.with_name("elsewhere"))
    assert (moved / "jobs/7/p1/sub/file.dat").read_bytes() == b"a1"


def test_a_link_at_the_root_points_down(disk: DiskStorage, disk_place: DiskPlace) -> None:
    disk.link("latest", "packages/p1.1")

    assert os.readlink(disk_place.root / "latest") == "packages/p1.1"  # noqa: PTH115


def test_the_same_link_again_is_success_and_another_is_not(disk: DiskStorage) -> None:
    disk.link("jobs/7/p1", "packages/p1.1")
    disk.link("jobs/7/p1", "packages/p1.1")

    with pytest.raises(KeyExistsError):
        disk.link("jobs/7/p1", "packages/p1.2")
    write(disk, "file", b"x")
    with pytest.raises(KeyExistsError):
        disk.link("file", "packages/p1.1")

    assert read(disk, "file") == b"x"


def test_removing_a_link_keeps_what_it_points_to(disk: DiskStorage, disk_place: DiskPlace) -> None:
    make(disk, "packages/p1.1")
    disk.link("jobs/7/p1", "packages/p1.1")

    disk.unlink_link("jobs/7/p1")
    disk.unlink_link("jobs/7/p1")

    assert disk.exists("packages/p1.1/sub/file.dat")
    assert not (disk_place.root / "jobs").exists()


def test_only_links_are_removed_as_links(disk: DiskStorage) -> None:
    make(disk, "packages/p1.1")

    for key in ("packages/p1.1", "packages/p1.1/sub/file.dat"):
        with pytest.raises(KeyEscapesError) as caught:
            disk.unlink_link(key)
        assert caught.value.code == "storage.not_a_link"

    assert disk.exists("packages/p1.1/sub/file.dat")


def test_a_target_outside_is_refused(disk: DiskStorage) -> None:
    with pytest.raises(KeyEscapesError):
        disk.link("jobs/7/p1", "../outside")


def test_a_link_too_long_for_the_system_is_an_error(disk: DiskStorage) -> None:
    with pytest.raises(StorageError, match="too long"):
        disk.link("link", "/".join(["x" * 255] * 17))


# Identity

USES: dict[str, Callable[[DiskStorage], object]] = {
    "make_tree": lambda disk: make(disk, "p2"),
    "delete_tree": lambda disk: disk.delete_tree("p1"),
    "link": lambda disk: disk.link("l2", "p1"),
    "unlink_link": lambda disk: disk.unlink_link("l1"),
}


@pytest.mark.parametrize("name", USES)
def test_without_the_marker_no_tree_and_no_link_is_touched(disk: DiskStorage, disk_place: DiskPlace, name: str) -> None:
    make(disk, "p1")
    disk.link("l1", "p1")
    disk_place.remove_marker()

    with pytest.raises(LocationIdentityError):
        USES[name](disk)

    assert sorted(path.name for path in disk_place.root.iterdir()) == [".ccatdc", "l1", "p1"]
    assert (disk_place.root / "l1/sub/file.dat").read_bytes() == b"a1"
