"""How the portal looks: the settings of unfold, taken into ccatdc/settings/base.py."""

from __future__ import annotations

from django.templatetags.static import static
from django.urls import reverse_lazy

UNFOLD = {
    "SITE_TITLE": "CCAT Data Center",
    "SITE_HEADER": "CCAT Data Center",
    "SITE_SUBHEADER": "Operations, all times UTC",
    "SITE_SYMBOL": "satellite_alt",
    "SITE_URL": reverse_lazy("home"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("favicon.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "STYLES": [lambda _request: static("css/badges.css"), lambda _request: static("css/portal.css")],
    "SCRIPTS": [lambda _request: static("js/refresh.js"), lambda _request: static("js/find.js")],
    "COLORS": {
        "primary": {
            "50": "#eef6ff",
            "100": "#d9eaff",
            "200": "#bbdaff",
            "300": "#8cc2ff",
            "400": "#559fff",
            "500": "#2f7bf5",
            "600": "#1a5fdc",
            "700": "#174cb2",
            "800": "#194291",
            "900": "#1a3a74",
            "950": "#142548",
        }
    },
    "SIDEBAR": {"show_search": False, "navigation": "ccatdc.portal.navigation.navigation"},
}
