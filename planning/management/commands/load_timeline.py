"""``manage.py load_timeline FILE``: the planner's night becomes slots, as ``POST /api/timeline`` makes them."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.errors import CcatError
from planning.scheduling.ecsv import read_ecsv
from planning.scheduling.timelines import accept_timeline, telescope_named


class Command(BaseCommand):
    help = "Plan the blocks of a timeline (ECSV). The same file again changes nothing; another one of the plan replaces it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--plan", required=True, help="names the timeline")
        parser.add_argument("--program", required=True, help="of the science blocks: its short name")
        parser.add_argument("--calibration-program", required=True, help="of the calibrations")
        parser.add_argument("--telescope", default="", help="short name; default: the only one")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            text = options["file"].read_text("utf-8")
            blocks = read_ecsv(text, options["program"], options["calibration_program"])
            done = accept_timeline(options["plan"], telescope_named(options["telescope"]), blocks, None)
        except (OSError, UnicodeDecodeError, CcatError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{done.plan}: {done.created} slots are new, {done.unchanged} as before, {done.replaced} replaced;"
            f" {done.obs_units_created} obs units are new."
        )
