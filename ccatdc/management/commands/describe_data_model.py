"""``manage.py describe_data_model docs``: the models as a document with pictures."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ccatdc.data_model import files


class Command(BaseCommand):
    """Writes data-model.md and data-model/*.svg; needs no database."""

    help = "Write data-model.md and its pictures into a folder (docs), from the models."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to: docs")

    def handle(self, *_args: Any, **options: Any) -> None:
        for name, text in files().items():
            file = options["folder"] / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
