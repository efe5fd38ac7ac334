"""Uploads to a real S3 server: in parts, failing, damaged on the way."""

from __future__ import annotations

import pytest

from ccatdc.common.errors import KeyExistsError, StorageError
from datamgmt.storage.s3 import streams
from datamgmt.storage.s3.store import S3Storage
from tests.datamgmt.storage.contract import MIB, read, write
from tests.datamgmt.storage.places import S3Place


@pytest.fixture
def s3(s3_place: S3Place) -> S3Storage:
    return s3_place.storage()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest parts that the protocol allows, so that tests need not write gigabytes."""
    monkeypatch.setattr(streams, "PART_BYTES", 5 * MIB)


# Uploads in parts


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 12 * MIB])
def test_an_upload_in_parts_is_the_same_bytes(s3: S3Storage, size: int) -> None:
    content = (b"0123456789abcde" * (size // 15 + 1))[:size]

    with s3.writer("big.tar", "a1", size) as out:
        for start in range(0, size, 3_000_000):
            out.write(content[start : start + 3_000_000])

    assert read(s3, "big.tar") == content
    assert s3.stat("big.tar").size == size


@pytest.mark.usefixtures("small_parts")
def test_a_failing_block_takes_its_parts_back(s3: S3Storage, s3_place: S3Place) -> None:
    with pytest.raises(RuntimeError), s3.writer("big.tar", "a1") as out:
        out.write(bytes(11 * MIB))
        assert s3_place.unfinished() == ["archive/2026/big.tar"]
        raise RuntimeError("the source is damaged")

    assert s3_place.unfinished() == []
    assert not s3.exists("big.tar")


@pytest.mark.usefixtures("small_parts")
def test_an_object_that_came_meanwhile_is_not_replaced(s3: S3Storage, s3_place: S3Place) -> None:
    with pytest.raises(KeyExistsError), s3.writer("big.tar", "a1") as out:
        out.write(bytes(11 * MIB))
        write(s3_place.storage(), "big.tar", b"faster")

    assert read(s3, "big.tar") == b"faster"
    assert s3_place.unfinished() == []


@pytest.mark.usefixtures("small_parts")
def test_what_a_killed_attempt_left_is_discarded_by_its_key(s3: S3Storage, s3_place: S3Place) -> None:
    for name in ("obs.1.tar", "obs.1.tar2", "obs.10.tar"):
        s3_place.client.create_multipart_upload(Bucket=s3_place.row.bucket_name, Key=f"archive/2026/{name}")

    s3.discard_attempt("obs.1.tar", "1")

    assert s3_place.unfinished() == ["archive/2026/obs.1.tar2", "archive/2026/obs.10.tar"]


def test_parts_grow_where_ten_thousand_would_not_do() -> None:
    assert streams.part_bytes_for(None) == 64 * MIB
    assert streams.part_bytes_for(0) == 64 * MIB
    assert streams.part_bytes_for(64 * MIB * 10_000) == 64 * MIB
    assert streams.part_bytes_for(64 * MIB * 10_000 + 1) == 65 * MIB
    assert streams.part_bytes_for(5_000 * 1024 * MIB) * 10_000 >= 5_000 * 1024 * MIB


def test_bytes_damaged_on_the_way_are_refused_by_the_server(s3: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "content_md5", lambda data: "1B2M2Y8AsgTpgAmY7PhCfg==")

    with pytest.raises(StorageError) as caught:
        write(s3, "file.dat", b"not of this digest")

    assert caught.value.code == "storage.s3_bad_digest"
    assert caught.value.retryable
    assert not s3.exists("file.dat")


def test_an_object_that_the_server_cut_short_is_removed(s3: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    real_head = streams.Upload._head
    monkeypatch.setattr(streams.Upload, "_head", lambda upload: real_head(upload) - 1)

    with pytest.raises(StorageError) as caught:
        write(s3, "file.dat", b"ten bytes.")

    assert caught.value.code == "storage.s3_incomplete"
    assert not s3.exists("file.dat")
