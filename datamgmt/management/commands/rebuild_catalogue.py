"""``manage.py rebuild_catalogue SITE_LOCATION``: the catalogue from an archive alone."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.errors import CcatError
from datamgmt.models import DataLocation
from datamgmt.rebuilding.catalogue import Rebuilt, rebuild


class Command(BaseCommand):
    help = (
        "Bring every package of a long-term archive into the catalogue, from the sidecars beside them: observatory,"
        " programs, obs units, executions, packages, files and the archive's copies. What is here already stays as it"
        " is, so that it can be run again. The copies are unverified until stage 90 has read them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="SITE_LOCATION", help="full name of an archive that is registered")

    def handle(self, *_args: Any, **options: Any) -> None:
        location = DataLocation.objects.named(options["name"]).with_site().first()
        if location is None:
            raise CommandError(f"There is no location {options['name']}.")
        try:
            result = rebuild(location)
        except CcatError as error:
            raise CommandError(f"{error} [{error.code}]") from error
        self._say(result)

    def _say(self, result: Rebuilt) -> None:
        self.stdout.write(
            f"{result.packages} packages, {result.files} files, {result.copies} copies and {result.rows} other rows came;"
            f" {result.known} packages were here already."
        )
        for name in sorted(result.made):
            self.stdout.write(f"{name}: made and switched off; a sidecar has its name only. Give it its path.")
        if result.bad:
            more = result.bad - len(result.problems)
            lines = [*result.problems, *([f"and {more} more"] if more else [])]
            raise CommandError(f"{result.bad} sidecars gave nothing, or not all:\n" + "\n".join(lines))
