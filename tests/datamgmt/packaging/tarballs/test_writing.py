"""What we write, judged by GNU tar and by Python's tarfile; and what we refuse to write."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from ccatdc.common.errors import DataIntegrityError, KeyEscapesError, RequestError, StorageError
from datamgmt.checksums import digest_stream, new_digest
from datamgmt.packaging.tarballs import Member, MemberChanged, write_tar
from tests.datamgmt.packaging.tarballs.packing import ODD_NAMES, file_member, member, packed

TAR_SECONDS = 60
#: 2026-11-21 03:00:00.75 UTC
MTIME_NS = 1_795_230_000_750_000_000
WHOLE_SECONDS = 1_795_230_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with odd names and sizes, as an instrument may leave it."""
    root = tmp_path / "source"
    for number, name in enumerate(ODD_NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * number)
    (root / "big.dat").write_bytes(os.urandom(3_000_001))
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (WHOLE_SECONDS, WHOLE_SECONDS))
    return root


def names_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def tar(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["tar", *arguments], cwd=cwd, timeout=TAR_SECONDS, check=False, capture_output=True, text=True
    )


def pack_tree(tree: Path) -> Path:
    package = tree.with_name("package.tar")
    with package.open("wb") as out:
        write_tar([file_member(tree, name) for name in names_in(tree)], out)
    return package


# Judged by others


def test_gnu_tar_extracts_the_same_files(tree: Path, tmp_path: Path) -> None:
    package = pack_tree(tree)
    into = tmp_path / "extracted"
    into.mkdir()

    done = tar("-xf", str(package), cwd=into)

    assert (done.returncode, done.stderr) == (0, "")
    assert names_in(into) == names_in(tree)
    for name in names_in(tree):
        assert (into / name).read_bytes() == (tree / name).read_bytes()
        assert (into / name).stat().st_mtime == WHOLE_SECONDS


def test_gnu_tar_finds_no_difference(tree: Path) -> None:
    package = pack_tree(tree)

    done = tar("-df", str(package), cwd=tree)

    # The owner in the tar is always root; a test run by somebody else differs in that alone.
    told = [line for line in done.stdout.splitlines() if "id differs" not in line]
    assert (told, done.stderr) == ([], "")


def test_gnu_tar_lists_the_members_in_our_order(tree: Path) -> None:
    package = pack_tree(tree)

    done = tar("-tf", str(package), "--quoting-style=literal", "--null", cwd=tree)
    told = tar("-tvf", str(package), cwd=tree).stdout.splitlines()

    assert done.stdout == "".join(f"{name}\n" for name in names_in(tree))
    assert len(told) == len(names_in(tree))
    assert {line[:10] for line in told} == {"-rw-r--r--"}
    assert {line.split()[1] for line in told} == {"0/0"}


def test_python_reads_the_same_names_and_bytes(tree: Path) -> None:
    with tarfile.open(pack_tree(tree)) as package:
        found = {info.name: package.extractfile(info) for info in package}
        assert sorted(found) == names_in(tree)
        for name, stream in found.items():
            assert stream is not None
            assert stream.read() == (tree / name).read_bytes()


# What is told about it


def test_digests_offsets_and_facts_are_told(tmp_path: Path) -> None:
    contents = {"a": b"first", "b/" + "x" * 200: b"", "c": os.urandom(2_500_000)}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, ns=(MTIME_NS, MTIME_NS))
    out = io.BytesIO()

    written = write_tar([file_member(tmp_path, name) for name in contents], out)

    package = out.getvalue()
    assert (written.size, written.digest) == digest_stream(io.BytesIO(package))
    assert [found.name for found in written.members] == list(contents)
    for found, (name, content) in zip(written.members, contents.items(), strict=True):
        assert package[found.offset : found.offset + found.size] == content
        assert found.digest == digest_stream(io.BytesIO(content))[1]
        assert found.inode == (tmp_path / name).stat().st_ino
        assert found.mtime_ns == MTIME_NS
        assert found.filed_ok is None


def test_the_same_members_give_the_same_bytes() -> None:
    contents = {name: name.encode() for name in ODD_NAMES}

    assert packed(contents) == packed(contents)
    assert packed(contents)[1].digest != packed({**contents, "plain.txt": b"x"})[1].digest


