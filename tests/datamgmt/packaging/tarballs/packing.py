"""Small tars in memory, for the tests of reading and unpacking."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from datamgmt.checksums import digest_stream
from datamgmt.packaging.tarballs import ExpectedMember, Member, TarWritten, write_tar

#: Names that have broken somebody's tar before.
ODD_NAMES = [
    "plain.txt",
    "with spaces/and more .dat",
    "-rf",
    "--checkpoint-action=exec=sh",
    "grüße/観測.fits",
    "new\nline",
    "tab\tand\\back\\slash",
    "quote'\"$(x)",
    "é" * 50,
    "a" * 99 + "/b",
    "n" * 100,
    "n" * 101,
    "d" * 99 + "/" + "e" * 99 + "/" + "f" * 99,
    "/".join(["component-of-a-path"] * 55),
    "/".join(["観測" * 40] * 10),
    "trailing./dots..",
    "*?[x]",
]


def member(name: str, content: bytes, *, size: int | None = None, **facts: object) -> Member:
    announced = len(content) if size is None else size
    return Member(name, announced, partial(io.BytesIO, content), **facts)  # type: ignore[arg-type]


def file_member(root: Path, name: str, *, checksum: str | None = None) -> Member:
    path = root / name

    def opener() -> BinaryIO:
        return path.open("rb")

    return Member(name, path.stat().st_size, opener, checksum=checksum)


def packed(contents: Mapping[str, bytes]) -> tuple[bytes, TarWritten]:
    out = io.BytesIO()
    written = write_tar([member(name, content) for name, content in contents.items()], out)
    return out.getvalue(), written


def expected_of(contents: Mapping[str, bytes]) -> dict[str, ExpectedMember]:
    return {
        name: ExpectedMember(len(content), digest_stream(io.BytesIO(content))[1]) for name, content in contents.items()
    }
