"""Figures in an InfluxDB: written to a real one and read back; one that is away, slow or refuses costs nothing else."""

from __future__ import annotations

import base64
import gzip
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import environ
import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from ccatdc.metrics.families import families
from ccatdc.metrics.influxdb import FIRST_WAIT_SECONDS, MOST_BATCHES, InfluxDB, InfluxError, InfluxWriter
from ccatdc.metrics.line_protocol import lines_of
from ccatdc.notification_loop import NotificationLoop
from ccatdc.settings.influxdb import influxdb_from
from tests.factories.datamgmt import BufferLocationFactory
from tests.factories.transfer import LongTermArchiveTransferFactory, WorkTotalFactory
from tests.gateway.sites import free_port
from tests.notifications.receivers import serving
from tests.transfer.processes import eventually


class Receiver(HTTPServer):
    """Answers as it is told to, and keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.status, self.answer = 204, b""
        self.calls: list[tuple[str, str | None, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Call(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep address, authorization and lines."""
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))).decode()
        self.server.calls.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as server:
        yield server


@contextmanager
def real_influxdb(folder: Path) -> Iterator[InfluxDB]:
    """Debian's, on loopback, with one database. Without it the test is skipped by name."""
    program = shutil.which("influxd")
    if program is None:
        pytest.skip("influxd is not installed (Debian: apt-get install influxdb)")
    port = free_port()
    settings = {
        "INFLUXDB_BIND_ADDRESS": "127.0.0.1:0",
        "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
        "INFLUXDB_META_DIR": str(folder / "meta"),
        "INFLUXDB_DATA_DIR": str(folder / "data"),
        "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
        "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        "INFLUXDB_REPORTING_DISABLED": "true",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-config", os.devnull], env={**os.environ, **settings}, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        assert eventually(lambda: answers(url), seconds=20)
        httpx.post(f"{url}/query", params={"q": "CREATE DATABASE ccatdc"}).raise_for_status()
        yield InfluxDB(url=url, database="ccatdc")
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ping").status_code == 204
    except httpx.TransportError:
        return False


def stored(influxdb: InfluxDB, query: str) -> list[Any]:
    found = httpx.get(f"{influxdb.url}/query", params={"db": influxdb.database, "q": query, "epoch": "s"}).json()
    return [series for result in found["results"] for series in result.get("series", [])]


@pytest.mark.django_db
def test_a_real_influxdb_has_every_figure_afterwards(tmp_path: Path) -> None:
    buffer = BufferLocationFactory.create()
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    WorkTotalFactory.create(period="day", starts_at=today, location=buffer, bytes=123)
    LongTermArchiveTransferFactory.create(failed=True, error_message='A "quoted", odd=text\nof two lines')
    now = timezone.now()
    lines = list(lines_of(families(), now))
    with real_influxdb(tmp_path) as influxdb:
        writer = InfluxWriter(influxdb)
        writer.offer(lines)
        assert eventually(lambda: writer.waiting == 0, seconds=10)
        assert writer.trouble == ""
        (series,) = stored(influxdb, "SELECT * FROM ccatdc_work_bytes_total")
        row = dict(zip(series["columns"], series["values"][0], strict=True))
        assert row == {
            "time": int(now.timestamp()),
            "kind": "long_term_archive_transfer",
            "location": buffer.full_name,
            "value": 123,
        }
        counted = stored(influxdb, "SELECT COUNT(value) FROM /.*/")
        assert sum(each["values"][0][1] for each in counted) == len(set(lines))
        with pytest.raises(InfluxError, match="HTTP 400") as refused:
            influxdb.write(["this is no line"])
        assert refused.value.is_refusal
        with pytest.raises(InfluxError, match="HTTP 404"):
            InfluxDB(url=influxdb.url, database="another").write(lines)


def test_version_1_is_called_with_database_and_password(receiver: Receiver) -> None:
    InfluxDB(url=receiver.url, database="ccat dc", username="ccat", password="pässword").write(["a value=1.0 1"])
    ((path, authorization, body),) = receiver.calls
    assert path == "/write?db=ccat+dc&precision=s"
    assert authorization == "Basic " + base64.b64encode("ccat:pässword".encode()).decode()
    assert body == "a value=1.0 1"


def test_version_2_is_called_with_bucket_and_token(receiver: Receiver) -> None:
    InfluxDB(url=receiver.url, bucket="b", organisation="o", token="t0ken").write(["a value=1.0 1", "b value=2.0 1"])
    assert receiver.calls == [
        ("/api/v2/write?org=o&bucket=b&precision=s", "Token t0ken", "a value=1.0 1\nb value=2.0 1")
    ]


