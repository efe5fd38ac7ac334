"""What differs at a site gateway (CCATDC_SITE_ROLE=gateway), taken into ccatdc/settings/base.py at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def at_gateway(apps: Sequence[str], look: Mapping[str, Any]) -> dict[str, Any]:
    """Other addresses, another portal, and passwords only: there may be no internet."""
    portal = {"ccatdc.portal.site.PortalAdminConfig": "ccatdc.gateway_site.portal.GatewayPortalConfig"}
    sidebar = {**look["SIDEBAR"], "navigation": "ccatdc.gateway_site.portal.navigation"}
    return {
        "ROOT_URLCONF": "ccatdc.gateway_site.urls",
        "INSTALLED_APPS": [portal.get(app, app) for app in apps],
        "AUTHENTICATION_BACKENDS": ["axes.backends.AxesStandaloneBackend", "gateway.site.rights.GatewayBackend"],
        "UNFOLD": {**look, "SITE_HEADER": "CCAT site gateway", "SIDEBAR": sidebar},
    }
