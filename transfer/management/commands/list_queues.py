"""``manage.py list_queues``: the queues of every active location."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from transfer.engine.queue import all_queues


class Command(BaseCommand):
    """Print the queues: one line each, in the order of the flow."""

    help = "Lists the queues of every active location, one line each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Narrow down, or print for programs."""
        parser.add_argument("--site", help="only of this site (short name)")
        parser.add_argument("--location", help="only of this location (<site>_<location> or name)")
        parser.add_argument("--json", action="store_true", help="as one JSON document")

    def handle(self, *_: Any, **options: Any) -> None:
        """Queues are derived from rows and the table of stages; nothing is stored."""
        found: dict[str, list[str]] = {}
        for location, queue in all_queues():
            if options["site"] and location.site.short_name != options["site"]:
                continue
            if options["location"] and options["location"] not in (location.full_name, location.name):
                continue
            found.setdefault(location.full_name, []).append(queue)
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2))
            return
        for queues in found.values():
            for queue in queues:
                self.stdout.write(queue)
