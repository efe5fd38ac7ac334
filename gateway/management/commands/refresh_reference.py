"""``manage.py refresh_reference``: fetches the main site's reference data now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ccatdc.common.errors import CcatError
from ccatdc.common.site_role import require_gateway
from gateway.main_site import PrimarySite
from gateway.reference.refresh import refresh


class Command(BaseCommand):
    """One refresh; also the first, when a gateway is set up."""

    help = "Makes this gateway's copy of the reference data equal to the main site's."

    def handle(self, *_: Any, **__: Any) -> None:
        require_gateway()
        try:
            with PrimarySite(connections=1) as primary:
                self.stdout.write(f"{refresh(primary)}.")
        except CcatError as error:
            raise CommandError(str(error)) from error
