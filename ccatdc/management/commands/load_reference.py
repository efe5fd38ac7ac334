"""``manage.py load_reference FOLDER…``: bring the database to what the reference files say.

``--timeline FILE`` plans a night too, by the functions that ``POST /api/timeline`` calls.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import record
from ccatdc.common.errors import CcatError
from ccatdc.reference.load.loader import Change, Report, load_reference
from planning.api.timeline_views import EcsvQuestion
from planning.scheduling.ecsv import MAX_BYTES, read_ecsv
from planning.scheduling.timelines import Accepted, accept_timeline, telescope_named


class Command(BaseCommand):
    """Reads files, prints what changed, writes one entry of the audit log when something did."""

    help = (
        "Load reference data (observatory, programs, sources, sites, locations, routes) from YAML, "
        "CSV and KOSMA files. All or nothing; running it again changes nothing. What an operator decides from "
        "day to day (active, priority, thresholds, retention) is set when a row is made only. "
        "A timeline of the scheduler (ECSV) can be loaded after the folders, or alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "folders",
            nargs="*",
            type=Path,
            metavar="FOLDER",
            help="folder of reference files; fields in later folders override those in earlier ones",
        )
        parser.add_argument("--dry-run", action="store_true", help="print the difference and store nothing")
        timeline = parser.add_argument_group(
            "a timeline", "what an ECSV does not say is told by these, all but the last"
        )
        timeline.add_argument(
            "--timeline", type=Path, metavar="FILE", help="the night or week that the scheduler wrote"
        )
        timeline.add_argument("--plan", default="", help="names the timeline: another one of this name replaces it")
        timeline.add_argument("--program", default="", help="of the science blocks: its short name")
        timeline.add_argument("--calibration-program", default="", help="of the calibrations")
        timeline.add_argument("--telescope", default="", help="short name; default: the only one")

    def handle(self, *_args: Any, **options: Any) -> None:
        folders, file, dry_run = options["folders"], options["timeline"], options["dry_run"]
        if not folders and file is None:
            raise CommandError("Name a folder of reference files, or a timeline.")
        try:
            with transaction.atomic():
                # The timeline may need what the folders bring, in a dry run too.
                report = load_reference(folders) if folders else Report()
                accepted = None if file is None else _planned(file, options)
                transaction.set_rollback(dry_run)
        except (OSError, UnicodeDecodeError, CcatError) as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] >= 1:
            self._print(report, accepted, thorough=options["verbosity"] >= 2, folders=bool(folders), dry_run=dry_run)
        if report.changes and not dry_run:
            record(
                "load_reference",
                f"Loaded reference data: {_summary(report)}",
                folders=[str(folder) for folder in folders],
                changed=[f"{change.section} {change.name}" for change in report.changes],
            )

    def _print(
        self, report: Report, accepted: Accepted | None, *, thorough: bool, folders: bool, dry_run: bool
    ) -> None:
        for change in report.changes:
            self.stdout.write(_line(change))
        if thorough:
            for name, field, stored, written in report.left_alone:
                self.stdout.write(f"kept     {name}: {field} is {stored}, the file says {written} (operational)")
        if folders:
            self.stdout.write(_summary(report))
        if accepted is not None:
            self.stdout.write(
                f"{accepted.plan}: {accepted.created} slots are new, {accepted.unchanged} as before, {accepted.replaced}"
                f" replaced; {accepted.obs_units_created} obs units are new."
            )
        if dry_run and (report.changes or (accepted and (accepted.created or accepted.replaced))):
            self.stdout.write("This was a dry run: nothing was stored.")


def _planned(file: Path, options: dict[str, Any]) -> Accepted:
    names = ("plan", "program", "calibration_program", "telescope")
    asked = EcsvQuestion(data={name: options[name] for name in names})
    if not asked.is_valid():
        wrong = (f"--{name.replace('_', '-')}: {' '.join(reasons)}" for name, reasons in asked.errors.items())
        raise CommandError(" ".join(wrong))
    if file.stat().st_size > MAX_BYTES:
        raise CommandError(f"{file}: a timeline has at most {MAX_BYTES} bytes.")
    said: dict[str, Any] = dict(asked.validated_data)
    blocks = read_ecsv(file.read_text("utf-8"), said["program"], said["calibration_program"])
    return accept_timeline(said["plan"], telescope_named(said["telescope"]), blocks, None)


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
