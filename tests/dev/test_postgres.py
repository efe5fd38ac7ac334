"""The embedded PostgreSQL: starts anywhere, is shared, and goes when its starter goes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import environ
import psycopg
import pytest

from ccatdc.common.errors import ConfigurationError, ExternalError
from ccatdc.dev.postgres import PostgresServer
from tests.dev.conftest import PROJECT, first_line, wait_until_gone

START_AND_STAY = """
import sys, time
from pathlib import Path
from ccatdc.dev.postgres import PostgresServer
server = PostgresServer(Path(sys.argv[1]), durable=False)
server.start()
print((Path(sys.argv[1]) / "postmaster.pid").read_text().split()[0], flush=True)
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
        pid = pid_of(server)
        server.ensure_database("night one")
        server.ensure_database("night one")
        with psycopg.connect(server.url("night one")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    wait_until_gone(pid)
    assert not (short / "pg" / "postmaster.pid").exists()
    assert [entry.name for entry in short.iterdir() if "part" in entry.name] == []
    with PostgresServer(short / "pg", durable=False) as again:
        assert ask(again, "SELECT value FROM kept", "night one") == 7


def test_database_url_is_understood_by_django(short: Path) -> None:
    with PostgresServer(short / "pg", durable=False) as server:
        server.ensure_database("ccatdc")
        config = environ.Env.db_url_config(server.url("ccatdc"))
        assert config["ENGINE"] == "django.db.backends.postgresql"
        with psycopg.connect(dbname=config["NAME"], user=config["USER"], **config["OPTIONS"]) as connection:
            assert connection.info.dbname == "ccatdc"


def test_text_is_utf8_and_sorted_alike_on_every_machine(short: Path) -> None:
    with PostgresServer(short / "pg", durable=False) as server:
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(server, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,B,ä,a}'::text[]) x") == ("Babä")
        assert ask(server, "SELECT upper('ä')") == "Ä"


@pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
def test_durable_means_fsync(short: Path, durable: bool, fsync: str) -> None:
    with PostgresServer(short / "pg", durable=durable, settings={"work_mem": "5MB"}) as server:
        assert ask(server, "SHOW fsync") == fsync
        assert ask(server, "SHOW work_mem") == "5MB"
        assert ask(server, "SHOW data_checksums") == "on"


def test_the_server_goes_when_its_starter_is_killed(
    short: Path, other_process: Callable[..., subprocess.Popen[str]]
) -> None:
    starter = other_process(START_AND_STAY, short / "pg")
    pid = int(first_line(starter))
    starter.send_signal(signal.SIGKILL)
    wait_until_gone(pid)
    with PostgresServer(short / "pg", durable=False) as server:
        assert ask(server, "SELECT 1") == 1


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
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    assert not server.socket_dir.exists()


def test_a_closed_folder_works_and_stays_closed(short: Path) -> None:
    closed = short / "closed"
    closed.mkdir(mode=0o700)
    before = [folder.stat().st_mode for folder in (closed, *closed.parents)]
    with PostgresServer(closed / "pg", durable=False) as server:
        assert ask(server, "SELECT 1") == 1
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    assert [folder.stat().st_mode for folder in (closed, *closed.parents)] == before


def test_an_interrupted_first_start_is_made_good(short: Path) -> None:
    part = short / "pg.part"
    part.mkdir()
    (part / "PG_VERSION").write_text("18\n")
    with PostgresServer(short / "pg", durable=False) as server:
        assert ask(server, "SELECT 1") == 1
    assert not part.exists()


def test_a_stale_lock_file_whose_number_was_given_out_again_is_no_obstacle(short: Path) -> None:
    data = short / "pg"
    lock = data / "postmaster.pid"
    with PostgresServer(data, durable=False):
        kept = lock.read_text().split("\n", 1)[1]
    # A process that lives, is ours, and is neither the new server nor above it.
    with subprocess.Popen(["sleep", "600"]) as rival:
        lock.write_text(f"{rival.pid}\n{kept}")
        try:
            with PostgresServer(data, durable=False) as server:
                assert ask(server, "SELECT 1") == 1
        finally:
            rival.kill()


def test_a_folder_with_other_files_is_refused(short: Path) -> None:
    (short / "pg").mkdir()
    (short / "pg" / "letter.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="holds files") as refused:
        PostgresServer(short / "pg", durable=False).start()
    assert refused.value.code == "dev.foreign_folder"
    assert (short / "pg" / "letter.txt").read_text() == "mine"


def test_a_folder_of_another_version_is_refused(short: Path) -> None:
    (short / "pg").mkdir()
    (short / "pg" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigurationError, match="made by PostgreSQL 15"):
        PostgresServer(short / "pg", durable=False).start()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(short: Path) -> None:
    server = PostgresServer(short / "pg", durable=False, settings={"work_mem": "nonsense"})
    with pytest.raises(ExternalError, match='invalid value for parameter "work_mem"'):
        server.start()


def test_a_folder_that_is_served_already_is_refused(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccatdc.dev.postgres._START_SECONDS", 1.0)
    with PostgresServer(short / "pg", durable=False), pytest.raises(ConfigurationError, match="already") as refused:
        PostgresServer(short / "pg", durable=False).start()
    assert refused.value.code == "dev.running"


def test_the_variables_of_a_shell_do_not_reach_it(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGSERVICE": "elsewhere", "PGHOSTADDR": "192.0.2.1", "PGOPTIONS": "-c work_mem=nonsense",
        "PGREQUIREAUTH": "scram-sha-256", "PGCHANNELBINDING": "require", "PGGSSENCMODE": "require",
        "PGTARGETSESSIONATTRS": "standby", "PGDATABASE": "elsewhere", "PGPORT": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with PostgresServer(short / "pg", durable=False) as server:
        server.ensure_database("ccatdc")


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@as_root
def test_for_root_an_ordinary_account_runs_it_in_a_closed_folder(short: Path) -> None:
    short.chmod(0o700)
    with PostgresServer(short / "pg", durable=False) as server:
        assert Path(f"/proc/{pid_of(server)}").stat().st_uid not in (0, None)
        assert ask(server, "SELECT 1") == 1
    assert stat.S_IMODE(short.stat().st_mode) == 0o700


@as_root
def test_an_ordinary_user_starts_it_and_root_later_serves_it_as_the_user(short: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ccatdc.dev.postgres import PostgresServer\n"
        "with PostgresServer(Path(sys.argv[1]), durable=False): print('up')"
    )
    os.chown(short, 65534, 65534)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    done = subprocess.run(
        [*user, "-c", code, short / "pg"], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120
    )
    if "Permission denied" in done.stderr or "ModuleNotFound" in done.stderr:
        pytest.skip("this Python or this project is closed to other users")
    assert done.stdout.strip() == "up", done.stderr
    with PostgresServer(short / "pg", durable=False) as server:
        assert Path(f"/proc/{pid_of(server)}").stat().st_uid == 65534
