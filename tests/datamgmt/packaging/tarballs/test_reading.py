"""Reading tars: ours give back what went in; all that is odd is refused."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccatdc.common.errors import DataIntegrityError, StorageError
from datamgmt.packaging.tarballs import read_tar
from tests.datamgmt.packaging.tarballs.packing import ODD_NAMES, packed

CONTENTS = {name: name.encode() * number for number, name in enumerate(ODD_NAMES)} | {"big.dat": os.urandom(3_000_001)}


def contents_of(package: bytes) -> dict[str, bytes]:
    return {name: stream.read() for name, _, stream in read_tar(io.BytesIO(package))}


def refused(package: bytes) -> str:
    """The code with which this tar is refused."""
    with pytest.raises(DataIntegrityError) as caught:
        contents_of(package)
    return caught.value.code


def python_tar(
    *members: tuple[str, bytes, Callable[[tarfile.TarInfo], None]], tar_format: int = tarfile.PAX_FORMAT
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as package:
        for name, content, change in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            package.addfile(info, io.BytesIO(content))
    return out.getvalue()


def unchanged(info: tarfile.TarInfo) -> None:
    """A plain regular file."""


def test_what_was_packed_is_read() -> None:
    package, _ = packed(CONTENTS)

    assert contents_of(package) == CONTENTS
    assert [(name, size) for name, size, _ in read_tar(io.BytesIO(package))] == [
        (name, len(content)) for name, content in CONTENTS.items()
    ]


def test_what_is_not_read_of_a_member_is_skipped() -> None:
    package, _ = packed({"a": bytes(5000), "b": b"second", "c": b"third"})
    found = {name: stream.read(3) for name, _, stream in read_tar(io.BytesIO(package))}

    assert found == {"a": bytes(3), "b": b"sec", "c": b"thi"}


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_regular_files_of_other_writers_are_read(tar_format: int) -> None:
    def real(info: tarfile.TarInfo) -> None:
        info.mtime = 1_795_230_000
        info.uid, info.uname = 1000, "observer"

    package = python_tar(("d/" * 60 + "a", b"x", real), ("b", b"y", real), tar_format=tar_format)

    assert contents_of(package) == {"d/" * 60 + "a": b"x", "b": b"y"}


def of_type(kind: bytes, target: str = "") -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type = kind
        info.linkname = target

    return change


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.DIRTYPE,
        tarfile.CONTTYPE,
        tarfile.GNUTYPE_SPARSE,
        b"V",
    ],
)
def test_only_regular_files_are_taken(kind: bytes) -> None:
    package = python_tar(("fine", b"x", unchanged), ("odd", b"", of_type(kind, "/etc/passwd")))

    assert refused(package) == "tar.unsupported"


def test_a_folder_in_the_oldest_notation_is_refused() -> None:
    package = python_tar(("folder/", b"", of_type(tarfile.AREGTYPE)))

    assert refused(package) == "tar.unsupported"


def test_long_names_of_gnu_tar_are_refused() -> None:
    package = python_tar(("n" * 200, b"x", unchanged), tar_format=tarfile.GNU_FORMAT)

    assert refused(package) == "tar.unsupported"


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "a//b", "./a", "/", ".ccatdc/location.json"])
@pytest.mark.parametrize("long", ["", "x" * 120 + "/"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, long: str) -> None:
    if long:
        name = {"/etc/passwd": "//" + long + "y"}.get(name, f"../{long}{name}")
    assert refused(python_tar((name, b"x", unchanged))) == "tar.unsafe_name"


def test_a_name_that_is_not_utf8_is_refused() -> None:
    assert refused(python_tar(("caf\udce9", b"x", unchanged))) in {"tar.unsafe_name", "tar.unsupported"}


def test_a_name_that_comes_twice_is_refused() -> None:
    package = python_tar(("a", b"1", unchanged), ("b", b"2", unchanged), ("a", b"3", unchanged))

    assert refused(package) == "tar.duplicate_name"


@pytest.mark.parametrize("record", ["GNU.sparse.major", "SCHILY.xattr.user.x", "linkpath"])
def test_records_of_unknown_meaning_are_refused(record: str) -> None:
    def change(info: tarfile.TarInfo) -> None:
        info.pax_headers = {record: "1"}

    assert refused(python_tar(("a", b"x", change))) == "tar.unsupported"


def test_records_for_all_members_are_refused() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"comment": "x"}) as package:
        package.addfile(tarfile.TarInfo("a"))

    assert refused(out.getvalue()) == "tar.unsupported"


def test_every_cut_before_the_end_is_noticed() -> None:
    package, _ = packed({"a": bytes(700), "x" * 200: b"second", "c": b""})
    last_header_end = -(-len(package.rstrip(b"\0")) // 512) * 512
    end = last_header_end + 1024  # two empty blocks

    for length in range(0, end, 50):
        assert refused(package[:length]) == "tar.damaged", length
    assert list(contents_of(package[:end])) == ["a", "x" * 200, "c"]


def test_a_single_empty_block_is_no_end() -> None:
    package, _ = packed({"a": b"x"})

    assert refused(package[:1024] + bytes(512) + package[:1024] + bytes(1024)) == "tar.damaged"


def test_what_follows_the_end_is_noticed() -> None:
    package, _ = packed({"a": b"x"})

    assert refused(package[:-1] + b"x") == "tar.damaged"
    assert refused(package + package) == "tar.damaged"


@pytest.mark.parametrize("junk", [b"", b"x", b"x" * 512, os.urandom(4096), b"\x1f\x8b" + bytes(600)])
def test_what_is_no_tar_is_refused(junk: bytes) -> None:
    assert refused(junk) == "tar.damaged"


def with_records(data: bytes, size: int | None = None) -> bytes:
    """A tar whose first member has these PAX records."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type = tarfile.XHDTYPE
    info.size = len(data) if size is None else size
    header = info.tobuf(tarfile.USTAR_FORMAT)
    rest, _ = packed({"a": b"x"})
    return header + data + bytes(-len(data) % 512) + rest


