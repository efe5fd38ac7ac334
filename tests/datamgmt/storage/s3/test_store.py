"""The contract on a real S3 server; its marker, and what S3 is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.stub import Stubber

from ccatdc.common.errors import KeyEscapesError, LocationIdentityError, NotSupportedError
from datamgmt.storage.base import LocationStorage, Usage
from datamgmt.storage.s3.store import S3Storage
from tests.datamgmt.storage.contract import StorageContract, read, write
from tests.datamgmt.storage.places import S3Place, S3Row


class TestS3(StorageContract):
    @pytest.fixture
    def place(self, s3_place: S3Place) -> S3Place:
        return s3_place


@pytest.fixture
def s3(s3_place: S3Place) -> S3Storage:
    return s3_place.storage()


# Identity


def test_a_right_marker_is_believed_for_a_few_seconds(
    s3: S3Storage, s3_place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(s3, "one.dat", b"1")
    s3_place.remove_marker()
    write(s3, "two.dat", b"2")

    monkeypatch.setattr(s3, "identity_seconds", 0.0)

    with pytest.raises(LocationIdentityError):
        write(s3, "three.dat", b"3")


def test_a_wrong_marker_is_never_believed(s3_place: S3Place) -> None:
    s3 = s3_place.storage()
    s3_place.remove_marker()
    with pytest.raises(LocationIdentityError):
        s3.check_identity()

    s3_place.storage().write_marker()

    s3.check_identity()


def test_two_prefixes_of_a_bucket_are_two_places(bucket: S3Row) -> None:
    whole = S3Storage(bucket)
    whole.write_marker()
    write(whole, "file.dat", b"x")
    bucket.prefix = "/sub/folder/"
    below = S3Storage(bucket)

    with pytest.raises(LocationIdentityError):
        write(below, "file.dat", b"y")
    below.write_marker()
    write(below, "file.dat", b"y")

    assert [key for key, _ in below.walk()] == ["file.dat"]
    assert read(below, "file.dat") == b"y"
    assert read(whole, "file.dat") == b"x"
    assert read(whole, "sub/folder/file.dat") == b"y"


# What S3 is not

FOLDERS: dict[str, Callable[[LocationStorage], object]] = {
    "make_tree": lambda s3: s3.make_tree("tree", "a1"),
    "delete_tree": lambda s3: s3.delete_tree("tree"),
    "link": lambda s3: s3.link("link", "tree"),
    "unlink_link": lambda s3: s3.unlink_link("link"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_s3_has_no_folders_and_says_so(s3: S3Storage, name: str) -> None:
    with pytest.raises(NotSupportedError, match=r"S3 cannot .*cologne_archive"):
        FOLDERS[name](s3)


def test_s3_tells_neither_its_size_nor_a_path(s3: S3Storage) -> None:
    assert s3.usage() == Usage(used_bytes=None, capacity_bytes=None)
    assert s3.local_path("file.dat") is None


def test_a_key_longer_than_the_protocol_allows_is_refused(s3: S3Storage) -> None:
    prefix = len("archive/2026/")
    key = "/".join(["x" * 255] * 4)[: 1024 - prefix]
    write(s3, key, b"x")

    with pytest.raises(KeyEscapesError) as caught:
        write(s3, key + "x", b"x")

    assert caught.value.code == "storage.key_too_long"


def test_objects_that_only_show_folders_are_not_listed(s3_place: S3Place) -> None:
    """Our own server cannot hold such objects; others do."""
    s3 = S3Storage(s3_place.row)
    s3.check_identity()
    now = datetime(2026, 11, 21, tzinfo=UTC)
    names = [".ccatdc/location.json", "folder/", "folder/file.dat"]
    contents = [{"Key": f"archive/2026/{name}", "Size": 1, "LastModified": now} for name in names]

    with Stubber(s3.client) as stub:
        stub.add_response("list_objects_v2", {"Contents": contents, "IsTruncated": False})
        found = [key for key, _ in s3.walk()]

    assert found == ["folder/file.dat"]


def test_an_object_is_a_plain_file_of_the_server(s3: S3Storage, s3_server: object) -> None:
    write(s3, "a/b.tar", b"plain")

    root: Path = s3_server.root  # type: ignore[attr-defined]
    [found] = root.rglob("archive/2026/a/b.tar")
    assert found.read_bytes() == b"plain"
