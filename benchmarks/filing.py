"""Filing over HTTP, as instruments do it: gunicorn with two workers in front of the real database.

* One call of 10,000 files, from the first byte of the request to the answer, when all rows are
  committed, against psycopg COPY of the same rows into the same two tables in the same run (wanted:
  at least 0.40 of its rate).
* Calls of one file by clients at once (wanted: at least 85 calls/s together), and the queries of
  such a call.

Needs ``DATABASE_URL`` and ``CCATDC_DEBUG=1``; works in a test database beside it, which is removed
afterwards. Run: ``.venv/bin/python -m ccatdc.dev.with_postgres .venv/bin/python -m
benchmarks.filing [--files N] [--rounds N] [--clients N] [--seconds N]``. Exits 1 when a wanted figure
is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

RATIO: Final = 0.40
CALLS_PER_SECOND: Final = 85.0
WORKERS: Final = 2
REFERENCE_DATA = Path(__file__).resolve().parent.parent / "reference_data"
TABLES: Final = ("raw_data_file", "physical_copy")


def main() -> int:
    """Measure both, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccatdc.settings.base")
    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        secret, execution = prepare()
        with web_server(secret) as client:
            shares = bulk(client, execution, arguments.files, arguments.rounds)
            rate = singles(client, execution, arguments.clients, arguments.seconds)
        queries = queries_of_a_call(secret, execution)
    finally:
        teardown_databases(databases, verbosity=0)
        connection.close()
    share = statistics.median(shares)
    each = ", ".join(f"{one:.2f}" for one in shares)
    print(f"one call: {share:.2f} of the rate of COPY, median of {each} (wanted: {RATIO:g})")
    print(
        f"single files: {rate:.0f} calls/s by {arguments.clients} clients (wanted:"
        f" {CALLS_PER_SECOND:g}), {queries} queries each"
    )
    return 0 if share >= RATIO and rate >= CALLS_PER_SECOND else 1


def prepare() -> tuple[str, str]:
    """The real reference data, a token, and a running execution: the secret, and its UUID."""
    from django.utils import timezone

    from accounts.models import ApiToken, Role, User
    from ccatdc.reference.load.loader import load_reference
    from datamgmt.filing.executions import start_execution
    from datamgmt.filing.reports import StartReport
    from observatory.models import Instrument
    from planning.models import ObsUnit

    load_reference([REFERENCE_DATA])
    user = User.objects.create(username="instrument")
    user.roles.set(Role.objects.filter(permissions__codename="write:observations"))
    token, secret = ApiToken.issue(
        user=user, name="benchmark", scopes=["write:observations", "read:observations"],
        instrument=Instrument.objects.get(short_name="prime-cam"),
    )  # fmt: skip
    unit = ObsUnit.objects.filter(obs_mode__instrument=token.instrument).earliest("pk")
    report = StartReport(uuid4(), unit.pk, timezone.now(), {})
    execution, _ = start_execution(report, token=token)
    return secret, str(execution.pk)


@contextmanager
def web_server(secret: str) -> Iterator[httpx.Client]:
    """gunicorn as ``deploy`` runs it, on a port of its own; a client that has the token. Sessions made here are good there."""
    from django.conf import settings
    from django.db import connection

    given = urlsplit(os.environ["DATABASE_URL"])
    name = str(connection.settings_dict["NAME"])
    environment = os.environ | {
        "DATABASE_URL": given._replace(path="/" + quote(name)).geturl(),
        "CCATDC_DEBUG": "0",
        "CCATDC_PLAIN_HTTP": "1",  # on this machine only
        "CCATDC_SECRET_KEY": settings.SECRET_KEY,
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "ccatdc.wsgi", f"--bind=127.0.0.1:{port}"]
    command += [f"--workers={WORKERS}", "--threads=4", "--timeout=120", "--log-level=warning"]
    server = subprocess.Popen(command, env=environment)
    try:
        with connected(port, secret) as client:
            deadline = time.monotonic() + 60
            while not _answers(client):
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit("The web server did not start.")
                time.sleep(0.1)
            yield client
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def connected(port: int, secret: str) -> httpx.Client:
    """One client; it keeps its connection where the server does."""
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
        timeout=120,
    )


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/data_locations/").status_code == 200
    except httpx.TransportError:
        return False


