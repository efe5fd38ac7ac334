"""``manage.py skip_used_names``: after a recovery that ``manage.py restore`` did not do."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.models import record
from ccatdc.backup.restoring import skip_used_names


class Command(BaseCommand):
    help = (
        "After a recovery to a moment in the past (point-in-time recovery): have no new work write under a name that was used"
        " since. manage.py restore does it by itself."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        skip_used_names()
        record("backup", "Names that may have been used since the moment of the recovery are skipped.")
        self.stdout.write("Done. Now manage.py rebuild_catalogue for each archive, then start the services.")
