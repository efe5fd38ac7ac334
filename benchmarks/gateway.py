"""The gateway's backlog over the long link: 100,000 files, with and without the delay of Chile to Cologne.

* Drain: files a second that reach the main site, over a round trip of 220 ms against none, in turns in the same run (wanted:
  at least half of the rate without the delay).
* Afterwards the main site has every observation and every file of the backlog once.

The backlog is 50 observations that were filed while ``run_gateway`` was not running, each with ``start``, eighteen calls of 110
files, twenty calls of one file, and ``finish``. The clock runs from the first delivered call to the last, as the outbox has it.

Needs what network namespaces need: root, or user namespaces and ``/dev/net/tun``.
Run: ``.venv/bin/python -m benchmarks.gateway [--observations N] [--rounds N]``. Exits 1 when a wanted figure is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from benchmarks.two_sites import MODULE, OBSERVED, ROUND_TRIP_SECONDS, TwoSites, two_sites
from benchmarks.wide_area import Conditions

WANTED_RATIO: Final = 0.5
CALLS, ROWS, SINGLES = 18, 110, 20
FILES_OF_ONE: Final = CALLS * ROWS + SINGLES
DRAIN_SECONDS: Final = 1800.0
_OPEN = "SELECT count(*) FROM gateway_outbox WHERE status <> 'delivered'"
#: Rows that arrived after those of the first moment, and the seconds that they took.
_DRAINED = """
    SELECT sum(files) FILTER (WHERE delivered_at > first), extract(epoch FROM max(delivered_at) - min(first))
    FROM (SELECT files, delivered_at, min(delivered_at) OVER () AS first
          FROM gateway_outbox WHERE filed_at >= %(since)s) AS calls
"""
_ARRIVED = """
    SELECT (SELECT count(*) FROM executed_obs_unit WHERE status = 'completed'),
           (SELECT count(*) FROM raw_data_file),
           (SELECT count(DISTINCT (source_location_id, relative_path)) FROM raw_data_file)
"""


def main() -> int:
    """Backlogs in turns; print each rate and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--observations", type=int, default=50, help=f"of {FILES_OF_ONE:,} files")
    parser.add_argument("--rounds", type=int, default=2)
    # What fills the backlog, on the telescope's host.
    parser.add_argument("--file-at", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.file_at:
        return fill(arguments.file_at, os.environ["CCAT_FILE_TOKEN"], arguments.observations)
    with tempfile.TemporaryDirectory(prefix="ccatdc-benchmark-") as folder, two_sites(Path(folder)) as sites:
        return measure(sites, arguments.observations, arguments.rounds)


def measure(sites: TwoSites, observations: int, rounds: int) -> int:
    """Without and with the delay in turns."""
    web = sites.telescope.start_web()
    rates: dict[float, list[float]] = {0.0: [], ROUND_TRIP_SECONDS: []}
    for _ in range(rounds):
        for round_trip, measured in rates.items():
            rate = drained(sites, observations, round_trip)
            measured.append(rate)
            print(f"round trip {1000 * round_trip:3.0f} ms: {rate:8,.0f} files/s", flush=True)
    web.terminate()
    web.wait(60)
    near, far = (statistics.median(measured) for measured in rates.values())
    print(f"ratio: {far / near:.2f} (wanted: at least {WANTED_RATIO:g})")
    finished, files, places = sites.main.rows(_ARRIVED)[0]
    filed = 2 * rounds * observations
    print(f"filed: {filed} observations, {filed * FILES_OF_ONE:,} files; ", end="")
    print(f"arrived: {finished} observations, {files:,} files in {places:,} places")
    whole = finished == filed and files == places == filed * FILES_OF_ONE
    return 0 if whole and far / near >= WANTED_RATIO else 1


def drained(sites: TwoSites, observations: int, round_trip: float) -> float:
    """Fill a backlog, send it, and the files per second that arrived."""
    sites.link.change(Conditions())
    since = datetime.now(UTC)
    filler = sites.telescope.start(
        *("-m", "benchmarks.gateway", "--file-at", sites.telescope.url),
        *("--observations", str(observations)),
        log="filling",
        more={"CCAT_FILE_TOKEN": sites.instrument_token},
    )
    if filler.wait() != 0:
        sys.exit((sites.telescope.folder / "filling.log").read_text())
    sites.link.change(Conditions(delay=round_trip / 2))
    gateway = sites.telescope.start("manage.py", "run_gateway", log="gateway")
    deadline = time.monotonic() + DRAIN_SECONDS
    while sites.telescope.rows(_OPEN)[0][0]:
        if gateway.poll() is not None or time.monotonic() > deadline:
            sys.exit((sites.telescope.folder / "gateway.log").read_text())
        time.sleep(0.2)
    gateway.terminate()
    gateway.wait(60)
    files, seconds = sites.telescope.rows(_DRAINED, {"since": since})[0]
    return float(files) / float(seconds)


def fill(url: str, token: str, observations: int) -> int:
    """File so many observations at the gateway, a few at a time."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=120) as client, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: file_one(client), range(observations)))
    return 0


def file_one(client: httpx.Client) -> None:
    """One observation, from start to finish."""
    for method, path, body in calls_of_one():
        answer = client.request(method, path, json=body)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            sys.exit(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")


def calls_of_one() -> Iterator[tuple[str, str, Any]]:
    """What an instrument says about one observation."""
    observation = str(uuid4())
    moment = datetime.now(UTC).isoformat()
    start = {"id": observation, "start_time": moment, **OBSERVED}
    yield "POST", "/api/executed_obs_units/start", start
    for call in range(CALLS):
        yield "POST", "/api/raw_data_files/bulk", [_row(observation, call, n) for n in range(ROWS)]
    for single in range(SINGLES):
        yield "POST", "/api/raw_data_files/", _row(observation, CALLS, single)
    end = {"status": "completed", "end_time": datetime.now(UTC).isoformat()}
    yield "PUT", f"/api/executed_obs_units/{observation}/finish", end


def _row(observation: str, call: int, number: int) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "executed_obs_unit": observation,
        "relative_path": f"{observation}/{call:03d}_{number:03d}.g3",
        "size": 8_000_000,
        **MODULE,
    }


if __name__ == "__main__":
    sys.exit(main())