@pytest.mark.parametrize(
    "records",
    [
        b"0 path=x\n",
        b"8 path=x\n",
        b"11 path=x\n",
        b"999 path=x\n",
        b"path=x\n",
        b"-10 path=x\n",
        b"10 pathxx\n",
        b"10 path=xx",
        b"11 size=ab\n",
        b"12 size=-10\n",
        b"13 mtime=abc\n",
        b" ",
        b"\0",
    ],
)
def test_records_that_cannot_be_read_are_refused(records: bytes) -> None:
    assert refused(with_records(records)) == "tar.damaged"


def test_records_that_can_be_read_are_used() -> None:
    assert contents_of(with_records(b"13 path=b/cd\n14 mtime=1.25\n")) == {"b/cd": b"x"}


def test_records_of_an_absurd_size_are_not_read() -> None:
    assert refused(with_records(b"", size=2**30)) == "tar.damaged"


def test_a_stream_that_fails_is_no_damaged_tar() -> None:
    class Broken(io.BytesIO):
        def readinto(self, buffer: object, /) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageError, match="Input/output error") as caught:
        next(read_tar(Broken()))

    assert caught.value.code == "storage.read_failed"


SMALL, _ = packed({"a/b": b"some content", "x" * 120: b"more", "c": b""})


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_a_flipped_byte_never_breaks_the_reader(position: int, flip: int) -> None:
    """It is read with another content, or refused by name: nothing else happens."""
    changed = bytearray(SMALL)
    changed[position] ^= flip
    try:
        contents_of(bytes(changed))
    except DataIntegrityError as error:
        assert error.code.startswith("tar.")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000))
def test_junk_never_breaks_the_reader(junk: bytes) -> None:
    with pytest.raises(DataIntegrityError):
        contents_of(junk)
