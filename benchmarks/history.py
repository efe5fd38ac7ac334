"""What the data center remembers after so many executions: rows of every table that grows with them.

Executions began every five minutes until now. The newest :data:`IN_FLIGHT` of them are on their
way, as many in a young data center as in an old one; all others are history, with everything that
it leaves behind: 3 files, 1.5 packages, 9 copies and 3 operations each, bundles of 32 executions,
their logs and the audit log. What is rare lies in the oldest part, where a list that shows the newest
first finds it last: a program and a module of former times, bad quality, retired locations.

Loaded by COPY (benchmarks/loading.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from ccatdc.common.states import Status

IN_FLIGHT: Final = 200
SPACING: Final = timedelta(minutes=5)
PER_BUNDLE: Final = 32
FILES: Final = 3
#: Of a hundred executions, the oldest are of a program and a module of former times.
FORMER: Final = 0.05
SOURCE_DAYS: Final = 30
BUFFER_DAYS: Final = 7
DIGEST: Final = "blake3:" + "1f" * 32
_MASK: Final = 2**128 - 1
_STEP: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835


def uuid_of(kind: int, number: int) -> str:
    """Different for every row, and in no order: as clients make them."""
    return f"{(number * _STEP + kind * 0xC2B2AE3D27D4EB4F165667B19E3779F9) & _MASK:032x}"


@dataclass(frozen=True)
class Places:
    """Keys of the rows that all others hang on."""

    units: list[int]
    former_units: list[int]
    modules: list[int]
    former_module: int
    source: int
    former_source: int
    origin_buffer: int
    far_buffer: int
    archives: tuple[int, int]
    processing: int
    sites: tuple[int, int]
    users: list[int]


class History:
    """Rows of ``count`` executions, table by table, as texts."""

    def __init__(self, count: int, places: Places) -> None:
        self.count = count
        self.at = places
        self.began = datetime.now(UTC) - count * SPACING
        self.in_flight = min(IN_FLIGHT, count // 5)
        self.source_kept = timedelta(days=SOURCE_DAYS) // SPACING
        self.buffer_kept = timedelta(days=BUFFER_DAYS) // SPACING

    @cached_property
    def former(self) -> int:
        """How many executions are of former times."""
        return int(self.count * FORMER)

    @cached_property
    def archived(self) -> int:
        """Executions from the first to this one are archived."""
        return self.count - self.in_flight

    @cached_property
    def bundled(self) -> int:
        """Executions whose packages travelled in bundles that are complete."""
        return self.archived - self.archived % PER_BUNDLE

    def time(self, number: float) -> str:
        """When execution ``number`` began; fractions are parts of the time until the next."""
        return (self.began + number * SPACING).isoformat()

    def age(self, number: int) -> float:
        """Of an execution in flight: 0 for the newest, 1 for the oldest."""
        return (self.count - 1 - number) / self.in_flight

    def executions(self) -> Iterator[tuple[object, ...]]:
        """id, obs_unit, status, times, quality, operator, filed."""
        units, former = self.at.units, self.at.former_units
        for n in range(self.count):
            unit = former[n % len(former)] if n < self.former else units[n * 7919 % len(units)]
            running = n >= self.count - 3
            ended = None if running else self.time(n + 0.8)
            status = "running" if running else _ended(n)
            quality = "bad" if n < self.former and n % 500 == 7 else ("unknown", "good")[n % 2]
            begin, key = self.time(n), uuid_of(1, n)
            operator = self.at.users[n % len(self.at.users)]
            yield key, unit, status, begin, ended, ended, quality, operator, begin, begin

    def packages_of(self, number: int) -> range:
        """Numbers of the packages of an execution: one or two; none of the newest."""
        if number >= self.archived and self.age(number) < 0.1:
            return range(0)
        return range(2 * number, 2 * number + 1 + number % 2)

    def module_of(self, package: int) -> int:
        """Whose data it is."""
        if package // 2 < self.former:
            return self.at.former_module
        return self.at.modules[package % len(self.at.modules)]

    def source_of(self, execution: int) -> int:
        """Where its files were written."""
        return self.at.former_source if execution < self.former else self.at.source

    def state_of(self, execution: int) -> tuple[str, str]:
        """State and status of its packages."""
        if execution < self.archived:
            return "archived", "completed"
        age = self.age(execution)
        if age < 0.3:
            return "waiting", "pending"
        if age < 0.5:
            return "waiting", "completed"
        return ("transferring" if age < 0.9 else "failed"), "completed"

    def each_package(self) -> Iterator[tuple[int, int, str, str]]:
        """Execution and package by number, state and status."""
        for n in range(self.count):
            state, status = self.state_of(n)
            for p in self.packages_of(n):
                yield n, p, state, status

    def packages(self) -> Iterator[tuple[object, ...]]:
        """id, name, execution, module, source, status, state, size, digest, files, late, times."""
        for n, p, state, status in self.each_package():
            built = status == Status.COMPLETED
            yield (
                uuid_of(2, p), f"GPS_prime-cam_m{p % 7}_{n:09}_{p:09}_001", uuid_of(1, n),
                self.module_of(p), self.source_of(n), status, state, 10_240 + p if built else None,
                DIGEST if built else "", FILES, "t" if n < self.former and n % 400 == 3 else "f",
                self.time(n + 0.9), self.time(n + 1) if built else None,
                self.time(n + 2) if state == "archived" else None,
            )  # fmt: skip

    def files(self) -> Iterator[tuple[object, ...]]:
        """id, name, path, size, digest, execution, module, package, source, type, registered."""
        kinds = ("detector_timestream", "detector_timestream", "housekeeping")
        for n in range(self.count):
            packages = self.packages_of(n)
            for k in range(FILES):
                p = packages[k % len(packages)] if packages else None
                name = f"r{k:02}d1_{n:010}.g3"
                yield (
                    uuid_of(3, n * FILES + k), name, f"{n // 1000:05}/rfsoc{k:02}/{name}", 3400,
                    DIGEST if p is not None else "", uuid_of(1, n), self.module_of(p or 2 * n),
                    None if p is None else uuid_of(2, p), self.source_of(n), kinds[k],
                    self.time(n + 0.5),
                )  # fmt: skip

    def bundles(self) -> Iterator[tuple[object, ...]]:
        """name, status, origin, both sites, size, times: those that arrived."""
        for b in range(self.bundled // PER_BUNDLE):
            n = (b + 1) * PER_BUNDLE
            yield (
                b + 1, f"ccat_cologne_{b:012}", "completed", self.at.origin_buffer,
                self.at.sites[1], self.at.sites[1], 500_000, self.time(n), self.time(n + 0.5),
            )  # fmt: skip

    def bundle_members(self) -> Iterator[tuple[object, ...]]:
        """bundle, package."""
        for n in range(self.bundled):
            for p in self.packages_of(n):
                yield n // PER_BUNDLE + 1, uuid_of(2, p)


def _ended(number: int) -> str:
    if number % 97 == 0:
        return "failed"
    return "aborted" if number % 50 == 0 else "completed"


Rows = Callable[[], Iterator[tuple[Any, ...]]]
