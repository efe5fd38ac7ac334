"""Unpacking: the files that went in come out, or nothing is trusted and the culprit is named."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from ccatdc.common.errors import DataIntegrityError, KeyEscapesError
from datamgmt.checksums import digest_stream
from datamgmt.packaging.tarballs import ExpectedMember, Extracted, extract_verified, write_tar
from tests.datamgmt.packaging.tarballs.packing import ODD_NAMES, expected_of, member, packed
from tests.datamgmt.storage.places import DiskPlace, run_child

CONTENTS = {name: name.encode() * number for number, name in enumerate(ODD_NAMES)} | {"big.dat": os.urandom(3_000_001)}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.fixture
def disk_place(tmp_path: Path) -> DiskPlace:
    """A registered PROCESSING location."""
    (tmp_path / "root").mkdir()
    place = DiskPlace(tmp_path / "root")
    place.storage().write_marker()
    return place


def extract(package: bytes, into: Path, expected: dict[str, ExpectedMember], digest: str = "") -> Extracted:
    digest = digest or digest_stream(io.BytesIO(package))[1]
    return extract_verified(io.BytesIO(package), into, expected, digest=digest)


def test_the_files_that_went_in_come_out(into: Path) -> None:
    package, written = packed(CONTENTS)

    extracted = extract(package, into, expected_of(CONTENTS))

    assert extracted == Extracted(written.size, written.digest, len(CONTENTS))
    found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
    assert found == CONTENTS


def test_files_get_their_recorded_time_and_plain_rights(into: Path) -> None:
    out = io.BytesIO()
    write_tar([member("d/a", b"x", mtime_ns=1_795_230_000_750_000_000)], out)

    extract(out.getvalue(), into, expected_of({"d/a": b"x"}))

    found = (into / "d/a").stat()
    assert found.st_mtime_ns == 1_795_230_000_000_000_000
    assert found.st_mode & 0o777 & ~0o644 == 0


def test_a_path_longer_than_the_system_s_longest_comes_out(disk_place: DiskPlace) -> None:
    name = "/".join(["観測" * 40] * 18)
    assert len(name.encode()) > 4096
    package, written = packed({name: b"deep"})
    disk = disk_place.storage()

    with disk.make_tree("packages/p1", "a1") as folder:
        extract_verified(io.BytesIO(package), folder, expected_of({name: b"deep"}), digest=written.digest)

    with disk.open(f"packages/p1/{name}") as stream:
        assert stream.read() == b"deep"


# What is not right


def changed_byte(package: bytes) -> bytes:
    position = package.index(b"content of b")
    return package[:position] + b"C" + package[position + 1 :]


GOOD = {"a": b"content of a", "d/b": b"content of b", "d/c": b""}
PACKAGE, WRITTEN = packed(GOOD)
EXPECTED = expected_of(GOOD)


@pytest.mark.parametrize(
    ("package", "expected", "code", "named"),
    [
        (changed_byte(PACKAGE), EXPECTED, "package.member_digest", "'d/b'"),
        (PACKAGE, EXPECTED | expected_of({"d/b": b"longer content"}), "package.member_size", "'d/b'"),
        (PACKAGE, EXPECTED | expected_of({"e": b"", "f": b""}), "package.member_missing", "2 of 5"),
        (PACKAGE, {"a": EXPECTED["a"]}, "package.member_unexpected", "'d/b'"),
        (PACKAGE, {}, "package.member_unexpected", "'a'"),
        (PACKAGE[:-512], EXPECTED, "package.digest", WRITTEN.digest),
        (PACKAGE + bytes(10240), EXPECTED, "package.digest", WRITTEN.digest),
        (PACKAGE[:1500], EXPECTED, "tar.damaged", "ends"),
    ],
)
def test_what_is_not_right_is_named(
    into: Path, package: bytes, expected: dict[str, ExpectedMember], code: str, named: str
) -> None:
    with pytest.raises(DataIntegrityError, match=named) as caught:
        extract(package, into, expected, WRITTEN.digest)

    assert caught.value.code == code
    assert not caught.value.retryable


def test_another_time_in_a_header_is_another_package(into: Path) -> None:
    out = io.BytesIO()
    write_tar([member(name, content, mtime_ns=10**18) for name, content in GOOD.items()], out)

    with pytest.raises(DataIntegrityError) as caught:
        extract(out.getvalue(), into, EXPECTED, WRITTEN.digest)

    assert caught.value.code == "package.digest"


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_file_and_a_folder_of_one_name_are_refused(into: Path, names: tuple[str, str]) -> None:
    contents = dict.fromkeys(names, b"x")
    package, _ = packed(contents)

    with pytest.raises(DataIntegrityError) as caught:
        extract(package, into, expected_of(contents))

    assert caught.value.code == "package.member_conflict"


def test_nothing_that_is_there_is_written_to(into: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"kept")
    (into / "a").symlink_to(tmp_path / "outside")

    with pytest.raises(DataIntegrityError):
        extract(PACKAGE, into, EXPECTED)

    assert (tmp_path / "outside").read_bytes() == b"kept"


def test_a_link_put_in_the_way_is_not_followed(into: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (into / "d").symlink_to(tmp_path / "outside")

    with pytest.raises(KeyEscapesError) as caught:
        extract(PACKAGE, into, EXPECTED)

    assert caught.value.code == "storage.symlink"
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_failed_unpacking_leaves_no_tree(disk_place: DiskPlace) -> None:
    disk = disk_place.storage()

    with pytest.raises(DataIntegrityError), disk.make_tree("packages/p1", "a1") as folder:
        extract(changed_byte(PACKAGE), folder, EXPECTED)

    assert list(disk.walk()) == []
    assert disk_place.unfinished() == []


LIMITED = """
import io, resource, sys
from pathlib import Path
from tests.datamgmt.packaging.tarballs.packing import expected_of, packed
from ccatdc.common.errors import StorageError
from datamgmt.packaging.tarballs import extract_verified
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
package, written = packed({"big": bytes(200_000)})
try:
    extract_verified(
        io.BytesIO(package), Path(sys.argv[1]), expected_of({"big": bytes(200_000)}),
        digest=written.digest,
    )
except StorageError as error:
    sys.exit(42 if "'big'" in str(error) and "File too large" in str(error) else str(error))
"""


def test_a_disk_that_refuses_a_file_is_named(into: Path) -> None:
    assert run_child(LIMITED, str(into)) == 42


MEMORY = """
import resource, sys
from pathlib import Path
from functools import partial
from datamgmt.packaging.tarballs import ExpectedMember, Member, extract_verified, write_tar
root = Path(sys.argv[1])
(root / "in").mkdir(); (root / "out").mkdir()
with (root / "in/a").open("wb") as file:
    file.truncate(300_000_000)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
with (root / "package.tar").open("wb") as out:
    written = write_tar([Member("a", 300_000_000, partial((root / "in/a").open, "rb"))], out)
expected = {"a": ExpectedMember(300_000_000, written.members[0].digest)}
with (root / "package.tar").open("rb") as stream:
    extract_verified(stream, root / "out", expected, digest=written.digest)
sys.exit(42 if peak() - before < 30 else f"{peak() - before} MiB more than at the start")
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    assert run_child(MEMORY, str(tmp_path)) == 42
