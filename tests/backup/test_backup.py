"""A backup is what was there at one moment, comes back whole, and what happens next collides with nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg import sql

from accounts.models import SystemLog
from ccatdc.backup.backups import back_up, last_verified, require_whole, verify
from ccatdc.backup.programs import run
from ccatdc.backup.restoring import SKIPPED_CLAIMS, SKIPPED_OPERATIONS
from ccatdc.common.errors import ConfigurationError, DataIntegrityError, ExternalError, RequestError
from ccatdc.dev.postgres import program_folder
from datamgmt.models import RawDataFile
from tests.factories.accounts import UserFactory
from tests.factories.datamgmt import RawDataFileFactory
from tests.factories.transfer import LocationCheckFactory, VerificationFactory
from transfer.models import Operation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def programs(settings: Any) -> None:
    settings.PG_BIN = str(program_folder())


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The name of one on the same server."""
    name = f"restored_{uuid4().hex[:12]}"
    _on_server(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield name
    _on_server(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _reach(database: str) -> psycopg.Connection[Any]:
    parameters = connection.get_connection_params()
    for name in ("context", "cursor_factory", "prepare_threshold"):
        parameters.pop(name, None)
    return psycopg.connect(**{**parameters, "dbname": database}, autocommit=True)


def _on_server(statement: sql.Composed) -> None:
    with _reach("postgres") as server:
        server.execute(statement)


def _scratch_databases() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'ccatdc_verify_%'")
        return {name for (name,) in cursor.fetchall()}


def restored(dump: Path, database: str) -> subprocess.CompletedProcess[str]:
    """``manage.py restore``, as an operator runs it."""
    url = urlsplit(os.environ["DATABASE_URL"])
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit(url._replace(path=f"/{database}")),
        "DJANGO_SETTINGS_MODULE": "ccatdc.settings.test",
        "CCATDC_PG_BIN": str(program_folder()),
    }
    return subprocess.run(
        [sys.executable, "manage.py", "restore", str(dump)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def in_database(name: str, statement: str) -> Any:
    with _reach(name) as database:
        row = database.execute(sql.SQL(statement)).fetchone()
        return row[0] if row else None


def test_a_backup_comes_back_with_every_row(tmp_path: Path, empty_database: str) -> None:
    file = RawDataFileFactory.create(relative_path="run1/ü\n$(x).fits")
    dump = back_up(tmp_path)
    RawDataFile.objects.all().delete()
    done = restored(dump, empty_database)
    assert done.returncode == 0, done.stderr
    assert in_database(empty_database, "SELECT relative_path FROM raw_data_file") == file.relative_path
    assert "Restored: " in done.stdout
    assert RawDataFile.objects.count() == 0


def test_what_happens_next_uses_no_name_that_may_have_been_used_since(tmp_path: Path, empty_database: str) -> None:
    check, reading = LocationCheckFactory.create(), VerificationFactory.create(completed=True)
    dump = back_up(tmp_path)
    assert restored(dump, empty_database).returncode == 0
    next_number = in_database(empty_database, "SELECT nextval(pg_get_serial_sequence('operation', 'id'))")
    assert next_number > max(check.pk, reading.pk) + SKIPPED_OPERATIONS
    claims = "SELECT claims FROM operation WHERE id = "
    assert in_database(empty_database, f"{claims}{check.pk}") == check.claims + SKIPPED_CLAIMS
    assert in_database(empty_database, f"{claims}{reading.pk}") == reading.claims


def test_after_a_recovery_by_other_means_names_are_skipped_by_hand() -> None:
    check = LocationCheckFactory.create()
    call_command("skip_used_names", stdout=StringIO())
    assert VerificationFactory.create().pk > check.pk + SKIPPED_OPERATIONS
    assert Operation.objects.get(pk=check.pk).claims == check.claims + SKIPPED_CLAIMS


def test_the_rules_of_the_database_come_back_too(tmp_path: Path, empty_database: str) -> None:
    UserFactory.create(username="vera")
    assert restored(back_up(tmp_path), empty_database).returncode == 0
    count = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal"
    assert in_database(empty_database, count) == in_database(connection.settings_dict["NAME"], count) > 10


def test_it_is_of_one_moment_though_rows_come_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(program: str, *arguments: str, **options: Any) -> None:
        in_database(
            connection.settings_dict["NAME"],
            "INSERT INTO system_log (timestamp, level, component, message, context, object_type, object_id)"
            " VALUES (now(), 'info', 'test', 'meanwhile', '{}', '', '') RETURNING id",
        )
        run(program, *arguments, **options)

    monkeypatch.setattr("ccatdc.backup.backups.run", slowly)
    dump = back_up(tmp_path)
    monkeypatch.undo()
    assert SystemLog.objects.filter(message="meanwhile").count() == 1
    assert verify(dump).rows["system_log"] == 0


def test_nothing_is_restored_over_tables(tmp_path: Path) -> None:
    dump = back_up(tmp_path)
    with pytest.raises(CommandError, match=r"has \d+ tables.*backup.not_empty"):
        call_command("restore", dump)


def test_verifying_leaves_a_line_and_no_database(tmp_path: Path) -> None:
    before = _scratch_databases()
    out = StringIO()
    call_command("backup", tmp_path, stdout=out)
    assert out.getvalue().endswith(" verified.\n")
    assert _scratch_databases() == before
    taken_at = last_verified()
    assert taken_at is not None
    assert timezone.now() - taken_at < timedelta(minutes=1)


def test_without_verifying_it_counts_for_nothing(tmp_path: Path) -> None:
    out = StringIO()
    call_command("backup", tmp_path, "--no-verify", stdout=out)
    assert out.getvalue().endswith("not verified.\n")
    assert last_verified() is None


def test_a_damaged_backup_is_refused_before_anything_is_done(tmp_path: Path, empty_database: str) -> None:
    dump = back_up(tmp_path)
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    with pytest.raises(DataIntegrityError, match="its manifest says"):
        require_whole(dump)
    done = restored(dump, empty_database)
    assert done.returncode == 1
    assert "backup.damaged" in done.stderr
    assert in_database(empty_database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0


def test_a_backup_with_other_rows_than_its_manifest_is_not_verified(tmp_path: Path) -> None:
    dump = back_up(tmp_path)
    manifest = json.loads(dump.with_suffix(".json").read_text())
    manifest["rows"]["raw_data_file"] = 7
    dump.with_suffix(".json").write_text(json.dumps(manifest))
    before = _scratch_databases()
    with pytest.raises(DataIntegrityError, match="raw_data_file: 0, not 7"):
        verify(dump)
    assert _scratch_databases() == before
    assert last_verified() is None


def test_one_without_a_manifest_is_none(tmp_path: Path) -> None:
    dump = back_up(tmp_path)
    dump.with_suffix(".json").unlink()
    with pytest.raises(RequestError, match="no manifest"):
        require_whole(dump)


def test_the_newest_are_kept_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    folder = tmp_path / "backups"
    taken = [back_up(folder, keep=2) for _ in range(3)]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        name for dump in taken[1:] for name in (dump.name, dump.with_suffix(".json").name)
    )
    assert (taken[2].stat().st_mode & 0o077, folder.stat().st_mode & 0o077) == (0, 0)


def test_a_program_that_fails_leaves_nothing_and_says_why(tmp_path: Path, settings: Any) -> None:
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\nfor a; do case $a in --file=*) echo x > "${a#--file=}";; esac; done\necho no room >&2\nexit 3\n'
    )
    program.chmod(0o755)
    settings.PG_BIN = str(program.parent)
    with pytest.raises(ExternalError, match="ended with 3: no room"):
        back_up(tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []
    settings.PG_BIN = str(tmp_path)
    with pytest.raises(ConfigurationError, match="There is no pg_dump"):
        back_up(tmp_path / "backups")


def test_the_first_page_says_that_none_was_verified_lately(tmp_path: Path, settings: Any, operator: Client) -> None:
    said = "No backup of it was verified"
    assert said not in operator.get("/portal/").content.decode()
    settings.BACKUP_MAX_AGE_HOURS = 26
    assert said in operator.get("/portal/").content.decode()
    verify(back_up(tmp_path))
    assert said not in operator.get("/portal/").content.decode()
    settings.BACKUP_MAX_AGE_HOURS = 1e-9
    assert f"{said} in" in operator.get("/portal/").content.decode()
