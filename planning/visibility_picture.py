"""The picture of one day of visibility: a small SVG, written by hand so that no plotting library is needed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from planning.visibility import Span, Visibility

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 26, 34


def picture(seen: Visibility, title: str) -> SafeString:
    """Elevation (line), night (grey), when it can be observed (green), the distance from the Sun (dashed, below 90 degrees)."""
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" role="img" aria-label="{title}"'
        ' font-family="sans-serif" font-size="11"><rect width="{w}" height="{h}" fill="#fff"/>'
        '<text x="{left}" y="16" font-size="13">{title}</text>{night}{observable}{grid}'
        '<line x1="{left}" x2="{end}" y1="{limit}" y2="{limit}" stroke="#b45309" stroke-dasharray="2 3"/>'
        '{sun}{curve}<text x="{end}" y="16" text-anchor="end" fill="#555">'
        "line: elevation, dashed: distance from the Sun (degrees); green: observable; grey: night; UTC"
        "</text></svg>",
        w=_WIDTH,
        h=_HEIGHT,
        title=title,
        left=_LEFT,
        end=_WIDTH - _RIGHT,
        night=_bands(seen, seen.night, "#e5e7eb"),
        observable=_bands(seen, seen.observable, "#bbf7d0"),
        grid=_grid(seen),
        limit=_y(seen.min_elevation_deg),
        sun=_curve(seen, seen.sun_distance_deg, 'stroke="#d97706" stroke-dasharray="6 4"'),
        curve=_curve(seen, seen.elevation_deg, 'stroke="#1d4ed8" stroke-width="2"'),
    )


def _x(seen: Visibility, moment: datetime) -> float:
    share = (moment - seen.times[0]) / (seen.times[-1] - seen.times[0])
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(angle: float) -> float:
    return round(_HEIGHT - _BOTTOM - angle / 90 * (_HEIGHT - _TOP - _BOTTOM), 1)


def _bands(seen: Visibility, spans: Iterable[Span], colour: str) -> SafeString:
    return format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}" fill="{}" fill-opacity="0.7"/>',
        (
            (
                _x(seen, start),
                _TOP,
                round(_x(seen, end) - _x(seen, start), 1),
                _HEIGHT - _TOP - _BOTTOM,
                colour,
            )
            for start, end in spans
        ),
    )


def _grid(seen: Visibility) -> SafeString:
    levels = format_html_join(
        "",
        '<line x1="{0}" x2="{1}" y1="{2}" y2="{2}" stroke="#d1d5db"/>'
        '<text x="{3}" y="{4}" text-anchor="end">{5}</text>',
        (
            (_LEFT, _WIDTH - _RIGHT, _y(level), _LEFT - 6, _y(level) + 4, level)
            for level in (0, 30, 60, 90)
        ),
    )
    first = seen.times[0].replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = [first + timedelta(hours=n) for n in range(0, 24, 3)]
    marks = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((_x(seen, hour), _HEIGHT - 16, f"{hour:%H}h") for hour in hours),
    )
    return format_html("{}{}", levels, marks)


def _curve(seen: Visibility, angles: list[float | None], style: str) -> SafeString:
    """The parts of a line that lie between 0 and 90 degrees."""
    parts: list[list[str]] = [[]]
    for moment, angle in zip(seen.times, angles, strict=True):
        if angle is not None and 0 <= angle <= 90:
            parts[-1].append(f"{_x(seen, moment)},{_y(angle)}")
        elif parts[-1]:
            parts.append([])
    return format_html_join(
        "",
        '<polyline points="{}" fill="none" ' + style + "/>",
        ((" ".join(part),) for part in parts if part),
    )
