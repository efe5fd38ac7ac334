"""``manage.py run_notifications``: tells people and programs what needs attention, and sends all mails of the queue."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ccatdc.common.site_role import require_main_site
from ccatdc.notification_loop import NotificationLoop, evaluate
from notifications.models import NotificationChannel
from notifications.sending import send_waiting


class Command(BaseCommand):
    help = (
        "Compares alerts with what needs attention, writes messages by the rules, and sends them. Needs the database and "
        "the mail server or webhooks; runs anywhere, in several copies if wanted."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, then end")

    def handle(self, *_: Any, **options: Any) -> None:
        require_main_site()
        if options["once"]:
            written = evaluate()
            sent = sum(send_waiting(channel) for channel in NotificationChannel.objects.with_work())
            self.stdout.write(f"{written} messages written, {sent} sent.")
        else:
            NotificationLoop().run()
