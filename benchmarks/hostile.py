"""Bodies and addresses that are made to cost much, to every endpoint of the API and every page.

Each request is at most 1 MB, made by hand (bombs of names, depth, numbers, rows, gzip, texts, words, forms) or by
Hypothesis, and sent as an administrator, so that it reaches as deep as it can, to gunicorn as ``deploy`` runs it. After each
one the processor time of all web processes and their peak memory are read from ``/proc``; ``/health`` is asked every 50 ms
meanwhile. Wanted: no request over 2 s of processor time, no process over 400 MiB, no ``/health`` over 100 ms, no 5xx.

Needs ``DATABASE_URL`` and ``CCATDC_DEBUG=1``; works in a test database beside it, which is removed afterwards. Run:
``.venv/bin/python -m ccatdc.dev.with_postgres .venv/bin/python -m benchmarks.hostile [--requests N] [--seed N] [--only TEXT]``. Exits 1
when a wanted figure is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.attacks import Attack, Attacks
from benchmarks.filing import web_server

CPU_SECONDS: Final = 2.0
MEMORY_MIB: Final = 400.0
HEALTH_MS: Final = 100.0
HEALTH_EVERY: Final = 0.05
WITHOUT_BODY: Final = ("GET", "DELETE")
_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """One method of one address; ``is_page``: for a browser."""

    method: str
    address: str
    is_page: bool


@dataclass
class Seen:
    """What was measured."""

    statuses: Counter[int] = field(default_factory=Counter)
    cpu: list[tuple[float, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    health: list[float] = field(default_factory=list)


def main() -> int:
    """Attack, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="methods and addresses that contain this text")
    arguments = parser.parse_args()

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    os.environ["CCATDC_TOKEN_REQUESTS_PER_MINUTE"] = "100000000"  # noqa: S105 - all come from one
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        return run(arguments.requests, random.Random(arguments.seed), arguments.only)  # noqa: S311
    finally:
        teardown_databases(databases, verbosity=0)
        connection.close()


def run(requests: int, chance: random.Random, only: str) -> int:
    secret, cookie, words = prepare()
    seen = Seen()
    with web_server(secret) as client:
        sender = Sender(client, cookie, web_processes(), seen)
        # In a process of its own: ours is busy with making bodies.
        context = multiprocessing.get_context("spawn")
        stop, found = context.Event(), context.Queue()
        prober = context.Process(target=ask_health, args=(int(client.base_url.port or 0), stop, found))
        prober.start()
        try:
            for number, (target, attack) in enumerate(chosen(requests, Attacks(chance, words), chance, only)):
                sender.send(target, attack)
                if number % 1000 == 999:
                    print(f"{number + 1:,} requests, worst {max(seen.cpu)[0]:.2f} s", flush=True)
        finally:
            stop.set()
            seen.health = found.get(timeout=60)
            prober.join()
        peak = max(peak_mib(pid) for pid in web_processes())
    return report(seen, peak)


def report(seen: Seen, peak: float) -> int:
    worst = sorted(seen.cpu, reverse=True)[:5]
    health = sorted(seen.health)
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(seen.statuses.items()))
    print(f"{sum(seen.statuses.values()):,} requests: {answers}")
    for seconds, what in worst:
        print(f"{seconds:.2f} s of processor time: {what}")
    print(f"peak of a web process {peak:.0f} MiB (wanted: {MEMORY_MIB:g})")
    print(
        f"/health {len(health):,} times: median {1000 * statistics.median(health):.0f} ms,"
        f" 99 % {1000 * health[int(0.99 * len(health))]:.0f} ms, longest {1000 * health[-1]:.0f} ms (wanted: {HEALTH_MS:g})"
    )
    for error in seen.errors[:20]:
        print(error)
    is_well = not seen.errors and worst[0][0] <= CPU_SECONDS and peak <= MEMORY_MIB and 1000 * health[-1] <= HEALTH_MS
    return 0 if is_well else 1


def prepare() -> tuple[str, str, list[str]]:
    """A row of every kind, an administrator's token and session, and words that name rows."""
    from django.test import Client

    from tests.api.test_access import ALL_PERMISSIONS
    from tests.factories.accounts import ApiTokenFactory, UserFactory
    from tests.fuzz.furniture import furnish

    furniture = furnish()
    rights = list(ALL_PERMISSIONS)
    user = UserFactory.create(permissions=rights, is_superuser=True, is_staff=True)
    secret = str(vars(ApiTokenFactory.create(user=user, scopes=rights))["secret"])
    browser = Client()
    browser.force_login(user)
    return secret, browser.cookies["sessionid"].value, [str(word) for word in furniture.words]


