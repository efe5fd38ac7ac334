"""``manage.py run_gateway``: sends what was filed at the telescope to the main site."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.errors import CcatError
from ccatdc.common.site_role import require_gateway
from gateway.loop import GatewayLoop
from gateway.main_site import PrimarySite


class Command(BaseCommand):
    help = (
        "Sends what was filed at this gateway to the main site, in order, and keeps the reference "
        "data fresh. Needs CCATDC_SITE_ROLE=gateway; several copies may run."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="send what can be sent, then end")

    def handle(self, *_: Any, **options: Any) -> None:
        require_gateway()
        threads = settings.GATEWAY_CONNECTIONS
        try:
            with PrimarySite(connections=threads) as primary:
                loop = GatewayLoop(primary, threads=threads)
                if options["once"]:
                    loop.run_pass()
                else:
                    loop.run()
        except CcatError as error:
            raise CommandError(str(error)) from error
