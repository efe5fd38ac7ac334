"""``manage.py register_location NAME…``: mark a disk or bucket as the place of a location."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.errors import CcatError
from datamgmt.models import DataLocation, S3DataLocation
from datamgmt.storage.registration import register


class Command(BaseCommand):
    """Registers each location for itself: one that fails does not hold up the others."""

    help = (
        "Register data locations: write the marker that proves which location a root folder or "
        "bucket is, and probe what an S3 server verifies. Run it on a host that sees the place."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="SITE_LOCATION", help="full names")
        parser.add_argument("--all", action="store_true", help="all active locations")
        parser.add_argument("--create", action="store_true", help="make the root folder or bucket if it is missing")
        parser.add_argument(
            "--replace-marker", action="store_true", help="the place was registered before and is now a new, empty one"
        )

        parser.add_argument(
            "--as-marked",
            action="store_true",
            help="the place is older than this catalogue: take over the UUID of its marker, if that has the same name",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if bool(options["names"]) == options["all"]:
            raise CommandError("Give the names of locations, or --all for all active ones.")
        locations = _all_active() if options["all"] else [_named(n) for n in options["names"]]
        failures = []
        for location in locations:
            before = location.registered_at
            try:
                register(
                    location,
                    create=options["create"],
                    replace_marker=options["replace_marker"],
                    as_marked=options["as_marked"],
                )
            except CcatError as error:
                failures.append(f"{location.full_name}: {error} [{error.code}]")
                continue
            if options["verbosity"] >= 1:
                done = "was registered, all is well" if location.registered_at == before else ("registered")
                self.stdout.write(f"{location.full_name}: {done}{_proofs(location)}")
        if failures:
            raise CommandError("\n".join(failures))


def _all_active() -> list[DataLocation]:
    return list(DataLocation.objects.active().with_site())


def _named(full_name: str) -> DataLocation:
    location: DataLocation | None = DataLocation.objects.named(full_name).with_site().first()
    if location is None:
        known = ", ".join(sorted(row.full_name for row in DataLocation.objects.with_site()))
        raise CommandError(f"There is no location {full_name}. There are: {known or 'none'}.")
    return location


def _proofs(location: DataLocation) -> str:
    if not isinstance(location, S3DataLocation):
        return ""
    refused = ", ".join(location.refused_checksums) or "nothing: everything is read back"
    return f"; the server verifies {refused}"
