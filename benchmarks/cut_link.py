"""The link is cut for ten minutes while two instruments file, and everything is killed: nothing is lost, nothing is double.

Instruments file at the gateway through ``ccat_file``, an observation of 100 files every two seconds each. The link is cut. Until
it is mended ten processes are killed with SIGKILL, by turns: an instrument's program, its sender, the gateway's gunicorn with
all its workers, ``run_gateway``; each is started again at once. While the backlog drains over a round trip of 220 ms,
``run_gateway`` is killed three times more. Afterwards the main site is compared with the instruments' journals: every
observation and every file is there once, with its size and its SOURCE copy, and nothing else.

Needs what network namespaces need: root, or user namespaces and ``/dev/net/tun``.
Run: ``PYTHONPATH=client/src .venv/bin/python -m benchmarks.cut_link [--minutes N] [--kills N]``.
Exits 1 when anything is missing or too many.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.cut_link_instrument import Journal, files_of, observation_of
from benchmarks.two_sites import ROUND_TRIP_SECONDS, Site, TwoSites, two_sites
from benchmarks.wide_area import Conditions
from ccat_file.spool import Spool

INSTRUMENTS: Final = ("east", "west")
KILLS_WHILE_DRAINING: Final = 3
#: Seconds of filing with the link up, before and after.
AROUND_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 900.0
_OPEN = "SELECT count(*) FROM gateway_outbox WHERE status <> 'delivered'"
_FILES = """
    SELECT file.executed_obs_unit_id, file.relative_path, file.size, count(DISTINCT file.id),
           count(copy.id) FILTER (WHERE copy.status = 'present')
    FROM raw_data_file AS file LEFT JOIN physical_copy AS copy ON copy.raw_data_file_id = file.id
    GROUP BY file.executed_obs_unit_id, file.relative_path, file.size
"""


class Telescope:
    """What runs at the telescope, each under a name; killed and started again."""

    def __init__(self, sites: TwoSites) -> None:
        self.sites = sites
        self.site: Site = sites.telescope
        self.web = self.site.start_web()
        self.gateway = self._start_gateway()
        self.instruments = {name: self._start_instrument(name) for name in INSTRUMENTS}
        self.killed: Counter[str] = Counter()

    def journal(self, name: str) -> Journal:
        """Of an instrument that does not run."""
        return Journal(self.site.folder / f"{name}.journal")

    def kill_web(self) -> None:
        """gunicorn and its workers."""
        self._kill("gunicorn", self.web)
        self.web = self.site.start_web()

    def kill_gateway(self) -> None:
        """The process that replays."""
        self._kill("run_gateway", self.gateway)
        self.gateway = self._start_gateway()

    def kill_instrument(self) -> None:
        """The program of one of them."""
        name = INSTRUMENTS[self.killed["instrument"] % len(INSTRUMENTS)]
        self._kill("instrument", self.instruments[name])
        self.instruments[name] = self._start_instrument(name)

    def kill_sender(self) -> None:
        """Processes that send a spool; the instrument's next call starts another."""
        for process in self._senders():
            with suppress(psutil.NoSuchProcess):
                process.kill()
                self.killed["sender"] += 1

    def end_instruments(self) -> None:
        """They finish the observation that they are at."""
        for process in self.instruments.values():
            process.terminate()
        for name, process in self.instruments.items():
            if process.wait(120) != 0:
                sys.exit(f"{name} failed:\n{(self.site.folder / f'{name}.log').read_text()}")

    def spooled(self) -> int:
        """Calls that wait in the spools of the instruments. Exits when the gateway refused one."""
        waiting = 0
        for name in INSTRUMENTS:
            spool = Spool(self.site.folder / f"{name}.spool")
            for refused in spool.dead():
                sys.exit(f"Refused: {refused.document()}")
            waiting += len(spool.waiting())
        return waiting

    def stop(self) -> None:
        """Everything."""
        for process in (self.web, self.gateway, *self.instruments.values()):
            if process.poll() is None:
                process.terminate()
                process.wait(60)
        self.kill_sender()

    def _senders(self) -> Iterator[psutil.Process]:
        """Those of our spools: they say nothing of themselves but in their environment."""
        for process in psutil.process_iter(["cmdline"]):
            if "ccat_file" in (process.info["cmdline"] or ()):
                with suppress(psutil.Error):
                    spool = process.environ().get("CCAT_FILE_SPOOL", "")
                    if spool.startswith(str(self.site.folder)):
                        yield process

    def _start_gateway(self) -> subprocess.Popen[bytes]:
        return self.site.start("manage.py", "run_gateway", log="gateway")

    def _start_instrument(self, name: str) -> subprocess.Popen[bytes]:
        journal = self.site.folder / f"{name}.journal"
        return self.site.start(
            *("-m", "benchmarks.cut_link_instrument", name, str(journal)),
            log=name,
            more={
                "CCAT_FILE_URL": self.site.url,
                "CCAT_FILE_TOKEN": self.sites.instrument_token,
                "CCAT_FILE_SPOOL": str(self.site.folder / f"{name}.spool"),
                "PYTHONPATH": "client/src",
            },
        )

    def _kill(self, what: str, process: subprocess.Popen[bytes]) -> None:
        """With its children: each was started as the leader of a process group."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.killed[what] += 1


def main() -> int:
    """Cut, kill, mend, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for which the link is cut")
    parser.add_argument("--kills", type=int, default=10, help="while it is cut")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ccatdc-benchmark-") as folder, two_sites(Path(folder)) as sites:
        return run(sites, 60 * arguments.minutes, arguments.kills)


