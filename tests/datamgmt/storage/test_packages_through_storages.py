"""The way of a package's bytes: files at SOURCE, tar in a BUFFER, object in S3, tree at PROCESSING."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from ccatdc.common.errors import DataIntegrityError
from datamgmt.checksums import BUFFER_BYTES, digest_stream
from datamgmt.packaging.tarballs import ExpectedMember, Member, TarWritten, extract_verified, tar_size, write_tar
from datamgmt.storage.base import LocationStorage
from datamgmt.storage.s3 import streams
from tests.datamgmt.storage.contract import MIB, read, write
from tests.datamgmt.storage.places import DiskPlace, S3Place

FILES = {
    "chai/2026/obs 1/a.fits": os.urandom(7 * MIB),
    "chai/2026/obs 1/grüße\n.txt": b"odd",
    "chai/2026/obs 1/empty": b"",
}


@pytest.fixture
def source(tmp_path: Path) -> DiskPlace:
    (tmp_path / "source").mkdir()
    place = DiskPlace(tmp_path / "source")
    place.storage().write_marker()
    for name, content in FILES.items():
        place.put(name, content)
    return place


def pack(source: LocationStorage, buffer: LocationStorage, key: str) -> TarWritten:
    found = sorted(source.walk())
    members = [Member(name, stored.size, partial(source.open, name), stored.mtime_ns) for name, stored in found]
    size = tar_size((name, stored.size) for name, stored in found)
    with buffer.writer(key, "a1", size) as out:
        return write_tar(members, out)


def copy(origin: LocationStorage, target: LocationStorage, key: str) -> None:
    buffer = bytearray(BUFFER_BYTES)
    with origin.open(key) as stream, target.writer(key, "a1", origin.stat(key).size) as out:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            out.write(memoryview(buffer)[:count])


def test_a_package_goes_all_the_way(
    source: DiskPlace, disk_place: DiskPlace, s3_place: S3Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PART_BYTES", 5 * MIB)
    buffer, archive = disk_place.storage(), s3_place.storage()

    written = pack(source.storage(), buffer, "p1.a1.tar")
    copy(buffer, archive, "p1.a1.tar")

    with archive.open("p1.a1.tar") as stream:
        assert digest_stream(stream) == (written.size, written.digest)
    expected = {found.name: ExpectedMember(found.size, found.digest) for found in written.members}
    with archive.open("p1.a1.tar") as stream, buffer.make_tree("packages/p1.a1", "a1") as folder:
        extract_verified(stream, folder, expected, digest=written.digest)
    for name, content in FILES.items():
        assert read(buffer, f"packages/p1.a1/{name}") == content


def test_a_damaged_object_gives_no_tree(source: DiskPlace, disk_place: DiskPlace, s3_place: S3Place) -> None:
    buffer, archive = disk_place.storage(), s3_place.storage()
    written = pack(source.storage(), buffer, "p1.a1.tar")
    package = bytearray(read(buffer, "p1.a1.tar"))
    package[written.members[0].offset + 3 * MIB] ^= 1
    write(archive, "p1.a1.tar", bytes(package))
    expected = {found.name: ExpectedMember(found.size, found.digest) for found in written.members}

    with (
        pytest.raises(DataIntegrityError, match=r"a\.fits") as caught,
        archive.open("p1.a1.tar") as stream,
        buffer.make_tree("packages/p1.a1", "a1") as folder,
    ):
        extract_verified(stream, folder, expected, digest=written.digest)

    assert caught.value.code == "package.member_digest"
    assert [key for key, _ in buffer.walk()] == ["p1.a1.tar"]