def test_secrets_are_in_no_message(receiver: Receiver) -> None:
    receiver.status, receiver.answer = 401, b'{"error":"no such token: t0ken\n"}'
    with pytest.raises(InfluxError) as failed:
        InfluxDB(url=receiver.url, bucket="b", organisation="o", token="t0ken").write(["a value=1.0 1"])
    assert "HTTP 401" in str(failed.value)
    assert "t0ken" not in str(failed.value)
    assert not failed.value.is_refusal


class TestWriter:
    def test_what_waited_is_sent_in_order_when_it_answers_again(self, receiver: Receiver) -> None:
        writer = InfluxWriter(InfluxDB(url=receiver.url, database="d"))
        receiver.status = 503
        for n in range(3):
            writer.offer([f"a value={n} 1"])
            assert eventually(lambda: writer.trouble != "", seconds=5)
        assert len(receiver.calls) == 1, "held back after the first failure"
        assert (writer.waiting, "HTTP 503" in writer.trouble) == (3, True)
        receiver.status = 204
        writer.send()
        assert [body for _, _, body in receiver.calls[1:]] == [f"a value={n} 1" for n in range(3)]
        assert (writer.waiting, writer.trouble) == (0, "")

    def test_a_batch_that_is_refused_holds_up_no_other(self, receiver: Receiver) -> None:
        writer = InfluxWriter(InfluxDB(url=receiver.url, database="d"))
        receiver.status = 400
        writer.offer(["odd"])
        assert eventually(lambda: writer.waiting == 0, seconds=5)
        assert "HTTP 400" in writer.trouble

    def test_no_more_than_an_hour_waits(self) -> None:
        writer = InfluxWriter(InfluxDB(url="http://127.0.0.1:9", database="d"))
        for n in range(MOST_BATCHES + 7):
            writer.offer([str(n)])
        assert writer.waiting == MOST_BATCHES

    def test_many_lines_are_sent_in_parts(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ccatdc.metrics.influxdb.LINES_AT_ONCE", 2)
        writer = InfluxWriter(InfluxDB(url=receiver.url, database="d"))
        writer.offer(["1", "2", "3", "4", "5"])
        assert eventually(lambda: writer.waiting == 0, seconds=5)
        assert [body for _, _, body in receiver.calls] == ["1\n2", "3\n4", "5"]

    def test_each_failure_in_a_row_doubles_the_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threading.Thread, "start", lambda _thread: None)
        writer = InfluxWriter(InfluxDB(url="http://127.0.0.1:9", database="d"))
        writer.offer(["a"])
        waits = []
        for _ in range(2):
            writer.send()
            waits.append(writer._not_before - time.monotonic())
        assert waits == [pytest.approx(FIRST_WAIT_SECONDS * n, abs=1) for n in (1, 2)]


@pytest.mark.django_db
def test_the_loop_of_notifications_writes_and_says_when_it_cannot(receiver: Receiver, settings: Any) -> None:
    settings.INFLUXDB = {"url": receiver.url, "database": "d", "seconds": 30.0}
    loop = NotificationLoop()
    loop._measure()
    assert eventually(lambda: loop._influx is not None and loop._influx.waiting == 0, seconds=10)
    assert "ccatdc_all_well value=" in receiver.calls[0][2]
    assert loop._waits() == []
    receiver.status = 500
    loop._measure()
    assert eventually(lambda: loop._waits() != [], seconds=10)
    (entry,) = loop._waits()
    assert "HTTP 500" in entry["why"]
    settings.INFLUXDB = None
    assert NotificationLoop()._waits() == []


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"URL": "http://x"}, "needs one of"),
        ({"URL": "http://x", "DATABASE": "d", "BUCKET": "b"}, "needs one of"),
        ({"URL": "http://x", "BUCKET": "b", "TOKEN": "t"}, "ORGANISATION"),
        ({"URL": "http://x", "DATABASE": "d", "SECONDS": "1"}, "from 5 to 3600"),
    ],
)
def test_settings_that_say_half_are_refused(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], wrong: str) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"CCATDC_INFLUXDB_{name}", value)
    with pytest.raises(ImproperlyConfigured, match=wrong):
        influxdb_from(environ.FileAwareEnv())


def test_settings_name_an_influxdb_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert influxdb_from(environ.FileAwareEnv()) is None
    monkeypatch.setenv("CCATDC_INFLUXDB_URL", "http://x/")
    monkeypatch.setenv("CCATDC_INFLUXDB_DATABASE", "d")
    found = influxdb_from(environ.FileAwareEnv())
    assert found is not None
    assert InfluxDB(**found) == InfluxDB(url="http://x", database="d")
