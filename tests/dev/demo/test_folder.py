"""``--input``: every regular file goes through, everything else is named with the reason."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccatdc.common.errors import RequestError
from ccatdc.dev.demo import folder as folder_module
from ccatdc.dev.demo.folder import Skipped, copy_folder
from ccatdc.dev.demo.writing import Source, Written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "input"
    made.mkdir()
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    (made / "source").mkdir(parents=True)
    return made


def run(folder: Path, home: Path) -> tuple[list[Written], list[Skipped]]:
    source = Source(home / "source", "run")
    return copy_folder(folder, source, module="280ghz", apart_from=home)


def paths(written: list[Written]) -> set[str]:
    return {file.relative_path.removeprefix("run/") for file in written}


@pytest.mark.parametrize(
    "name",
    [
        "plain.txt",
        "with space",
        "-rf",
        "--help",
        "new\nline",
        "tab\tand\\backslash",
        "ünïcödé-日本語-🔭",
        "e\u0301-combining",
        "*?[glob]",
        "'quotes\"",
        ".hidden",
        ".ccatdc",
        "$(touch pwned)",
        "%2e%2e",
        "a" * 255,
        "é" * 127,
    ],
)
def test_any_utf8_name_goes_through(name: str, folder: Path, home: Path) -> None:
    (folder / name).write_bytes(b"content")

    written, skipped = run(folder, home)

    assert paths(written) == {name}
    assert skipped == []
    assert (home / "source" / "run" / name).read_bytes() == b"content"


def test_the_tree_is_kept_and_the_folder_is_not_touched(folder: Path, home: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a" / "b" / "x").write_bytes(b"x" * 3_000_000)
    (folder / "a" / "nothing").write_bytes(b"")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}

    written, skipped = run(folder, home)

    assert {(path.relative_path, path.size) for path in written} == {("run/a/b/x", 3_000_000), ("run/a/nothing", 0)}
    assert skipped == []
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_mode_and_time_are_kept(folder: Path, home: Path) -> None:
    (folder / "x").write_bytes(b"x")
    (folder / "x").chmod(0o440)
    os.utime(folder / "x", ns=(1, 1_234_567_890_123_456_789))

    run(folder, home)

    copied = (home / "source" / "run" / "x").stat()
    assert copied.st_mode & 0o777 == 0o440
    assert copied.st_mtime_ns == 1_234_567_890_123_456_789


def test_a_time_that_no_clock_shows_is_not_filed(folder: Path, home: Path) -> None:
    (folder / "x").write_bytes(b"x")
    os.utime(folder / "x", (0, 4_000_000_000))

    (file,), _ = run(folder, home)

    assert file.created_at is None


def deep(folder: Path, length: int) -> str:
    """A file whose path below ``folder`` has ``length`` characters."""
    parts = ["d" * 200] * (length // 201)
    path = "/".join([*parts, "f" * (length - 201 * len(parts))])
    assert len(path) == length
    at = os.open(folder, os.O_RDONLY)
    for part in parts:
        os.mkdir(part, dir_fd=at)
        inner = os.open(part, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    with os.fdopen(os.open(path.rpartition("/")[2], os.O_WRONLY | os.O_CREAT, dir_fd=at), "wb") as file:
        file.write(b"deep")
    os.close(at)
    return path


def test_paths_of_1024_characters_go_through_and_longer_ones_are_named(folder: Path, home: Path) -> None:
    longest, too_long = deep(folder, 1024), ""
    other = folder / "other"
    other.mkdir()
    too_long = deep(other, 1019)

    written, skipped = run(folder, home)

    assert paths(written) == {longest}
    assert [(e.path, e.reason) for e in skipped] == [
        (f"other/{too_long}", "its path has 1025 characters; 1024 are the most")
    ]


def test_a_path_longer_than_the_systems_limit_goes_through(folder: Path, home: Path) -> None:
    # 1,024 characters of three bytes each, below two roots: more than PATH_MAX takes in one go.
    at = os.open(folder, os.O_RDONLY)
    part = "日" * 84
    for _ in range(12):
        os.mkdir(part, dir_fd=at)
        inner = os.open(part, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    with os.fdopen(os.open("x", os.O_WRONLY | os.O_CREAT, dir_fd=at), "wb") as file:
        file.write(b"deep")
    os.close(at)

    (written,), skipped = run(folder, home)

    assert skipped == []
    assert written.relative_path == "run/" + "/".join([part] * 12) + "/x"


def test_what_is_no_regular_file_is_named(folder: Path, home: Path) -> None:
    (folder / "file").write_bytes(b"x")
    (folder / "link").symlink_to("file")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "folder link").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))

    written, skipped = run(folder, home)

    assert paths(written) == {"file"}
    assert {entry.path: entry.reason.partition(";")[0] for entry in skipped} == {
        "link": "a symbolic link",
        "dangling": "a symbolic link",
        "folder link": "a symbolic link",
        "pipe": "a named pipe",
        "socket": "a socket",
    }


def test_a_name_that_is_not_utf8_is_named_readably(folder: Path, home: Path) -> None:
    (folder / "good").write_bytes(b"x")
    bad = os.fsencode(folder) + b"/b\xffd"
    with open(bad, "wb") as file:  # noqa: PTH123 - the name is bytes
        file.write(b"x")

    written, skipped = run(folder, home)

    assert paths(written) == {"good"}
    assert skipped == [Skipped("b\\xffd", "its name is not UTF-8")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_named(folder: Path, home: Path) -> None:
    (folder / "good").write_bytes(b"x")
    (folder / "closed").write_bytes(b"x")
    (folder / "closed").chmod(0)
    (folder / "closed folder").mkdir(mode=0)

    written, skipped = run(folder, home)

    assert paths(written) == {"good"}
    assert {entry.path for entry in skipped} == {"closed", "closed folder"}


def test_a_file_that_changes_while_it_is_read_is_named(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "steady").write_bytes(b"x")
    (folder / "growing").write_bytes(b"x" * 10)
    monkeypatch.setattr(folder_module, "BUFFER_BYTES", 4)
    original = Source.write

    def write(self: Source, path: str, blocks: Iterator[bytes], **options: object) -> Written:
        def disturbed() -> Iterator[bytes]:
            for number, block in enumerate(blocks):
                if path == "growing" and number == 0:
                    with (folder / path).open("ab") as file:
                        file.write(b"y")
                yield block

        return original(self, path, disturbed(), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Source, "write", write)

    written, skipped = run(folder, home)

    assert paths(written) == {"steady"}
    assert skipped == [Skipped("growing", "changed while it was copied")]
    assert not (home / "source" / "run" / "growing").exists()


def test_a_file_that_vanishes_is_named(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a").write_bytes(b"x")
    (folder / "b").write_bytes(b"x")
    original = Source.write

    def write(self: Source, path: str, *arguments: object, **options: object) -> Written:
        (folder / "b").unlink(missing_ok=True)
        return original(self, path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Source, "write", write)

    written, skipped = run(folder, home)

    assert paths(written) == {"a"}
    assert skipped == [Skipped("b", "vanished before it was copied")]


def test_the_demos_own_folder_is_no_data(tmp_path: Path, home: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    (home / "source" / "theirs").write_bytes(b"x")

    written, skipped = run(tmp_path, home)

    assert paths(written) == {"mine"}
    assert skipped == [Skipped("home", "the demo's own folder")]


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "only a link"])
def test_a_folder_with_nothing_to_file_is_an_error(kind: str, folder: Path, home: Path) -> None:
    if kind == "missing":
        folder.rmdir()
    elif kind == "file":
        folder.rmdir()
        folder.write_bytes(b"")
    elif kind == "only a link":
        (folder / "link").symlink_to("x")

    with pytest.raises(RequestError, match=r"cannot be read as a folder|holds no file") as caught:
        run(folder, home)

    assert caught.value.code in {"demo.input", "demo.input_empty"}
    assert ("link: a symbolic link" in str(caught.value)) == (kind == "only a link")
