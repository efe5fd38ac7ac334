"""``manage.py restore FILE``: bring an empty database to what a backup has."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.backup.restoring import restore
from ccatdc.common.errors import CcatError


class Command(BaseCommand):
    help = "Restore a backup (FILE.dump) into the empty database of DATABASE_URL. Stop everything else first."
    requires_system_checks = []  # the database is empty

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            manifest = restore(options["file"])
        except CcatError as error:
            raise CommandError(f"{error} [{error.code}]") from error
        self.stdout.write(
            f"Restored: {sum(manifest.rows.values())} rows of {manifest.taken_at}. What came since: manage.py rebuild_catalogue"
            " for each archive, then start the services."
        )
