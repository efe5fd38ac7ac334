"""``manage.py run_managers``: every stage's scan, dispatch and the watchdog in one process."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.site_role import require_main_site
from transfer.managers.loop import ManagerLoop
from transfer.managers.resend import ResendManager
from transfer.managers.retries import RetryManager
from transfer.managers.slots import SlotManager
from transfer.pipeline import PIPELINE


class Command(BaseCommand):
    help = (
        "Runs the managers: they find work and write operations. They need the database and no "
        "data; they may run anywhere, in several copies."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="stages, resend, retry or slots (default: all)")
        parser.add_argument("--once", action="store_true", help="one pass, then end")

    def handle(self, *_: Any, **options: Any) -> None:
        require_main_site()
        known = {stage.name: stage.load_manager() for stage in PIPELINE}
        known |= {manager.name: manager for manager in (ResendManager, RetryManager, SlotManager)}
        unknown = [name for name in options["names"] if name not in known]
        if unknown:
            raise CommandError(f"There is no stage {', '.join(unknown)}. There are: {', '.join(known)}.")
        chosen = [name for name in known if name in options["names"]] or list(known)
        service = "managers" if len(chosen) == len(known) else f"managers {' '.join(chosen)}"
        loop = ManagerLoop([known[name]() for name in chosen], service=service)
        if options["once"]:
            found = loop.run_pass()
            self.stdout.write(f"Found {found} pieces of work.")
        else:
            loop.run()
