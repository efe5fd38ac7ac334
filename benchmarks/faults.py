"""Troubles of minutes under load, then hundreds of SIGKILLs, in the running demo: what is said meanwhile, and what is left to do.

Instruments file an observation every few seconds. Each trouble lasts ``--minutes`` and passes; nobody clicks. Measured for
each: how soon the first page names it; whether the first page, ``/health``, ``manage.py ops status`` and ``/metrics`` agree;
how long after its end everything is archived, cleaned and green; what is FAILED. Then a round of ``--observations`` is archived
undisturbed, and further rounds while ``--kills`` SIGKILLs hit workers, their supervisor, managers and the portal. Last,
``python -m checker`` reads every byte.

Wanted: named within 60 s, all four agree, green within five minutes after the end, nothing FAILED, no finding of the checker,
and with kills at most twice the undisturbed time and the restarts.

Run: ``.venv/bin/python -m benchmarks faults [--minutes N] [--kills N] [--observations N] [--only NAME]``. Exits 1 when a wanted figure
is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from benchmarks.demo import REPOSITORY, running_demo

EVERY_SECONDS: Final = 4.0
NAMED_SECONDS: Final = 60.0
GREEN_SECONDS: Final = 300.0
#: The demo starts a service again when it ends, but not for ever: each may be killed once in so many seconds.
BETWEEN_KILLS_OF_ONE: Final = 25.0
KILL_EVERY_SECONDS: Final = 1.0
_GROUP: Final = re.compile(r'class="panel attention">\s*<h2><a[^>]*>([^<]+)</a>')
_METRIC: Final = re.compile(r'^ccatdc_attention\{kind="([^"]+)"\} [1-9]', re.MULTILINE)


class Center:
    """The running demo: its processes, its pages, and its rows, which are only read, except by the operator's switch."""

    def __init__(self, demo: psutil.Process, root: Path) -> None:
        self.demo, self.root = demo, root
        for line in (root / "environment").read_text().splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            if name.isidentifier():
                os.environ[name] = shlex.split(value)[0] if value else ""
        import django

        django.setup()
        import logging

        from django.conf import settings

        from accounts.models import ApiToken, User
        from ccatdc.dev.demo.furnishing import PEOPLE, password_of
        from ccatdc.dev.demo.home import Home

        logging.getLogger("httpx").setLevel(logging.WARNING)
        self.home, self.url = Home(root), settings.PORTAL_URL
        person = next(each for each in PEOPLE if each.username == "operator")
        self._password = password_of(self.home, person)
        user = User.objects.get(username="operator")
        ApiToken.objects.filter(name="benchmark faults").delete()
        _, self._token = ApiToken.issue(user=user, name="benchmark faults", scopes=["read:observations"])
        self._browser = httpx.Client(base_url=self.url, timeout=30, follow_redirects=True)
        self._log_in()

    def _log_in(self) -> None:
        page = self._browser.get("/accounts/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        form = {
            "username": "operator",
            "password": self._password,
            "csrfmiddlewaretoken": found[1] if found else "",
            "login": "operator",
        }
        self._browser.post("/accounts/login/", data=form, headers={"Referer": f"{self.url}/accounts/login/"})

    def processes(self, *words: str) -> list[psutil.Process]:
        """Those below the demo whose command has one of these words, parents first."""
        found = []
        for process in self.demo.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if any(word in " ".join(process.cmdline()) for word in words):
                    found.append(process)
        return found

    def first_page(self) -> set[str]:
        """Kinds of what needs attention, as an operator sees them; httpx.HTTPError when no page comes."""
        from django.urls import reverse

        answer = self._browser.get(reverse("admin:index"))
        if answer.is_client_error or (answer.is_success and "verdict" not in answer.text):
            raise RuntimeError(f"The first page was not shown: {answer.status_code}. Is the operator logged in?")
        page = answer.raise_for_status().text
        return {each.strip() for each in _GROUP.findall(page)}

    def others(self) -> tuple[set[str], set[str], bool]:
        """What ``ops status`` and ``/metrics`` name, and whether ``/health`` is not ok."""
        command = [sys.executable, "manage.py", "ops", "status", "--json"]
        said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
        kinds = {each["kind"] for each in json.loads(said)["attention"]}
        headers = {"Authorization": f"Bearer {self._token}"}
        metrics = httpx.get(f"{self.url}/metrics", headers=headers, timeout=30).raise_for_status().text
        health = httpx.get(f"{self.url}/health", timeout=30).json()
        return kinds, set(_METRIC.findall(metrics)), health["status"] != "ok"

    def agree(self, seconds: float) -> bool:
        """Whether all four said the same at one time within these seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(httpx.HTTPError, json.JSONDecodeError):
                page = self.first_page()
                ops, metrics, trouble = self.others()
                if page == ops == metrics == self.first_page() and trouble == bool(page):
                    return True
            time.sleep(2)
        return False

    def left(self) -> dict[str, int]:
        """What is not archived, not cleaned, or failed."""
        from datamgmt.models import LocationType, PhysicalCopy, RawDataFile, RawDataPackage
        from transfer.models import Operation

        temporary = PhysicalCopy.objects.existing().filter(
            data_location__location_type__in=(LocationType.SOURCE, LocationType.BUFFER)
        )
        return {
            "files without package": RawDataFile.objects.unpackaged().count(),
            "packages not archived": RawDataPackage.objects.not_archived().count(),
            "copies not cleaned": temporary.count(),
            "failed": Operation.objects.failed_unseen().count(),
        }

    def is_done(self) -> bool:
        return not any(self.left().values())

    def archived(self) -> int:
        from datamgmt.models import RawDataPackage

        return RawDataPackage.objects.archived().count()


@dataclass
class Load:
    """An instrument that observes until it is told to stop: 1 MB, in 12 files."""

    center: Center
    count: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(300)
            self._stop.clear()

    def observe(self) -> None:
        from ccatdc.common.errors import CcatError
        from ccatdc.dev.demo.filing import Observatory
        from ccatdc.dev.demo.instrument import PRIME_CAM

        try:
            Observatory(self.center.home, self.center.url).observe(PRIME_CAM, 1_000_000, seed=f"faults {self.count}")
            self.count += 1
        except (CcatError, httpx.HTTPError) as error:
            print(f"    the instrument was refused: {error}", flush=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.observe()
            self._stop.wait(EVERY_SECONDS)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong, and how it passes. ``named`` are the kinds on the first page of which one has to appear; none where
    no page can be had.
    """

    name: str
    begin: Callable[[Center], object]
    end: Callable[[Center], object]
    named: frozenset[str]


