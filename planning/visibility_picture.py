"""The picture of one day of visibility: a small SVG, written by hand so that no plotting library is needed.

Letters keep their size: a narrow picture is drawn narrow, not made smaller. It follows the reader's choice of light or dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from planning.visibility import Span, Visibility

#: Pixels.
WIDTHS = (320, 1600)
USUAL_WIDTH = 720
HEIGHT = 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 34, 44, 58
_TITLE_SIZE, _SIZE = 13, 11
#: A letter is about as wide as this share of its size; a little more than it is in the usual fonts.
_LETTER = 0.56
_STYLE = mark_safe(
    "<style>"
    "text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif;font-size:11px;fill:#1f2937}"
    ".page{fill:#fff}.title{font-size:13px;font-weight:bold}.grid{stroke:#d1d5db}"
    ".night{fill:#dfe3ea}.up{fill:#86efac;fill-opacity:.55}.curve{fill:none;stroke:#1d4ed8;stroke-width:2}"
    ".sun{fill:none;stroke:#b45309;stroke-dasharray:6 4}.limit{stroke:#1d4ed8;stroke-dasharray:1 4}"
    ".away{stroke:#b45309;stroke-dasharray:1 4}text.sun{fill:#9a3f06;stroke:none}"
    "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.page{fill:#121212}.grid{stroke:#3f4650}"
    ".night{fill:#262c38}.up{fill:#22c55e;fill-opacity:.35}.curve,.limit{stroke:#7cb0ff}"
    ".sun,.away{stroke:#fbbf24}text.sun{fill:#fbbf24}}"
    "</style>"
)


def picture(seen: Visibility, title: str, width: int = USUAL_WIDTH) -> SafeString:
    """Elevation (left scale, 0 to 90 degrees), distance from the Sun (right scale, 0 to 180), night, when it is observable.

    Dotted lines are the lowest elevation and the least distance from the Sun.
    """
    page = _Page(seen, width)
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img">'
        '<title>{title}: {times}</title>{style}<rect class="page" width="{w}" height="{h}"/>'
        '<text class="title" x="{left}" y="16">{short}</text><text x="{left}" y="33">{line}</text>'
        "{night}{observable}{grid}{limits}{sun}{curve}{legend}</svg>",
        w=width,
        h=HEIGHT,
        left=8,
        title=title,
        times=_times(seen),
        style=_STYLE,
        short=page.fitting(title, _TITLE_SIZE * 1.07),
        line=page.fitting(_times(seen), _SIZE),
        night=page.bands(seen.night, "night"),
        observable=page.bands(seen.observable, "up"),
        grid=page.grid(),
        limits=page.limits(),
        sun=page.curve(seen.sun_distance_deg, 180, "sun"),
        curve=page.curve(seen.elevation_deg, 90, "curve"),
        legend=page.legend(),
    )


def _times(seen: Visibility) -> str:
    """Rise and set in words."""
    marks = sorted([(t, "rises") for t in seen.rises] + [(t, "sets") for t in seen.sets])
    known = [angle for angle in seen.elevation_deg if angle is not None]
    if not known:
        return "not scanned on this day"
    if marks:
        words = ", ".join(f"{word} {moment:%H:%M}" for moment, word in marks) + " UTC"
    else:
        words = "does not set" if known[0] >= 0 else "does not rise"
    return words if seen.observable else f"{words}; not observable"


class _Page:
    """Where things are in a picture of some width."""

    def __init__(self, seen: Visibility, width: int) -> None:
        self._seen = seen
        self._width = width
        self._end = width - _RIGHT
        self._floor = HEIGHT - _BOTTOM

    def fitting(self, words: str, size: float) -> str:
        """The words, or as much of them as there is room for."""
        room = int((self._width - 16) / (size * _LETTER))
        return words if len(words) <= room else f"{words[: room - 1].rstrip()}…"

    def bands(self, spans: Iterable[Span], kind: str) -> SafeString:
        """From top to bottom, between two times."""
        return format_html_join(
            "",
            '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
            (
                (kind, x := self._x(start), _TOP, round(self._x(end) - x, 1), self._floor - _TOP)
                for start, end in spans
            ),
        )

    def grid(self) -> SafeString:
        """Lines and numbers: degrees of elevation left, of distance from the Sun right, hours below."""
        levels = format_html_join(
            "",
            '<line class="grid" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>'
            '<text x="{3}" y="{4}" text-anchor="end">{5}</text>'
            '<text class="sun" x="{6}" y="{4}">{7}</text>',
            (
                (
                    _LEFT,
                    self._end,
                    y := self._y(level, 90),
                    _LEFT - 5,
                    y + 4,
                    level,
                    self._end + 5,
                    2 * level,
                )
                for level in (0, 30, 60, 90)
            ),
        )
        first = self._seen.times[0].replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        step = 2 if self._width >= USUAL_WIDTH else 4
        hours = [first + timedelta(hours=n) for n in range(0, 24, step)]
        marks = format_html_join(
            "",
            '<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
            '<text x="{0}" y="{3}" text-anchor="middle">{4}</text>',
            (
                (self._x(hour), self._floor, self._floor + 4, self._floor + 16, f"{hour:%H}h")
                for hour in hours
            ),
        )
        return format_html("{}{}", levels, marks)

    def limits(self) -> SafeString:
        """The lowest elevation and the least distance from the Sun."""
        seen = self._seen
        return format_html_join(
            "",
            '<line class="{0}" x1="{1}" x2="{2}" y1="{3}" y2="{3}"/>',
            [
                ("limit", _LEFT, self._end, self._y(seen.min_elevation_deg, 90)),
                ("away", _LEFT, self._end, self._y(seen.min_sun_distance_deg, 180)),
            ],
        )

    def curve(self, angles: list[float | None], top: float, kind: str) -> SafeString:
        """The parts of a line that lie inside the picture, to its edge."""
        parts: list[list[str]] = [[]]
        for first, second in pairwise(zip(self._seen.times, angles, strict=True)):
            ends = list(_inside(first, second, top))
            if not ends:
                parts.append([])
                continue
            points = [f"{self._x(moment)},{self._y(angle, top)}" for moment, angle in ends]
            parts[-1].extend(points if not parts[-1] else points[1:])
            if ends[-1][0] != second[0]:
                parts.append([])
        return format_html_join(
            "",
            '<polyline class="{}" points="{}"/>',
            ((kind, " ".join(part)) for part in parts if part),
        )

    def legend(self) -> SafeString:
        """What is what, on as many lines as it takes."""
        x, y, found = 8.0, self._floor + 34, []
        for kind, words in (
            ("curve", "elevation"),
            ("sun", "Sun distance, right"),
            ("up", "observable"),
            ("night", "night"),
        ):
            length = 22 + len(words) * _SIZE * _LETTER
            if x + length > self._width - 4:
                x, y = 8.0, y + 16
            line = kind in ("curve", "sun")
            sample = (
                format_html('<path class="{}" d="M{} {}h16"/>', kind, x, y - 4)
                if line
                else format_html(
                    '<rect class="{}" x="{}" y="{}" width="16" height="9"/>', kind, x, y - 8
                )
            )
            found.append(format_html('{}<text x="{}" y="{}">{}</text>', sample, x + 20, y, words))
            x = round(x + length + 10, 1)
        return format_html_join("", "{}", ((part,) for part in found))

    def _x(self, moment: datetime) -> float:
        times = self._seen.times
        share = (moment - times[0]) / (times[-1] - times[0])
        return round(_LEFT + share * (self._end - _LEFT), 1)

    def _y(self, angle: float, top: float) -> float:
        return round(self._floor - angle / top * (self._floor - _TOP), 1)


Sample = tuple[datetime, float | None]


def _inside(first: Sample, second: Sample, top: float) -> Iterator[tuple[datetime, float]]:
    """The ends of what is between 0 and ``top`` of the straight line between two samples."""
    (start, a), (end, b) = first, second
    if a is None or b is None:
        return
    low, high = 0.0, 1.0
    for edge, sign in ((0.0, 1), (top, -1)):
        before, after = sign * (a - edge), sign * (b - edge)
        if before < 0 and after < 0:
            return
        if before < 0:
            low = max(low, before / (before - after))
        elif after < 0:
            high = min(high, before / (before - after))
    for share in (low, high):
        yield (start + (end - start) * share) if share else start, a + (b - a) * share
