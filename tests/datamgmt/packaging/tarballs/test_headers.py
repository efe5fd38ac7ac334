"""The arithmetic of our tars: sizes are predicted to the byte, huge files and odd times fit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from datamgmt.packaging.tarballs import tar_size
from datamgmt.packaging.tarballs.headers import header_size, member_header
from tests.datamgmt.packaging.tarballs.packing import packed

#: 2026-11-21 03:00:00.75 UTC
MTIME_NS = 1_795_230_000_750_000_000


def test_a_file_larger_than_the_plain_header_can_say_is_listed(tmp_path: Path) -> None:
    """Header arithmetic only: the bytes of the file are a hole."""
    size = 8**11 + 5
    header = member_header("huge.dat", size, MTIME_NS)
    package = tmp_path / "huge.tar"
    with package.open("wb") as out:
        out.write(header)
        out.truncate(tar_size([("huge.dat", size)]))

    done = subprocess.run(["tar", "-tvf", str(package)], timeout=60, check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[2:3] == [str(size)]
    assert header_size("huge.dat", size) == len(header) == 3 * 512
    assert header_size("huge.dat", 8**11 - 1) == 512


def test_a_time_before_1970_is_cut_to_what_always_fits() -> None:
    assert member_header("a", 0, -1) == member_header("a", 0, 0)
    assert len(member_header("a", 0, 10**30)) == 512


_component = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=80
).filter(lambda text: text not in {".", ".."})
_names = (
    st.lists(_component, min_size=1, max_size=15)
    .map("/".join)
    .filter(lambda name: not name.startswith(".ccatdc") and all(len(part.encode()) <= 255 for part in name.split("/")))
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(_names, st.binary(max_size=2000), max_size=8))
def test_the_size_is_predicted_exactly(contents: dict[str, bytes]) -> None:
    package, written = packed(contents)

    predicted = tar_size((name, len(content)) for name, content in contents.items())

    assert predicted == len(package) == written.size


@settings(max_examples=200, deadline=None)
@given(_names, st.integers(0, 8**13), st.integers(-(10**20), 10**20))
def test_the_size_of_a_header_depends_on_name_and_size_only(name: str, size: int, mtime_ns: int) -> None:
    assert header_size(name, size) == len(member_header(name, size, mtime_ns))
