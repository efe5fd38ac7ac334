"""States as coloured badges, and links: small pieces of HTML that lists of the portal and the scientists' pages share."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.units import NOTHING

#: What static/css/badges.css knows; the colours beside the states (ccatdc/common/states.py, datamgmt/states.py) are of
#: these.
COLOURS = ("default", "info", "primary", "success", "warning", "danger")


#: What a cell shows that has nothing to show.
NO_VALUE = SafeString(NOTHING)


def badge(text: str, colour: str = "default") -> SafeString:
    """A word on a coloured ground. The word alone says it all: colour is never the only sign."""
    return format_html('<span class="badge badge-{}">{}</span>', colour, text)


def state_badge(value: str, label: str, colours: Mapping[str, str]) -> SafeString:
    """The badge of a state; a state without a colour of its own is grey."""
    return badge(label or value or NOTHING, colours.get(value, "default"))


def link_to_admin(app: str, model: str, key: object, text: str) -> SafeString:
    """A link to the portal's page of one row, made of names so that no layer needs the model of a higher one."""
    return format_html(
        '<a class="portal-link" href="{}">{}</a>', reverse(f"admin:{app}_{model}_change", args=[key]), text
    )


def link_to_list(app: str, model: str, text: str, **filters: object) -> SafeString:
    """A link to a list of the portal, narrowed as in :func:`list_url`."""
    return format_html('<a class="portal-link" href="{}">{}</a>', list_url(app, model, **filters), text)


def list_url(app: str, model: str, **filters: object) -> str:
    """The address of a list of the portal, narrowed: ``status__exact="failed"``, or a filter's own name as in
    ``location=3``.
    """
    return reverse(f"admin:{app}_{model}_changelist", query={name: str(value) for name, value in filters.items()})