# --- What is attacked -------------------------------------------------------------------------------------------------


def targets() -> list[Target]:
    """Every endpoint, and every page with GET and POST."""
    from django.urls import URLPattern, URLResolver, get_resolver

    from tests.api.test_access import ENDPOINTS, PLACEHOLDERS

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern):
                yield route

    found = [Target(method, address, is_page=False) for address, method, _ in ENDPOINTS]
    found += [Target("GET", "/api/schema/", is_page=False)]
    fill = {**PLACEHOLDERS, "<path:object_id>": "1", "<uidb64>": "MQ", "<token>": "x" * 40, "<slug:name>": "x"}
    for route in sorted(set(walk(get_resolver().url_patterns, "/"))):
        address = route
        for placeholder, value in fill.items():
            address = address.replace(placeholder, value)
        if not address.startswith("/api/") and not any(sign in address for sign in "<^(["):
            found += [Target(method, address, is_page=True) for method in ("GET", "POST")]
    # Token and session are needed to the end; /health is asked all the time.
    left_out = (
        "logout",
        "sessions/end",
        "/health",
        "revoke",
        "/accounts/user/",
        "/accounts/apitoken/",
        "password",
        "/login/",
    )
    return [target for target in found if not any(part in target.address for part in left_out)]


def chosen(requests: int, attacks: Attacks, chance: random.Random, only: str) -> Iterator[tuple[Target, Attack]]:
    """Every attack by hand on every target that takes it, as far as two thirds go; the rest by Hypothesis."""
    found = [target for target in targets() if only in f"{target.method} {target.address}"]
    every = [(target, make) for target in found for make in by_hand(target, attacks)]
    chance.shuffle(every)
    every = every[: requests * 2 // 3]
    for target, make in every:
        yield target, make()
    for _ in range(requests - len(every)):
        target = chance.choice(found)
        has_body = target.method not in WITHOUT_BODY
        yield target, attacks.by_hypothesis(has_body=has_body, is_form=target.is_page)


def by_hand(target: Target, attacks: Attacks) -> list[Callable[[], Attack]]:
    if target.method in WITHOUT_BODY:
        return attacks.for_addresses()
    return attacks.for_forms() if target.is_page else attacks.for_bodies()


# --- Sending and measuring --------------------------------------------------------------------------------------------


@dataclass
class Sender:
    """An administrator, by token and by session."""

    client: httpx.Client
    cookie: str
    processes: list[int]
    seen: Seen

    def send(self, target: Target, attack: Attack) -> None:
        """One request, with the processor time that it took."""
        what = f"{target.method} {target.address}: {attack.name}"
        headers = dict(attack.headers)
        if target.is_page:
            token = "x" * 32
            headers |= {"Cookie": f"sessionid={self.cookie}; csrftoken={token}", "X-CSRFToken": token}
        address = f"{target.address}?{attack.query}" if attack.query else target.address
        before = cpu_seconds(self.processes)
        try:
            answer = self.client.request(
                target.method, address, content=attack.body or None, headers=headers, timeout=60
            )
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            # A body that is refused unread closes the connection.
            self.seen.statuses[0] += 1
            return
        except httpx.TransportError as error:
            self.seen.errors.append(f"{type(error).__name__}: {what}")
            return
        self.seen.statuses[answer.status_code] += 1
        self.seen.cpu.append((cpu_seconds(self.processes) - before, what))
        if answer.headers.get("Location", "").startswith("/accounts/login") or answer.status_code == 401:
            self.seen.errors.append(f"not logged in any more: {what}")
        if answer.status_code >= 500:
            self.seen.errors.append(f"{answer.status_code}: {what}: {answer.text[:200]!r}")


def ask_health(port: int, stop: Any, to: Any) -> None:
    """Seconds of each answer, from a new connection on, until it shall stop; then all of them go into the queue ``to``."""
    found: list[float] = []
    while not stop.wait(HEALTH_EVERY):
        began = time.monotonic()
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/health")
        connection.getresponse().read()
        connection.close()
        found.append(time.monotonic() - began)
    to.put(found)


def web_processes() -> list[int]:
    """gunicorn's master and workers: our descendants."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "gunicorn" in (folder / "cmdline").read_text() and _is_ours(int(folder.name)):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _is_ours(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def cpu_seconds(processes: list[int]) -> float:
    """User and system time of all of them so far."""
    total = 0
    for pid in processes:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def peak_mib(pid: int) -> float:
    """The most memory that it ever had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    sys.exit(main())
