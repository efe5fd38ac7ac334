"""Simulated instruments: the documented trees, exact sizes, the same bytes for the same seed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccatdc.dev.demo.instrument import CHAI, INSTRUMENTS, PRIME_CAM, Instrument
from ccatdc.dev.demo.writing import Source, run_prefix
from datamgmt.checksums import new_digest

START = datetime(2025, 6, 15, 15, 5, 45, tzinfo=UTC)


def digest(content: bytes, algorithm: str) -> str:
    running = new_digest(algorithm)
    running.update(content)
    return running.hexdigest()


def test_prime_cam_writes_the_documented_tree(tmp_path: Path) -> None:
    session = int(START.timestamp())

    files = PRIME_CAM.observe(Source(tmp_path, "run"), START, 1_000_000, "seed")

    paths = {file.relative_path for file in files}
    assert f"run/17499/rfsoc01_drone1/r01d1_{session}_000.g3" in paths
    assert {file.module for file in files} == {"280ghz", "350ghz", "housekeeping"}
    science = [f for f in files if f.module != "housekeeping"]
    form = re.compile(r"run/\d{5}/rfsoc(\d\d)_drone(\d)/r\1d\2_\d{10}_\d{3}\.g3")
    assert all(form.fullmatch(file.relative_path) for file in science)
    assert f"run/hk/17499/{session}.g3" in paths


def test_chai_writes_spectra_of_both_arrays_and_a_log(tmp_path: Path) -> None:
    files = CHAI.observe(Source(tmp_path, "run"), START, 1_000_000, "seed")

    assert {(file.module, file.file_type) for file in files} == {
        ("lfa", "spectra"),
        ("hfa", "spectra"),
        ("housekeeping", "log"),
    }
    spectrum = next(file for file in files if file.module == "lfa")
    assert (tmp_path / spectrum.relative_path).read_bytes().startswith(b"SIMPLE  =")


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
@pytest.mark.parametrize("size", [1, 1000, 1_000_000, 70_000_001])
def test_the_sizes_add_up_exactly(instrument: Instrument, size: int, tmp_path: Path) -> None:
    files = instrument.observe(Source(tmp_path, "run"), START, size, "seed")

    assert sum(file.size for file in files) == size
    assert sum((tmp_path / file.relative_path).stat().st_size for file in files) == size


def test_large_observations_have_more_files(tmp_path: Path) -> None:
    small, large = (PRIME_CAM.plan(START, size) for size in (1_000_000, 1_000_000_000))

    assert len(large) > 10 * len(small)
    assert len({file.path for file in large}) == len(large)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    def digests(prefix: str, seed: str) -> list[str]:
        files = PRIME_CAM.observe(Source(tmp_path, prefix), START, 100_000, seed)
        return [file.digest for file in files]

    assert digests("a", "seed") == digests("b", "seed")
    assert not set(digests("c", "other")) & set(digests("d", "seed"))


def test_what_is_claimed_is_what_is_on_the_disk(tmp_path: Path) -> None:
    for instrument in INSTRUMENTS:
        for file in instrument.observe(Source(tmp_path, instrument.name), START, 50_000, "s"):
            content = (tmp_path / file.relative_path).read_bytes()
            assert file.checksum_algorithm == instrument.checksum_algorithm
            assert file.checksum == digest(content, file.checksum_algorithm)
            assert file.digest == f"blake3:{digest(content, 'blake3')}"


def test_the_bytes_do_not_compress(tmp_path: Path) -> None:
    (file, *_) = PRIME_CAM.observe(Source(tmp_path, "run"), START, 1_000_000, "seed")

    content = (tmp_path / file.relative_path).read_bytes()
    assert len(zlib.compress(content)) >= len(content)


def test_nothing_is_left_of_a_file_whose_writing_failed(tmp_path: Path) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"begin"
        raise RuntimeError("the disk is gone")

    source = Source(tmp_path, "run")
    with pytest.raises(RuntimeError):
        source.write("a", blocks(), algorithm="blake3", module="m", file_type="other")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_name_is_never_written_twice(tmp_path: Path) -> None:
    source = Source(tmp_path, "run")
    source.write("a", [b"1"], algorithm="blake3", module="m", file_type="other")

    with pytest.raises(FileExistsError):
        source.write("a", [b"2"], algorithm="blake3", module="m", file_type="other")

    assert (tmp_path / "run" / "a").read_bytes() == b"1"


def test_each_run_has_a_prefix_of_its_own() -> None:
    first, second = run_prefix(START), run_prefix(START)

    assert first != second
    assert re.fullmatch(r"run-20250615T150545Z-[0-9a-f]{8}", first)
