"""``manage.py recompute_metadata [PACKAGE…]``: the metadata of packages anew, of all or of some."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datamgmt.metadata.filling import refill


class Command(BaseCommand):
    help = (
        "Compute the metadata of packages for the Virtual Observatory anew: after a source, a plan or a module was"
        " corrected, or after the rules changed. Corrections that people made stay. May be stopped and run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("packages", metavar="PACKAGE", nargs="*", help="names or ids; none: all packages")

    def handle(self, *_args: Any, **options: Any) -> None:
        result = refill(options["packages"])
        self.stdout.write(f"{result.done} packages, {result.incomplete} of them not in full.")
        if result.unknown:
            raise CommandError(f"There is no package {', '.join(result.unknown)}.")
