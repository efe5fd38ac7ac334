"""``manage.py describe_data_model docs``: the models as a document with diagrams."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from ccatdc.data_model import document


class Command(BaseCommand):
    help = "Write data-model.md into a folder (docs), from the models."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to: docs")

    def handle(self, *_args: Any, **options: Any) -> None:
        (options["folder"] / "data-model.md").write_text(document(), encoding="utf-8")
