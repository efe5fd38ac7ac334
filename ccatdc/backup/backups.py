"""Taking a backup: one file of pg_dump, and beside it a manifest that says what must come out of it.

``ccatdc-<time>.dump`` and ``ccatdc-<time>.json``. The dump and the numbers of rows in the manifest are of one snapshot. The
dump appears whole: written under a temporary name, synced, renamed; the manifest comes last. A backup is verified when it
was restored into a database of its own and had the rows; when that was is in the audit log, and the first page says
when it is long ago.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
from django.db import connection, transaction
from psycopg import sql

from accounts.models import SystemLog
from ccatdc.backup.programs import run
from ccatdc.common.errors import DataIntegrityError, RequestError
from datamgmt.checksums import digest_stream

SUFFIX: Final = ".dump"
#: How many backups a folder keeps.
KEPT: Final = 14
#: How an entry of the audit log about a verified backup is found.
_ABOUT: Final = {"object_type": "backup", "object_id": "verified"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is, and what must come out of it: rows by table, the last migration of each app."""

    taken_at: str
    size: int
    digest: str
    rows: dict[str, int]
    migrations: dict[str, str]

    @classmethod
    def of(cls, dump: Path) -> Manifest:
        """The manifest beside a dump. Raises RequestError when there is none."""
        try:
            return cls(**json.loads(dump.with_suffix(".json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise RequestError(
                f"{dump} has no manifest that can be read: {error}",
                code="backup.damaged",
                remedy="A backup is a .dump and a .json of the same name: name the .dump.",
            ) from error


def back_up(folder: Path, *, keep: int = KEPT) -> Path:
    """Take a backup; the path of the dump. Older ones than the newest ``keep`` are removed afterwards."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    moment = datetime.now(UTC)
    dump = folder / f"ccatdc-{moment:%Y%m%dT%H%M%S%fZ}{SUFFIX}"
    part = dump.with_name(f"{dump.name}.part")
    try:
        with _snapshot() as (snapshot, rows, migrations):
            run(
                "pg_dump",
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={snapshot}",
                f"--file={part}",
            )
        part.chmod(0o600)
        size, digest = _digest(part)
        _sync(part)
        part.rename(dump)
    finally:
        part.unlink(missing_ok=True)
    manifest = Manifest(moment.isoformat(), size, digest, rows, migrations)
    _write(dump.with_suffix(".json"), json.dumps(asdict(manifest), indent=1))
    for old in sorted(folder.glob(f"ccatdc-*{SUFFIX}"))[: -max(1, keep)]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()
    return dump


def require_whole(dump: Path) -> Manifest:
    """The manifest of a dump that has its digest. Raises DataIntegrityError for one that has not."""
    manifest = Manifest.of(dump)
    found = _digest(dump)
    if found != (manifest.size, manifest.digest):
        raise DataIntegrityError(
            f"{dump} has {found[0]} bytes, {found[1]}; its manifest says {manifest.size} bytes, {manifest.digest}.",
            code="backup.damaged",
            remedy="Use another backup.",
        )
    return manifest


def verify(dump: Path) -> Manifest:
    """Restore a backup into a database of its own on the same server, count its rows, and drop that again.

    Needs the right to create databases. Raises DataIntegrityError when it has not the rows.
    """
    manifest = require_whole(dump)
    name = f"ccatdc_verify_{uuid4().hex[:16]}"
    run("createdb", name)
    try:
        run("pg_restore", *RESTORE, f"--dbname={name}", str(dump), database=name)
        with psycopg.connect(**_parameters(name)) as scratch:
            require_rows(manifest, count_rows(scratch, manifest.rows))
    finally:
        run("dropdb", "--if-exists", name)
    SystemLog.objects.create(
        component="backup",
        message=f"Verified by restoring it: {dump.name}, {sum(manifest.rows.values())} rows.",
        context={"taken_at": manifest.taken_at, "size": manifest.size, "digest": manifest.digest},
        **_ABOUT,
    )
    return manifest


#: All of it or nothing, whoever owned it.
RESTORE: Final = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments")


def last_verified() -> datetime | None:
    """When the newest verified backup was taken; None without any."""
    found = SystemLog.objects.filter(**_ABOUT).order_by("-timestamp").values_list("context", flat=True).first()
    return datetime.fromisoformat(found["taken_at"]) if found else None


def count_rows(database: psycopg.Connection[Any], tables: Any) -> dict[str, int]:
    """Rows of each table."""
    found = {}
    for table in tables:
        (count,) = database.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone() or (0,)
        found[table] = count
    return found


def require_rows(manifest: Manifest, found: dict[str, int]) -> None:
    """Raises DataIntegrityError when what was restored has other rows than the manifest names."""
    wrong = [
        f"{name}: {found.get(name)}, not {count}" for name, count in manifest.rows.items() if found.get(name) != count
    ]
    if wrong:
        raise DataIntegrityError(
            f"What was restored has other rows: {'; '.join(wrong[:10])}.",
            code="backup.damaged",
            remedy="Use another backup.",
        )


@contextmanager
def _snapshot() -> Iterator[tuple[str, dict[str, int], dict[str, str]]]:
    """One view of the database for the dump and for the numbers beside it."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        cursor.execute("SELECT app, max(name) FROM django_migrations GROUP BY app")
        migrations = dict(cursor.fetchall())
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        assert connection.connection is not None  # noqa: S101  a transaction is open
        yield snapshot, count_rows(connection.connection, sorted(tables)), migrations


def _parameters(database: str) -> dict[str, Any]:
    place = connection.get_connection_params()
    left_out = {"context", "cursor_factory", "prepare_threshold", "dbname"}
    return {**{name: value for name, value in place.items() if name not in left_out}, "dbname": database}


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as stream:
        return digest_stream(stream)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    _sync(part)
    part.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
