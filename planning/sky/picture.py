"""The picture of one day of visibility: numbers for templates/planning/visibility.svg.

Letters keep their size: a narrow picture is drawn narrow, not made smaller. It follows the reader's choice of light or
dark.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from planning.sky.visibility import Span, Visibility

#: Pixels.
WIDTHS = (320, 1600)
USUAL_WIDTH = 720
HEIGHT = 280
_LEFT, _RIGHT = 30, 34
#: A letter is about as wide as this share of its size; a little more than it is in the usual fonts.
_LETTER = 0.56


def picture(seen: Visibility, title: str, width: int = USUAL_WIDTH) -> SafeString:
    """Elevation (left scale, 0 to 90 degrees), distance from the Sun (right scale, 0 to 180), night, when it is
    observable.

    Dotted lines are the lowest elevation and the least distance from the Sun. An SVG; ``width`` in pixels.
    """
    times = _times(seen)
    first = seen.times[0].replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = [first + timedelta(hours=n) for n in range(0, 24, 2 if width >= USUAL_WIDTH else 4)]
    return render_to_string(
        "planning/visibility.svg",
        {
            "title": title,
            "times": times,
            "short_title": _fitting(title, width, 14),
            "short_times": _fitting(times, width, 11),
            "width": width,
            "height": HEIGHT,
            "plot_width": width - _LEFT - _RIGHT,
            "half": width // 2,
            "night": [_band(seen, span) for span in seen.night],
            "observable": [_band(seen, span) for span in seen.observable],
            "levels": [(_percent(1 - level / 90), level, 2 * level) for level in (0, 30, 60, 90)],
            "hours": [(_percent(_share(seen, hour)), f"{hour:%H}h") for hour in hours],
            "lowest": _percent(1 - seen.min_elevation_deg / 90),
            "nearest": _percent(1 - seen.min_sun_distance_deg / 180),
            "sun": _curves(seen, seen.sun_distance_deg, 180),
            "curve": _curves(seen, seen.elevation_deg, 90),
        },
    )


def _times(seen: Visibility) -> str:
    marks = sorted([(t, "rises") for t in seen.rises] + [(t, "sets") for t in seen.sets])
    known = [angle for angle in seen.elevation_deg if angle is not None]
    if not known:
        return "not scanned on this day"
    if marks:
        words = ", ".join(f"{word} {moment:%H:%M}" for moment, word in marks) + " UTC"
    else:
        words = "does not set" if known[0] >= 0 else "does not rise"
    return words if seen.observable else f"{words}; not observable"


def _fitting(words: str, width: int, size: float) -> str:
    """The words, or as much of them as there is room for."""
    room = int((width - 16) / (size * _LETTER))
    return words if len(words) <= room else f"{words[: room - 1].rstrip()}…"


def _share(seen: Visibility, moment: datetime) -> float:
    return (moment - seen.times[0]) / (seen.times[-1] - seen.times[0])


def _percent(share: float) -> float:
    return round(100 * share, 2)


def _band(seen: Visibility, span: Span) -> tuple[float, float]:
    start, end = (_share(seen, moment) for moment in span)
    return _percent(start), _percent(end - start)


def _curves(seen: Visibility, angles: list[float | None], top: float) -> list[str]:
    """Points of the parts where the angle is known: share of the day, degrees below the top. What is outside is clipped."""
    samples = zip(seen.times, angles, strict=True)
    parts = groupby(samples, lambda sample: sample[1] is not None)
    return [
        " ".join(f"{_share(seen, t):.5f},{top - (angle or 0):.2f}" for t, angle in part)
        for is_known, part in parts
        if is_known
    ]
