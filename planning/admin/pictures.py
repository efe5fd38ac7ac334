"""Pictures on the portal's pages. They are fetched when they come into sight: pages do not wait for astronomy."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.badges import NO_VALUE


def visibility_picture(source: int | None, **query: object) -> SafeString:
    """When a source is up tonight; a dash for one that is not stored yet."""
    if source is None:
        return NO_VALUE
    address = reverse(
        "visibility_picture",
        args=[source],
        query={name: str(value) for name, value in query.items()},
    )
    return format_html(
        '<img class="visibility" loading="lazy" width="720" height="260" alt="Elevation tonight" src="{}">',
        address,
    )
