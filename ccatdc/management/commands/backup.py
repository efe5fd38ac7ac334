"""``manage.py backup FOLDER``: a backup of the database, verified by restoring it."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.backup.backups import KEPT, back_up, verify
from ccatdc.common.errors import CcatError


class Command(BaseCommand):
    help = "Take a backup of the database with pg_dump, with a manifest of its rows and its digest beside it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="on another disk than the database")
        parser.add_argument("--keep", type=int, default=KEPT, help="how many the folder keeps (default %(default)s)")
        parser.add_argument(
            "--no-verify", action="store_true", help="do not restore it into a database of its own to count its rows"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            dump = back_up(options["folder"], keep=options["keep"])
            verified = not options["no_verify"] and verify(dump)
        except CcatError as error:
            raise CommandError(f"{error} [{error.code}]") from error
        self.stdout.write(f"{dump}: {dump.stat().st_size:,} bytes, {'verified' if verified else 'not verified'}.")
