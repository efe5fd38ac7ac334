"""What differs at a site gateway (CCATDC_SITE_ROLE=secondary), taken into ccatdc/settings.py at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def at_gateway(apps: Sequence[str], look: Mapping[str, Any]) -> dict[str, Any]:
    """Other addresses, another portal, and passwords only: there may be no internet."""
    portal = {"ccatdc.portal.PortalAdminConfig": "ccatdc.secondary_portal.GatewayPortalConfig"}
    sidebar = {**look["SIDEBAR"], "navigation": "ccatdc.secondary_portal.navigation"}
    return {
        "ROOT_URLCONF": "ccatdc.secondary_urls",
        "INSTALLED_APPS": [portal.get(app, app) for app in apps],
        "AUTHENTICATION_BACKENDS": ["gateway.rights.GatewayBackend"],
        "UNFOLD": {**look, "SITE_HEADER": "CCAT site gateway", "SIDEBAR": sidebar},
    }
