"""``manage.py run_location <site>_<location>…``: the workers of one or more locations."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.errors import CcatError
from ccatdc.common.site_role import require_main_site
from transfer.engine.database import when_it_answers
from transfer.engine.processes.supervisor import Supervisor
from transfer.engine.queue import location_named


class Command(BaseCommand):
    """Serve all queues of the named locations until stopped."""

    help = (
        "Runs the workers of one or more locations, on a machine that reaches their storage. "
        "SIGTERM or Ctrl-C: running operations are given back; twice: killed."
    )
    # The checks need every app's pages; a worker starts without them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Names, and how many workers for each."""
        parser.add_argument("locations", nargs="+", metavar="SITE_LOCATION", help="exact names, as list_queues has")
        parser.add_argument(
            "--workers",
            type=int,
            default=int(settings.Q_CLUSTER["workers"]),
            metavar="N",
            help="operations at a time at each location (default: CCATDC_WORKERS, else 1)",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        require_main_site()
        if options["workers"] < 1:
            raise CommandError("--workers: give at least 1.")
        try:
            names = dict.fromkeys(options["locations"])
            locations = when_it_answers("find the locations", lambda: [location_named(name) for name in names])
        except CcatError as error:
            raise CommandError(str(error)) from error
        Supervisor(locations, options["workers"]).run()
