"""``manage.py let_in``: forget failed log-ins to an account or from an address, so that they may try again at once."""

from __future__ import annotations

from typing import Any

from axes import utils as axes
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.auth.guessing import account_key
from accounts.models import record


class Command(BaseCommand):
    """Ends the wait after too many failures."""

    help = "Let an account or an address log in again after too many failures."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="The user name of an account.")
        parser.add_argument("--address", help="An address.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Forget, and say so in the audit log."""
        user, address = options["user"], options["address"]
        if bool(user) == bool(address):
            raise CommandError("Say either --user or --address.")
        count = axes.reset(username=account_key(user)) if user else axes.reset(ip=address)
        whose = f"to {user}" if user else f"from {address}"
        record("log-in", f"Forgot {count} failed attempts {whose}.")
        self.stdout.write(f"Forgot {count} failed attempts {whose}.")
