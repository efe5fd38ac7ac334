"""Simulated instruments: what Prime-Cam and CHAI leave on their computers in one observation.

The trees are those that the instruments document; the bytes are noise that does not compress, the
same for the same seed. Prime-Cam writes one stream for each read-out board and drone, in files of
600 s, and its telescope data beside them::

    17500/rfsoc01_drone1/r01d1_1750012345_000.g3      hk/17500/1750012345.g3

CHAI writes spectra of its two arrays in FITS, and a log::

    20250615/scan_12345/LFA/20250615_12345_LFA_0001.fits     20250615/scan_12345/scan_12345.log
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ccatdc.dev.demo.writing import Source, Written

_BLOCK = 1024 * 1024
_FITS_BLOCK = 2880
_ROTATION_SECONDS = 600
#: A stream is at most this long in the demo: small observations have few files, large ones more.
_FILE_BYTES = 8_000_000
_MOST_FILES = 500


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file that an observation will write. ``weight`` is its share of the bytes."""

    path: str
    module: str
    file_type: str
    weight: float


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the demo knows of an instrument; names as in the reference data."""

    name: str
    location: str  # SOURCE, by its name at the telescope's site
    obs_unit_type: str
    checksum_algorithm: str
    plan: Callable[[datetime, int], list[PlannedFile]]

    def observe(self, source: Source, start: datetime, size: int, seed: str) -> list[Written]:
        """Write the files of one observation, ``size`` bytes in all."""
        planned = self.plan(start, size)
        return [
            source.write(
                file.path,
                _content(file.path, count, seed),
                algorithm=self.checksum_algorithm,
                module=file.module,
                file_type=file.file_type,
            )
            for file, count in zip(planned, _shares(planned, size), strict=True)
        ]


def plan_prime_cam(start: datetime, size: int) -> list[PlannedFile]:
    """Two modules of four drones each, and the telescope's own data."""
    session = int(start.timestamp())
    folder = f"{session:010d}"[:5]
    streams = [("280ghz" if board == 1 else "350ghz", board, drone) for board in (1, 2) for drone in (1, 2, 3, 4)]
    files = _files_for(size, len(streams))
    planned = [
        PlannedFile(
            f"{folder}/rfsoc{board:02d}_drone{drone}/r{board:02d}d{drone}_{session}_{sequence:03d}.g3",
            module,
            "detector_timestream",
            1.0,
        )
        for module, board, drone in streams
        for sequence in range(files)
    ]
    for number in range(files):
        name = session + number * _ROTATION_SECONDS
        planned.append(PlannedFile(f"hk/{folder}/{name}.g3", "housekeeping", "pointing", 0.1))
    return planned


def plan_chai(start: datetime, size: int) -> list[PlannedFile]:
    """Spectra of both arrays, and the log of the scan."""
    day = f"{start.astimezone(UTC):%Y%m%d}"
    scan = f"{int(start.timestamp()) % 100_000:05d}"
    planned = [
        PlannedFile(f"{day}/scan_{scan}/{array}/{day}_{scan}_{array}_{number:04d}.fits", array.lower(), "spectra", 1.0)
        for array in ("LFA", "HFA")
        for number in range(1, _files_for(size, 2) + 2)
    ]
    log = PlannedFile(f"{day}/scan_{scan}/scan_{scan}.log", "housekeeping", "log", 0.02)
    return [*planned, log]


PRIME_CAM = Instrument("prime-cam", "primecam_raw_data", "prime_cam_obs_unit", "xxh3_128", plan_prime_cam)
CHAI = Instrument("chai", "chai_raw_data", "chai_obs_unit", "sha256", plan_chai)
INSTRUMENTS = (PRIME_CAM, CHAI)


def _files_for(size: int, streams: int) -> int:
    """Files of each stream."""
    return max(1, min(_MOST_FILES, round(size / streams / _FILE_BYTES)))


def _shares(planned: list[PlannedFile], size: int) -> list[int]:
    """Bytes of each file by weight; the sum is exactly ``size``."""
    whole = sum(file.weight for file in planned)
    counts, given, weight = [], 0, 0.0
    for file in planned:
        weight += file.weight
        upto = round(size * weight / whole)
        counts.append(upto - given)
        given = upto
    return counts


def _content(path: str, count: int, seed: str) -> Iterator[bytes]:
    """``count`` bytes that follow from seed and path alone."""
    noise = random.Random(f"{seed}/{path}")  # noqa: S311 - noise, not secrets
    if path.endswith(".fits") and count > _FITS_BLOCK:
        yield _fits_header(path)
        count -= _FITS_BLOCK
    while count > 0:
        block = min(count, _BLOCK)
        yield noise.randbytes(block)
        count -= block


def _fits_header(path: str) -> bytes:
    """A first header block, so that a file tells what it is."""
    name = path.rpartition("/")[2]
    cards = (
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "TELESCOP= 'FYST    '",
        "INSTRUME= 'CHAI    '",
        f"FILENAME= '{name}'",
        "COMMENT simulated: the data are noise",
        "END",
    )
    return "".join(card.ljust(80) for card in cards).ljust(_FITS_BLOCK).encode("ascii")
