"""The embedded PostgreSQL: starts anywhere, is shared, and goes when its starter goes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import environ
import psycopg
import pytest

from ccatdc.common.errors import ConfigurationError, WorldError
from ccatdc.standalone.postgres import PostgresServer
from ccatdc.standalone.sockets import socket_folder
from tests.standalone.conftest import first_line, wait_until_gone

START_AND_STAY = """
import sys, time
from pathlib import Path
from ccatdc.standalone.postgres import PostgresServer
server = PostgresServer(Path(sys.argv[1]), durable=False)
server.start()
print(server.started, (Path(sys.argv[1]) / "postmaster.pid").read_text().split()[0], flush=True)
time.sleep(600)
"""


def ask(server: PostgresServer, question: str, database: str = "postgres") -> object:
    with psycopg.connect(server.url(database)) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def pid_of(server: PostgresServer) -> int:
    return int((server.data_dir / "postmaster.pid").read_text().split()[0])


def test_starts_a_server_that_keeps_its_data_and_stops_it(short: Path) -> None:
    with PostgresServer(short / "pg", durable=False) as server:
        assert server.started
        pid = pid_of(server)
        server.ensure_database("night one")
        server.ensure_database("night one")
        with psycopg.connect(server.url("night one")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    wait_until_gone(pid)
    assert not server.started
    assert not (short / "pg" / "postmaster.pid").exists()
    assert [entry.name for entry in short.iterdir() if "part" in entry.name] == []
    with PostgresServer(short / "pg", durable=False) as again:
        assert ask(again, "SELECT value FROM kept", "night one") == 7


def test_database_url_is_understood_by_django(short: Path) -> None:
    with PostgresServer(short / "pg", durable=False) as server:
        server.ensure_database("ccatdc")
        config = environ.Env.db_url_config(server.url("ccatdc"))
        assert config["ENGINE"] == "django.db.backends.postgresql"
        with psycopg.connect(
            dbname=config["NAME"], user=config["USER"], **config["OPTIONS"]
        ) as connection:
            assert connection.info.dbname == "ccatdc"


def test_text_is_utf8_and_sorted_alike_on_every_machine(short: Path) -> None:
    with PostgresServer(short / "pg", durable=False) as server:
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(
            server, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,B,ä,a}'::text[]) x"
        ) == ("Babä")
        assert ask(server, "SELECT upper('ä')") == "Ä"


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
def test_durable_means_fsync(short: Path, durable: bool, fsync: str) -> None:
    with PostgresServer(short / "pg", durable=durable, settings={"work_mem": "5MB"}) as server:
        assert ask(server, "SHOW fsync") == fsync
        assert ask(server, "SHOW work_mem") == "5MB"
        assert ask(server, "SHOW data_checksums") == "on"


def test_a_second_start_attaches_and_its_stop_leaves_the_server_alone(short: Path) -> None:
    with PostgresServer(short / "pg", durable=False) as first:
        second = PostgresServer(short / "pg", durable=False)
        second.start()
        assert not second.started
        assert second.url("postgres") == first.url("postgres")
        second.stop()
        assert ask(first, "SELECT 1") == 1


def test_of_two_starts_at_once_one_starts_the_server(
    short: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    both = [other_process(START_AND_STAY, short / "pg") for _ in range(2)]
    (one, pid), (two, same_pid) = (first_line(process).split() for process in both)
    for process in both:
        process.kill()
    wait_until_gone(int(pid))
    assert {one, two} == {"True", "False"}
    assert pid == same_pid


def test_the_server_goes_when_its_starter_is_killed(
    short: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    starter = other_process(START_AND_STAY, short / "pg")
    pid = int(first_line(starter).split()[1])
    starter.send_signal(signal.SIGKILL)
    wait_until_gone(pid)
    with PostgresServer(short / "pg", durable=False) as server:
        assert server.started


def test_stop_does_not_wait_for_clients(short: Path) -> None:
    server = PostgresServer(short / "pg", durable=False)
    server.start()
    with psycopg.connect(server.url("postgres")) as client:
        client.execute("SELECT 1")
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 20
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    server.stop()


@pytest.mark.parametrize("name", ["with space", "with,comma", "Größe", "long-" + "x" * 150])
def test_any_name_of_the_data_folder_works(short: Path, name: str) -> None:
    with PostgresServer(short / name / "pg", durable=False) as server:
        assert ask(server, "SELECT 1") == 1
        second = PostgresServer(short / name / "pg", durable=False)
        second.start()
        assert not second.started
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    assert not server.socket_dir.exists()


def test_a_closed_folder_works_and_stays_closed(short: Path) -> None:
    closed = short / "closed"
    closed.mkdir(mode=0o700)
    before = [folder.stat().st_mode for folder in (closed, *closed.parents)]
    with PostgresServer(closed / "pg", durable=False) as server:
        assert ask(server, "SELECT 1") == 1
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
        assert server.data_dir.stat().st_uid == os.geteuid()
    assert [folder.stat().st_mode for folder in (closed, *closed.parents)] == before


def test_an_interrupted_first_start_is_made_good(short: Path) -> None:
    part = short / "pg.part"
    part.mkdir()
    (part / "PG_VERSION").write_text("18\n")
    with PostgresServer(short / "pg", durable=False) as server:
        assert ask(server, "SELECT 1") == 1
    assert not part.exists()


def test_stale_lock_files_whose_number_was_given_out_again_are_no_obstacle(short: Path) -> None:
    data = short / "pg"
    locks = [data / "postmaster.pid", data / ".s.PGSQL.5432.lock"]
    with PostgresServer(data, durable=False):
        kept = [lock.read_text().split("\n", 1)[1] for lock in locks]
    # A process that lives, is ours, and is neither the new server nor above it.
    with subprocess.Popen(["sleep", "600"]) as rival:
        for lock, rest in zip(locks, kept, strict=True):
            lock.write_text(f"{rival.pid}\n{rest}")
        try:
            with PostgresServer(data, durable=False) as server:
                assert server.started
        finally:
            rival.kill()


def test_a_folder_with_other_files_is_refused(short: Path) -> None:
    (short / "pg").mkdir()
    (short / "pg" / "letter.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="holds files") as refused:
        PostgresServer(short / "pg", durable=False).start()
    assert refused.value.code == "standalone.foreign_folder"
    assert (short / "pg" / "letter.txt").read_text() == "mine"


def test_a_folder_of_another_version_is_refused(short: Path) -> None:
    (short / "pg").mkdir()
    (short / "pg" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigurationError, match="made by PostgreSQL 15"):
        PostgresServer(short / "pg", durable=False).start()


def test_a_socket_folder_that_others_can_enter_is_refused(short: Path) -> None:
    data = short / "with space" / "pg"
    socket = socket_folder(data)
    socket.mkdir(mode=0o755)
    try:
        with pytest.raises(ConfigurationError, match="not a private folder"):
            PostgresServer(data, durable=False).start()
    finally:
        socket.rmdir()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(short: Path) -> None:
    server = PostgresServer(short / "pg", durable=False, settings={"work_mem": "nonsense"})
    with pytest.raises(WorldError, match='invalid value for parameter "work_mem"'):
        server.start()
    assert not server.started
