"""The demo at rest and at work.

* Idle: processor time of all processes of the demo together over a minute, in percent of one core (wanted: under 5).
* Latency: seconds from the answer to ``finish`` until the package of a 1 MB observation is ARCHIVED, ten times on the idle demo
  (wanted: a median of 15 or less on two cores).

Run: ``.venv/bin/python -m benchmarks.demo [--root FOLDER]``. Exits 1 when a wanted figure is missed.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
IDLE_SECONDS = 60
IDLE_PERCENT = 5.0
LATENCY_SECONDS = 15.0
OBSERVATIONS = 10
START_SECONDS = 300


def main() -> int:
    """Measure and print both figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="the demo's folder (default: a temporary one)")
    root = parser.parse_args().root
    with (
        tempfile.TemporaryDirectory(prefix="ccatdc-benchmark-") as temporary,
        running_demo(root or Path(temporary) / "demo") as (demo, home),
    ):
        idle = idle_percent(demo)
        print(f"idle: {idle:.2f} % of one core over {IDLE_SECONDS} s (wanted: under {IDLE_PERCENT:g})")
        times = latencies(home)
    median = statistics.median(times)
    shown = ", ".join(f"{seconds:.2f}" for seconds in times)
    print(f"finish to ARCHIVED: median {median:.2f} s of {shown} (wanted: {LATENCY_SECONDS:g} or less)")
    return 0 if idle < IDLE_PERCENT and median <= LATENCY_SECONDS else 1


@contextmanager
def running_demo(root: Path) -> Iterator[tuple[psutil.Process, Path]]:
    """The demo without observations of its own, from ready to stopped."""
    command = [str(REPOSITORY / "scripts" / "demo"), "--every", "0", "--root", str(root)]
    log = root.with_name(f"{root.name}.out")
    root.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w+") as output:
        demo = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + START_SECONDS
            while "http://" not in log.read_text():
                if demo.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"The demo did not start:\n{log.read_text()}")
                time.sleep(0.5)
            yield psutil.Process(demo.pid), root
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(timeout=60)


def idle_percent(demo: psutil.Process) -> float:
    """Processor time of the demo and all its children, once they have come to rest."""
    time.sleep(20)
    before, started = processor_seconds(demo), time.monotonic()
    time.sleep(IDLE_SECONDS)
    return 100 * (processor_seconds(demo) - before) / (time.monotonic() - started)


def processor_seconds(demo: psutil.Process) -> float:
    """User and system time of all living processes, and of those that they have waited for."""
    total = 0.0
    for process in [demo, *demo.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def latencies(root: Path) -> list[float]:
    """File observations one after the other and wait for each."""
    for line in (root / "environment").read_text().splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        if name.isidentifier():
            os.environ[name] = shlex.split(value)[0] if value else ""
    import logging

    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "ccatdc.settings.base"
    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the figures are what is read here
    from django.conf import settings

    from ccatdc.dev.demo.filing import Observatory
    from ccatdc.dev.demo.home import Home
    from ccatdc.dev.demo.instrument import PRIME_CAM
    from datamgmt.models import RawDataPackage

    observatory = Observatory(Home(root), settings.PORTAL_URL)
    found = []
    for number in range(OBSERVATIONS):
        observation = observatory.observe(PRIME_CAM, 1_000_000, seed=f"benchmark {number}")
        finished = time.monotonic()
        packages = RawDataPackage.objects.filter(executed_obs_unit=observation.id)
        while not packages.exists() or packages.not_archived().exists():
            if time.monotonic() - finished > 10 * LATENCY_SECONDS:
                sys.exit(f"Observation {number} was not archived within {10 * LATENCY_SECONDS:g} s.")
            time.sleep(0.05)
        found.append(time.monotonic() - finished)
        time.sleep(5)  # back to idle
    return found


if __name__ == "__main__":
    sys.exit(main())
