"""An instrument for ``benchmarks.cut_link``: files observations by a fixed plan, until SIGTERM.

It may be killed at any moment and started again: what it has filed is in its journal, and a call that
did not return is made again as it was.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from benchmarks.two_sites import MODULE, OBSERVED
from ccat_file import FiledFile, Filing

CALLS, ROWS = 5, 20
#: Seconds between two observations of one instrument.
CADENCE: Final = 2.0
_NAMESPACE: Final = UUID("7d1dd0b2-5a3a-4d5e-9a53-0c1d1c9f54f1")


def observation_of(name: str, number: int) -> UUID:
    """The UUID of an instrument's n-th observation, the same after every start."""
    return uuid5(_NAMESPACE, f"{name}/{number}")


def files_of(observation: UUID) -> dict[str, int]:
    """What it writes in one: paths and bytes."""
    return {f"{observation}/{number:04d}.g3": 1_000_000 + number for number in range(CALLS * ROWS)}


class Journal:
    """What is done, a line each; a line that was cut off by a kill was not done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        self.entries: list[Mapping[str, Any]] = [json.loads(line) for line in lines]
        path.write_text("".join(f"{line}\n" for line in lines))

    def write(self, **entry: Any) -> Mapping[str, Any]:
        """One line more."""
        with self.path.open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
        self.entries.append(entry)
        return entry

    def last(self) -> Mapping[str, Any]:
        """The latest; an observation that is over when there is none."""
        return self.entries[-1] if self.entries else {"number": -1, "done": CALLS + 2}

    def whole(self) -> list[int]:
        """Numbers of the observations that are over."""
        return [entry["number"] for entry in self.entries if entry["done"] == CALLS + 2]


def observe(name: str, journal: Journal, filing: Filing) -> None:
    """The next observation, or what is left of the last one."""
    entry = journal.last()
    if entry["done"] == CALLS + 2:
        began = datetime.now(UTC).isoformat()
        entry = journal.write(number=entry["number"] + 1, began=began, done=0)
    number, began = entry["number"], entry["began"]
    observation = filing.observation(observation_of(name, number))
    files = [FiledFile(path, size) for path, size in files_of(observation.id).items()]
    for step in range(entry["done"], CALLS + 2):
        if step == 0:
            moment = datetime.fromisoformat(began)
            program, unit = OBSERVED["program"], OBSERVED["obs_unit_name"]
            filing.start(program=program, obs_unit_name=unit, start_time=moment, observation=observation.id)
        elif step <= CALLS:
            portion = files[(step - 1) * ROWS : step * ROWS]
            module, location = MODULE["module"], MODULE["source_location"]
            observation.add_files(portion, instrument=MODULE["instrument"], module=module, location=location)
        else:
            observation.finish(end_time=datetime.fromisoformat(began), quality="good")
        journal.write(number=number, began=began, done=step + 1)


def main() -> int:
    """Observe until SIGTERM; then the observation that is under way is finished."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    name, journal, filing = sys.argv[1], Journal(Path(sys.argv[2])), Filing()
    while not stopped:
        due = time.monotonic() + CADENCE
        observe(name, journal, filing)
        while not stopped and time.monotonic() < due:
            time.sleep(0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
