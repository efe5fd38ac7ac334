"""``manage.py export_reference FOLDER``: the reference data of the database as files."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.errors import RequestError
from ccatdc.reference.export import export_reference


class Command(BaseCommand):
    """Writes what ``load_reference`` reads."""

    help = (
        "Write all reference data into a new or empty folder, as files that load_reference reads: "
        "loaded into an empty database they give the same rows."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new or empty folder")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            files = export_reference(options["folder"])
        except (RequestError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] >= 1:
            self.stdout.write(f"{len(files)} files written to {options['folder']}.")