def _signal(number: int, *words: str) -> Callable[[Center], object]:
    def send(center: Center) -> None:
        for process in center.processes(*words):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    return send


def _move(pattern: str, *, away: bool) -> Callable[[Center], object]:
    def move(center: Center) -> None:
        for path in sorted(center.root.glob(pattern if away else f"{pattern}.away")):
            path.rename(path.with_name(f"{path.name}.away" if away else path.name.removesuffix(".away")))

    return move


def _switch(*, active: bool) -> Callable[[Center], object]:
    def switch(_center: Center) -> None:
        from datamgmt.models import DataLocation

        DataLocation.objects.non_polymorphic().filter(site__short_name="ccat", location_type="buffer").update(
            active=active
        )

    return switch


def _frozen(name: str, named: str, *words: str) -> Trouble:
    return Trouble(name, _signal(signal.SIGSTOP, *words), _signal(signal.SIGCONT, *words), frozenset({named} - {""}))


_PLACES: Final = frozenset({"Locations", "Places held back"})
TROUBLES: Final = (
    _frozen("the store hangs", "Locations", "rclone"),
    Trouble("a bucket is missing", _move("s3/ccat-long*", away=True), _move("s3/ccat-long*", away=False), _PLACES),
    Trouble(
        "the disks of Cologne are away",
        _move("cologne/input*", away=True),
        _move("cologne/input*", away=False),
        _PLACES,
    ),
    Trouble(
        "the buffers at the telescope are off",
        _switch(active=False),
        _switch(active=True),
        frozenset({"Work that waits for a place"}),
    ),
    _frozen("all workers are frozen", "Services", "run_location"),
    _frozen("the managers are frozen", "Services", "run_managers"),
    _frozen("the database is silent", "", "bin/postgres"),
)


