"""Which of the two sites a process is for: the data center, or a gateway at the telescope."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import CommandError


def require_main_site() -> None:
    """CommandError at a gateway: managers and workers would find nothing that they may touch."""
    if settings.SITE_ROLE != "primary":
        raise CommandError(
            "This is a site gateway (CCATDC_SITE_ROLE=gateway): managers and workers run at the "
            "main site. Here runs: manage.py run_gateway"
        )


def require_gateway() -> None:
    """CommandError at the main site."""
    if settings.SITE_ROLE != "gateway":
        raise CommandError("This is the main site: CCATDC_SITE_ROLE is not gateway.")