def rows(execution: str, count: int) -> list[dict[str, Any]]:
    """Reports of files that nobody filed before, with all that an instrument says."""
    night = uuid4().hex
    return [
        {
            "id": str(uuid4()),
            "executed_obs_unit": execution,
            "source_location": "ccat_primecam_raw_data",
            "instrument": "prime-cam",
            "module": "280ghz",
            "relative_path": f"{night}/rfsoc01_drone1/r01d1_1750012345_{number:05}.g3",
            "size": 3_400_000,
            "file_type": "detector_timestream",
            "checksum": night * 2,
            "checksum_algorithm": "sha256",
            "created_at": "2026-05-01T22:00:00Z",
        }
        for number in range(count)
    ]


def bulk(client: httpx.Client, execution: str, count: int, rounds: int) -> list[float]:
    """In turns: a call, and COPY of what the call before made. The ratio of the rates each time."""
    shares = []
    for number in range(rounds + 1):
        body = json.dumps(rows(execution, count)).encode()
        started = time.perf_counter()
        answer = client.post("/api/raw_data_files/bulk", content=body)
        called = time.perf_counter() - started
        if answer.status_code != 201:
            sys.exit(f"The call was answered {answer.status_code}: {answer.text[:500]}")
        copied = copy_again(count)
        if number:  # the first one warms up
            shares.append(copied / called)
            print(f"{count:,} files: call {count / called:,.0f}/s, COPY {count / copied:,.0f}/s", flush=True)
    return shares


def copy_again(count: int) -> float:
    """The rows of the last call taken out and put back by COPY, the rows known and typed: seconds."""
    from django.db import connection

    connection.ensure_connection()
    raw = connection.connection
    kept = {}
    for table, condition in (
        ("physical_copy", "raw_data_file_id IS NOT NULL"),
        ("raw_data_file", "raw_data_package_id IS NULL"),
    ):
        found = raw.execute(f"DELETE FROM {table} WHERE {condition} RETURNING *")  # noqa: S608
        columns = [column.name for column in found.description]
        kept[table] = columns, [tuple(map(_storable, row)) for row in found]
        if len(kept[table][1]) != count:
            sys.exit(f"{table} has {len(kept[table][1])} new rows and not {count}.")
    raw.execute("VACUUM raw_data_file, physical_copy")
    started = time.perf_counter()
    with raw.transaction(), raw.cursor() as cursor:
        for table in TABLES:
            columns, values = kept[table]
            names = ", ".join(columns)
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
    seconds = time.perf_counter() - started
    raw.execute("DELETE FROM physical_copy WHERE raw_data_file_id IS NOT NULL")
    raw.execute("DELETE FROM raw_data_file WHERE raw_data_package_id IS NULL")
    raw.execute("VACUUM raw_data_file, physical_copy")
    return seconds


def _storable(value: object) -> object:
    from psycopg.types.json import Jsonb

    return Jsonb(value) if isinstance(value, dict | list) else value


@dataclass(eq=False)
class Filer(threading.Thread):
    """A client that files one file after the other until the time is over. Of the standard library:
    it shares the processors with the server.
    """

    port: int
    headers: dict[str, str]
    reports: list[dict[str, Any]]
    until: float
    done: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def run(self) -> None:
        """Counts what was answered in time."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        for report in self.reports:
            body = json.dumps(report)
            connection.request("POST", "/api/raw_data_files/", body, self.headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 201:
                raise RuntimeError(f"{answer.status}: {text[:500]!r}")
            if time.monotonic() > self.until:
                return
            self.done += 1


def singles(client: httpx.Client, execution: str, clients: int, seconds: float) -> float:
    """Calls of one file in a second, all clients together."""
    headers = {name: client.headers[name] for name in ("Authorization", "Content-Type")}
    until = time.monotonic() + seconds
    most = int(seconds * 500)
    filers = [Filer(client.base_url.port or 0, headers, rows(execution, most), until) for _ in range(clients)]
    started = time.monotonic()
    for filer in filers:
        filer.until = started + seconds
        filer.start()
    for filer in filers:
        filer.join()
    return sum(filer.done for filer in filers) / seconds


def queries_of_a_call(secret: str, execution: str) -> int:
    """How many statements one call of one file needs, transactions included."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="localhost", headers={"authorization": f"Bearer {secret}"})
    for _ in range(2):  # the first one finds out about content types
        (report,) = rows(execution, 1)
        with CaptureQueriesContext(connection) as queries:
            client.post("/api/raw_data_files/", report, content_type="application/json")
    return len(queries)


if __name__ == "__main__":
    sys.exit(main())
