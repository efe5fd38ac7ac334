"""Pictures on the portal's pages. They are fetched when they come into sight: pages do not wait for astronomy."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ccatdc.common.admin.badges import NO_VALUE
from planning.sky.picture import HEIGHT, USUAL_WIDTH

#: Of the picture on a telephone, pixels.
_NARROW = 340


def visibility_picture(source: int | None, **query: object) -> SafeString:
    """When a source is up tonight; a dash for one that is not stored yet."""
    if source is None:
        return NO_VALUE
    given = {name: str(value) for name, value in query.items()}
    wide, narrow = (
        reverse("visibility_picture", args=[source], query=given | {"width": str(width)})
        for width in (USUAL_WIDTH, _NARROW)
    )
    return format_html(
        '<picture><source media="(max-width: 820px)" srcset="{}" width="{}" height="{}">'
        '<img class="visibility" loading="lazy" width="{}" height="{}" alt="Elevation tonight" src="{}">'
        "</picture>",
        narrow,
        _NARROW,
        HEIGHT,
        USUAL_WIDTH,
        HEIGHT,
        wide,
    )