def run(sites: TwoSites, cut_seconds: float, kills: int) -> int:
    """All of it, with both sites up."""
    sites.link.change(Conditions(delay=ROUND_TRIP_SECONDS / 2))
    telescope = Telescope(sites)
    try:
        time.sleep(AROUND_SECONDS)
        sites.link.cut()
        cut_at = time.monotonic()
        turns: list[Callable[[], None]] = [
            telescope.kill_instrument,
            telescope.kill_web,
            telescope.kill_sender,
            telescope.kill_gateway,
        ]
        for number, kill in zip(range(kills), itertools.cycle(turns), strict=False):
            _sleep_until(cut_at + cut_seconds * (number + 1) / (kills + 1))
            kill()
        _sleep_until(cut_at + cut_seconds)
        backlog = sites.telescope.rows(_OPEN)[0][0]
        sites.link.mend()
        mended_at = time.monotonic()
        print(f"cut for {mended_at - cut_at:.0f} s; backlog: {backlog} calls", flush=True)
        for _ in range(KILLS_WHILE_DRAINING):
            time.sleep(AROUND_SECONDS / KILLS_WHILE_DRAINING)
            telescope.kill_gateway()
        telescope.end_instruments()
        _wait_for_all(telescope)
        print(f"all sent {time.monotonic() - mended_at:.0f} s after it was mended", flush=True)
    finally:
        killed = dict(telescope.killed)
        telescope.stop()
    print("killed: " + ", ".join(f"{what} {n}" for what, n in sorted(killed.items())))
    return 0 if is_whole(sites.main, telescope) and sum(killed.values()) >= kills else 1


def is_whole(main_site: Site, telescope: Telescope) -> bool:
    """Compare the main site with the journals; print what differs."""
    observations = [observation_of(name, number) for name in INSTRUMENTS for number in telescope.journal(name).whole()]
    wanted = Counter(
        {
            (observation, path, size, 1, 1): 1
            for observation in observations
            for path, size in files_of(observation).items()
        }
    )
    found: Counter[Any] = Counter(main_site.rows(_FILES))
    there = Counter(main_site.rows("SELECT id FROM executed_obs_unit WHERE status = 'completed'"))
    due = Counter((observation,) for observation in observations)
    all_there = main_site.rows("SELECT count(*) FROM executed_obs_unit")[0][0]
    print(
        f"filed: {len(observations)} observations, {wanted.total():,} files; arrived: "
        f"{all_there} observations, {found.total():,} files"
    )
    for what, difference in (
        ("missing", (due - there) + (wanted - found)),
        ("too many", (there - due) + (found - wanted)),
    ):
        for one in itertools.islice(difference, 10):
            print(f"{what}: {one}")
    return bool(observations) and due == there and all_there == len(due) and wanted == found


def _wait_for_all(telescope: Telescope) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while telescope.spooled() or telescope.site.rows(_OPEN)[0][0]:
        if time.monotonic() > deadline:
            sys.exit(f"Not sent within {DRAIN_SECONDS:.0f} s; see {telescope.site.folder}.")
        time.sleep(0.5)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


if __name__ == "__main__":
    sys.exit(main())
