"""``manage.py load_weather STATION FILE…``: store what files of a weather archive hold, as ``POST /api/weather`` does."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import record
from ccatdc.common.errors import CcatError
from planning.scheduling.timelines import telescope_named
from planning.weather.archive import read_archive
from planning.weather.samples import MAX_SAMPLES, take_samples


class Command(BaseCommand):
    """Reads files one after the other, and prints for each what changed."""

    help = (
        "Load samples of a weather station from CSV files: with names in the first line, or as the logger of Cerro"
        " Chajnantor wrote them. Running it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("station", help="which instrument measured: letters, digits, - and _")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--telescope", default="", help="where it is: short name; default: the only one")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not re.fullmatch(r"[-\w]{1,32}", options["station"], re.ASCII):
            raise CommandError("The name of a station has at most 32 letters, digits, - and _.")
        for file in options["files"]:
            try:
                line = _load(file, options["station"], options["telescope"])
            except (OSError, UnicodeDecodeError, CcatError) as error:
                raise CommandError(f"{file}: {error}") from error
            self.stdout.write(f"{file}: {line}")
            record("load_weather", f"Loaded weather of {options['station']} from {file.name}: {line}")


def _load(file: Path, station: str, telescope: str) -> str:
    where = telescope_named(telescope)
    with file.open(encoding="utf-8", newline="") as lines:
        archive = read_archive(lines)
    samples = archive.samples
    parts = (samples[start : start + MAX_SAMPLES] for start in range(0, len(samples), MAX_SAMPLES))
    taken = [take_samples(where, station, part) for part in parts]
    stored, unchanged = sum(each.stored for each in taken), sum(each.unchanged for each in taken)
    text = (
        f"{stored} samples stored, {unchanged} were there, {sum(each.executions for each in taken)} executions changed."
    )
    if archive.left_out:
        text += f" Left out as impossible: {', '.join(f'{n} of {name}' for name, n in archive.left_out.items())}."
    return text
