"""``manage.py describe_data_model > docs/data-model.md``: the models as a document."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ccatdc.data_model import document


class Command(BaseCommand):
    """Prints Markdown; needs no database."""

    help = "Print docs/data-model.md, written from the models."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(document(), ending="")