def test_an_empty_tar_is_one_record() -> None:
    package, written = packed({})

    assert package == bytes(10240)
    assert (written.size, written.members) == (10240, [])


@pytest.mark.parametrize("algorithm", ["blake3", "sha256", "md5", "xxh3_128", "crc32c"])
def test_a_filed_checksum_is_checked_in_the_same_pass(algorithm: str) -> None:
    content = os.urandom(1_200_000)
    right = new_digest(algorithm)
    right.update(content)
    wrong = new_digest(algorithm)
    members = [
        member("right", content, checksum=str(right)),
        member("upper", content, checksum=f"{algorithm}:{right.hexdigest().upper()}"),
        member("wrong", content, checksum=str(wrong)),
        member("after", b"x"),
    ]

    written = write_tar(members, io.BytesIO())

    assert [found.filed_ok for found in written.members] == [True, True, False, None]
    assert {found.digest for found in written.members[:3]} == {digest_stream(io.BytesIO(content))[1]}


def test_every_byte_is_read_once() -> None:
    class Counting(io.BytesIO):
        total = 0

        def readinto(self, buffer: object, /) -> int:
            count = super().readinto(buffer)  # type: ignore[arg-type]
            Counting.total += count
            return count

    content = os.urandom(2_345_678)
    write_tar([Member("a", len(content), lambda: Counting(content), checksum="md5:" + "0" * 32)], io.BytesIO())

    assert Counting.total == len(content)


# Files that are not what was announced


@pytest.mark.parametrize(("announced", "what"), [(4, "longer than the announced 4"), (6, "ended after 5 bytes")])
def test_a_stream_of_another_size_is_said_at_once(announced: int, what: str) -> None:
    opened: list[str] = []

    def late() -> io.BytesIO:
        opened.append("late")
        return io.BytesIO(b"")

    with pytest.raises(MemberChanged, match=what) as caught:
        write_tar([member("obs/a.dat", b"12345", size=announced), Member("late", 0, late)], io.BytesIO())

    assert caught.value.name == "obs/a.dat"
    assert caught.value.code == "package.member_changed"
    assert opened == []


def test_a_file_of_another_size_is_said_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    small = file_member(tmp_path, "a")
    (tmp_path / "a").write_bytes(b"1234567")
    out = io.BytesIO()

    with pytest.raises(MemberChanged, match="has 7 bytes, 5 were announced"):
        write_tar([small], out)

    assert out.getvalue() == b""


@pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
def test_a_file_written_to_while_it_is_read_is_said(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(3_000_000))

    class Meddling(io.FileIO):
        def readinto(self, buffer: object, /) -> int:
            count = super().readinto(buffer)  # type: ignore[arg-type]
            if change == "grow":
                with path.open("ab") as file:
                    file.write(b"x")
            elif change == "shrink":
                os.truncate(path, 1_500_000)
            else:
                os.utime(path, ns=(0, 0))
            return count or 0

    with pytest.raises(MemberChanged):
        write_tar([Member("a", 3_000_000, lambda: Meddling(path))], io.BytesIO())


def test_a_file_that_cannot_be_read_is_named() -> None:
    class Broken(io.BytesIO):
        def readinto(self, buffer: object, /) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageError, match=r"'obs/a.dat'.*Input/output error") as caught:
        write_tar([Member("obs/a.dat", 5, Broken)], io.BytesIO())

    assert caught.value.code == "storage.read_failed"


def test_a_name_is_packed_once() -> None:
    with pytest.raises(DataIntegrityError) as caught:
        write_tar([member("a", b"1"), member("b", b"2"), member("a", b"3")], io.BytesIO())

    assert caught.value.code == "package.duplicate_member"


@pytest.mark.parametrize("name", ["/a", "../a", "a//b", "", ".ccatdc/location.json", "a\0b"])
def test_a_name_that_leads_elsewhere_is_not_packed(name: str) -> None:
    with pytest.raises(KeyEscapesError):
        write_tar([member(name, b"x")], io.BytesIO())


def test_a_checksum_that_is_none_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        write_tar([member("a", b"x", checksum="sha1:00")], io.BytesIO())

    assert caught.value.code == "checksum.malformed"
