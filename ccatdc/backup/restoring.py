"""Restoring a backup into an empty database, so that what happens next collides with nothing that happened since it was taken."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from django.db import connection, transaction
from django.db.models import F, Max

from ccatdc.backup.backups import RESTORE, Manifest, count_rows, require_rows, require_whole
from ccatdc.backup.programs import run
from ccatdc.common.errors import ConflictError
from transfer.models import Operation

#: Numbers of operations, and of claims of one, that may have been used since the backup was taken.
SKIPPED_OPERATIONS: Final = 10_000_000
SKIPPED_CLAIMS: Final = 1000


def restore(dump: Path) -> Manifest:
    """Bring the empty database of DATABASE_URL to what the backup has. All or nothing.

    Names in stores hold the number and the claim of the operation that wrote them, and are used once. Since the backup
    was taken the numbers after it were used: they are skipped, so that no new work writes under a name that exists.

    Raises ConflictError when the database has tables, DataIntegrityError when the backup is damaged.
    """
    manifest = require_whole(dump)
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    if tables:
        raise ConflictError(
            f"The database {connection.settings_dict['NAME']} has {len(tables)} tables.",
            code="backup.not_empty",
            remedy="Make an empty one (createdb), and name it with DATABASE_URL.",
        )
    run("pg_restore", *RESTORE, f"--dbname={connection.settings_dict['NAME']}", str(dump))
    connection.ensure_connection()
    assert connection.connection is not None  # noqa: S101  it was just made
    require_rows(manifest, count_rows(connection.connection, manifest.rows))
    skip_used_names()
    return manifest


def skip_used_names() -> None:
    """Have nothing write under a name that work used which this database does not know of. After every recovery to a
    moment in the past, before anything is started.
    """
    operations = Operation.objects.non_polymorphic()
    with transaction.atomic(), connection.cursor() as cursor:
        last = operations.aggregate(last=Max("pk"))["last"] or 0
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [Operation._meta.db_table, last + SKIPPED_OPERATIONS]
        )
        operations.open().update(claims=F("claims") + SKIPPED_CLAIMS)
