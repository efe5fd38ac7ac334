"""``manage.py remove_old_logs``: forget the log files of work that ended long ago. Its rows stay."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from transfer.engine.worker.logs import remove_logs
from transfer.models import Operation

_BATCH = 1000


class Command(BaseCommand):
    help = "Removes the log files of operations that ended long ago, and their names from the rows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=365, metavar="N", help="how long they are kept (default: 365)")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["days"] < 1:
            raise CommandError("--days: give at least 1.")
        before = timezone.now() - timedelta(days=options["days"])
        rows = Operation.objects.non_polymorphic().filter(finished_at__lt=before).exclude(log_path="").order_by("pk")
        removed = 0
        while found := list(rows.values_list("pk", "claims")[:_BATCH]):
            remove_logs(found)
            removed += rows.filter(pk__in=[pk for pk, _ in found]).update(log_path="")
        self.stdout.write(f"Removed the logs of {removed} operations.")
