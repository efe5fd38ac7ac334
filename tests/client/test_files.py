"""Files on disk become rows; checksums while writing and afterwards; the bar; the settings."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import blake3
import pytest
import xxhash

from ccat_file import (
    FiledFile,
    Filing,
    HashingWriter,
    Settings,
    SettingsError,
    UsageError,
    checksum_of,
    create,
    files_below,
)
from ccat_file.commands import main
from ccat_file.digests import new_digest
from ccat_file.progress import Bar, size_text
from ccat_file.rows import MAX_BYTES, in_calls

OBSERVATION = UUID(int=1)
CONTENT = b"telescope" * 300_000
KNOWN = {
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "blake3": blake3.blake3(CONTENT).hexdigest(),
    "xxh3_128": xxhash.xxh3_128(CONTENT).hexdigest(),
}


@pytest.mark.parametrize("algorithm", KNOWN)
def test_a_checksum_is_computed_while_writing_and_by_reading(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "a.g3"
    with create(path, algorithm) as stream:
        for first in range(0, len(CONTENT), 1_000_001):
            stream.write(memoryview(CONTENT)[first : first + 1_000_001])
    assert path.read_bytes() == CONTENT
    assert (stream.checksum, stream.size) == (KNOWN[algorithm], len(CONTENT))
    blocks: list[int] = []
    assert checksum_of(path, algorithm, blocks.append) == KNOWN[algorithm]
    assert sum(blocks) == len(CONTENT)


def test_only_bytes_that_were_written_count() -> None:
    class Short(io.BytesIO):
        def write(self, data: object, /) -> int:
            return super().write(bytes(data)[:3])  # type: ignore[call-overload]

    target = Short()
    writer = HashingWriter(target)
    assert writer.write(b"0123456789") == 10
    assert target.getvalue() == b"0123456789"
    assert writer.checksum == hashlib.sha256(b"0123456789").hexdigest()


def test_one_cannot_go_back_in_a_file_that_is_hashed(tmp_path: Path) -> None:
    with create(tmp_path / "a") as stream, pytest.raises(io.UnsupportedOperation):
        stream.seek(0)


def test_a_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        create(tmp_path / "a")


def test_an_algorithm_whose_package_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "blake3", None)
    with pytest.raises(UsageError, match="needs the Python package blake3"):
        new_digest("blake3")
    with pytest.raises(UsageError, match="none of"):
        new_digest("md4")


def test_the_same_file_has_the_same_row_every_time(tmp_path: Path) -> None:
    path = tmp_path / "a b/ü.g3"
    path.parent.mkdir()
    path.write_bytes(b"x")
    os.utime(path, (1, 1_777_672_800))
    row = FiledFile.of(path, tmp_path).row(OBSERVATION, "primecam", "f280", "ccat_raw")
    assert row == FiledFile.of(path, tmp_path).row(OBSERVATION, "primecam", "f280", "ccat_raw")
    other = FiledFile.of(path, tmp_path).row(OBSERVATION, "primecam", "f280", "ccat_other")
    assert row["id"] != other["id"]
    assert (row["relative_path"], row["size"]) == ("a b/ü.g3", 1)
    assert datetime.fromisoformat(row["created_at"]) == datetime(2026, 5, 1, 22, tzinfo=UTC)


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/a").touch()
    (tmp_path / "data").symlink_to("disk")
    assert FiledFile.of(tmp_path / "data/a", tmp_path / "disk").relative_path == "a"
    assert FiledFile.of(tmp_path / "disk/a", tmp_path / "data").relative_path == "a"


def test_what_is_not_below_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "root").mkdir()
    for path in (tmp_path / "a", tmp_path / "root/../a"):
        with pytest.raises(UsageError, match="not below the root"):
            FiledFile.of(path, tmp_path / "root")


def test_links_are_named_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(UsageError, match="link"):
        files_below([tmp_path])


def test_a_file_that_somebody_else_wrote_to_is_refused(tmp_path: Path) -> None:
    with create(tmp_path / "a") as stream:
        stream.write(b"1234")
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(UsageError, match="5 bytes, but 4 were written"):
        FiledFile.of(tmp_path / "a", tmp_path, written=stream)


def test_a_file_named_twice_and_by_its_folder_is_filed_once(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    (tmp_path / "a").touch()
    found = files_below([tmp_path / "b", tmp_path, tmp_path / "b"])
    assert found == [tmp_path / "b", tmp_path / "a"]


def test_calls_have_at_most_ten_thousand_rows_and_sixteen_megabytes() -> None:
    assert [len(part) for part in in_calls([{"n": n} for n in range(20_001)])] == [10_000] * 2 + [1]
    long = [{"path": "x" * (MAX_BYTES // 4)} for _ in range(5)]
    assert [len(part) for part in in_calls(long)] == [3, 2]


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    filing = Filing(Settings(tmp_path), send=False)
    with pytest.raises(UsageError, match="no zone"):
        filing.start(obs_unit=1, start_time=datetime(2026, 5, 1))
    assert filing.spool.waiting() == []


@pytest.mark.parametrize("names", [{}, {"program": "GEco"}, {"obs_unit": 1, "program": "GEco"}])
def test_the_obs_unit_is_named_in_one_way(tmp_path: Path, names: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="Name the obs unit"):
        Filing(Settings(tmp_path), send=False).start(**names)  # type: ignore[arg-type]


def test_without_address_and_token_calls_are_spooled_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filing = Filing(Settings(tmp_path))
    filing.start(obs_unit=1)
    assert len(filing.spool.waiting()) == 1
    assert "not being sent" in caplog.text


def test_a_token_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("ccatdc_secret\n")
    settings = Settings.from_environment(spool=tmp_path, token_file=token, environment={})
    token.chmod(0o644)
    with pytest.raises(SettingsError, match="Everybody may read"):
        settings.require_token()
    token.chmod(0o640)
    assert settings.require_token() == "ccatdc_secret"
    assert "ccatdc_secret" not in repr(Settings(tmp_path, token="ccatdc_secret"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["start"],
        ["start", "--obs-unit-id", "1", "--start-time", "2026-05-01T22:00:00"],
        ["start", "--obs-unit-id", "1", "--parameters", "[1]"],
        ["finish", "not-a-uuid"],
        ["finish", str(OBSERVATION), "--condition", "rain=1"],
        ["finish", str(OBSERVATION), "--condition", "humidity=wet"],
        ["files", str(OBSERVATION), "/nonexistent", "--root", "/", *["--location", "a"]],
        ["finish", str(OBSERVATION), "--token", "secret"],
    ],
)
def test_a_command_line_that_makes_no_sense_spools_nothing(tmp_path: Path, arguments: list[str]) -> None:
    try:
        status: object = main(["--spool", str(tmp_path), "--no-send", *arguments])
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert not list(tmp_path.glob("calls/*"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_shows_on_a_terminal_only() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with Bar("checksums", 2_000_000_000, stream) as bar:
            bar.advance(1_000_000_000)
    assert "50% 1.0 GB of 2.0 GB" in terminal.getvalue()
    assert pipe.getvalue() == ""
    assert len(bar.line(30)) <= 30
    assert size_text(999) == "999 B"


def test_a_bar_of_calls_counts_down() -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    with Bar("sending", 0, stream, "{:,} calls".format) as bar:
        for left in (3, 4, 1, 0):
            bar.left(left)
        assert bar.line(80).endswith("100% 4 calls of 4 calls")
    assert "4 calls of 4 calls" in stream.getvalue()
