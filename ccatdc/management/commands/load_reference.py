"""``manage.py load_reference FOLDER…``: bring the database to what the reference files say."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import record
from ccatdc.common.errors import RequestError
from ccatdc.reference.load.loader import Change, Report, load_reference


class Command(BaseCommand):
    """Reads files, prints what changed, writes one entry of the audit log when something did."""

    help = (
        "Load reference data (observatory, programs, sources, sites, locations, routes) from YAML, "
        "CSV and KOSMA files. All or nothing; running it again changes nothing. What an operator decides from "
        "day to day (active, priority, thresholds, retention) is set when a row is made only."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "folders",
            nargs="+",
            type=Path,
            metavar="FOLDER",
            help="folder of reference files; fields in later folders override those in earlier ones",
        )
        parser.add_argument("--dry-run", action="store_true", help="print the difference and store nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        folders, dry_run = options["folders"], options["dry_run"]
        try:
            report = load_reference(folders, dry_run=dry_run)
        except RequestError as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] >= 1:
            self._print(report, dry_run=dry_run, thorough=options["verbosity"] >= 2)
        if report.changes and not dry_run:
            record(
                "load_reference",
                f"Loaded reference data: {_summary(report)}",
                folders=[str(folder) for folder in folders],
                changed=[f"{change.section} {change.name}" for change in report.changes],
            )

    def _print(self, report: Report, *, dry_run: bool, thorough: bool) -> None:
        for change in report.changes:
            self.stdout.write(_line(change))
        if thorough:
            for name, field, stored, written in report.left_alone:
                self.stdout.write(f"kept     {name}: {field} is {stored}, the file says {written} (operational)")
        self.stdout.write(_summary(report))
        if dry_run and report.changes:
            self.stdout.write("This was a dry run: nothing was stored.")


def _line(change: Change) -> str:
    if change.added:
        return f"added    {change.section} {change.name}"
    differences = ", ".join(f"{name} {old} -> {new}" for name, old, new in change.differences)
    return f"changed  {change.section} {change.name}: {differences}"


def _summary(report: Report) -> str:
    if not report.changes:
        return f"Nothing changed: all {report.unchanged} rows are as the files say."
    added = sum(change.added for change in report.changes)
    return f"{added} added, {len(report.changes) - added} changed, {report.unchanged} as they were."