def main() -> int:
    """Run them all, and say what was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long each trouble lasts (default: 2)")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--observations", type=int, default=20, help="of a round, each of three packages")
    parser.add_argument("--only", default="", metavar="WORD", help="troubles whose name has this word; - for none")
    parser.add_argument("--root", type=Path, help="the demo's folder (default: a temporary one)")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="ccatdc-faults-") as temporary,
        running_demo(given.root or Path(temporary) / "demo") as (demo, root),
    ):
        center = Center(demo, root)
        _wait(lambda: not center.first_page(), 120)
        missed = []
        for trouble in TROUBLES:
            if given.only in trouble.name:
                missed += _suffer(center, trouble, given.minutes * 60)
        if given.kills:
            missed += _killed(center, given.observations, given.kills)
        missed += _check(center)
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


def _suffer(center: Center, trouble: Trouble, seconds: float) -> list[str]:
    """One trouble from its begin to green."""
    load, missed = Load(center), []
    with load.running():
        time.sleep(2 * EVERY_SECONDS)
        trouble.begin(center)
        begun = time.monotonic()
        try:
            said = _named(center, trouble)
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
        finally:
            trouble.end(center)
    ended = time.monotonic()
    done = _wait(center.is_done, GREEN_SECONDS + 60)
    green = done and _wait(lambda: not center.first_page(), 120)
    took = time.monotonic() - ended
    agree = center.agree(30)
    left = {name: count for name, count in center.left().items() if count}
    print(
        f"{trouble.name}: {said}; {load.count} observations; done and green {took:.0f} s after its end; left: {left or 'nothing'}"
    )
    if "not" in said:
        missed.append(f"{trouble.name}: {said}")
    if not green or took > GREEN_SECONDS or left or not agree:
        missed.append(f"{trouble.name}: green {green}, agree {agree}, left {left}, page {center.first_page()}")
    return missed


def _named(center: Center, trouble: Trouble) -> str:
    """How soon the first page says it, and whether the others agree."""
    if not trouble.named:
        return "no page can be had"
    begun = time.monotonic()

    def says() -> bool:
        return bool(center.first_page() & trouble.named)

    if not _wait(says, NAMED_SECONDS):
        return f"not named in {NAMED_SECONDS:.0f} s"
    named = time.monotonic() - begun
    agree = "all four agree" if center.agree(60) else "they do not agree"
    return f"named after {named:.0f} s, {agree}"


def _killed(center: Center, observations: int, kills: int) -> list[str]:
    """Rounds of observations, the first undisturbed, the others until all kills are done."""
    undisturbed = _archive(center, observations)
    before = center.archived()
    killed = [0]
    killer = threading.Thread(target=_kill, args=(center, kills, killed), daemon=True)
    killer.start()
    begun, rounds = time.monotonic(), []
    while killer.is_alive():
        rounds.append(_archive(center, observations))
    took = time.monotonic() - begun
    left = {name: count for name, count in center.left().items() if count}
    print(
        f"{killed[0]} SIGKILLs over {center.archived() - before} packages in {took:.0f} s; {observations} observations took"
        f" {undisturbed:.0f} s undisturbed, {sum(rounds) / len(rounds):.0f} s with kills"
        f" ({sum(rounds) / len(rounds) / undisturbed:.2f} times); left: {left or 'nothing'}"
    )
    return [f"kills: left {left}"] if left else []


def _archive(center: Center, observations: int) -> float:
    """Seconds until so many observations are archived and cleaned."""
    begun, load = time.monotonic(), Load(center)
    for _ in range(observations):
        load.observe()
    if not _wait(center.is_done, 3600):
        print(f"    not done: {center.left()}")
    return time.monotonic() - begun


def _kill(center: Center, kills: int, killed: list[int]) -> None:
    """One process after the other, by chance: mostly workers, which are many."""
    chance, last = random.Random(7), dict[str, float]()  # noqa: S311 - the same in each run
    while killed[0] < kills:
        time.sleep(KILL_EVERY_SECONDS)
        kind = chance.choice(("worker", "worker", "worker", "worker", "run_location", "run_managers", "waitress"))
        now = time.monotonic()
        word = "run_location" if kind == "worker" else kind
        found = center.processes(word)
        if kind == "worker":
            found = [each for each in found if _parent(each) != center.demo.pid]
        elif now - last.get(kind, 0.0) < BETWEEN_KILLS_OF_ONE:
            continue
        if found:
            with suppress(psutil.NoSuchProcess):
                (chance.choice(found) if kind == "worker" else found[0]).kill()
                last[kind] = now
                killed[0] += 1


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def _check(center: Center) -> list[str]:
    """Every byte, read by the program that shares no code with the product."""
    command = [sys.executable, "-m", "checker", "--database", os.environ["DATABASE_URL"]]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    print(f"checker: {result.stdout.strip().splitlines()[-1] if result.stdout.strip() else result.stderr.strip()}")
    print(f"{center.archived()} packages archived")
    return [f"checker: {line}" for line in result.stdout.splitlines()[:20]] if result.returncode else []


def _wait(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether it became true in time; a page that cannot be had or a database that is away is no answer."""
    from django.db import DatabaseError, InterfaceError, connection

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except httpx.HTTPError:
            pass
        except (DatabaseError, InterfaceError):
            connection.close()
        time.sleep(1)
    return False


if __name__ == "__main__":
    sys.exit(main())
