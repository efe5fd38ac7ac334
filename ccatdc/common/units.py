"""Numbers as people read them: bytes in decimal units, times as durations. For pages, mails and
commands; imports no app.
"""

from __future__ import annotations

from datetime import timedelta

#: What stands where there is nothing to say.
NOTHING = "\N{EN DASH}"
#: Decimal units, as in the documents of the project (a package has 50 GB, a day 8 TB).
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def size_text(size: float | None) -> str:
    """``1234567`` as ``1.23 MB``; an en dash for None."""
    if size is None:
        return NOTHING
    value = float(size)
    unit = 0
    # 999.5 and not 1000: what would be rounded to 1000 moves to the next unit.
    while abs(value) >= 999.5 and unit < len(_BYTE_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.3g} {_BYTE_UNITS[unit]}"


def duration_text(seconds: timedelta | float | None) -> str:
    """The two largest units that matter: ``3 d 4 h``, ``12 min``, ``0.4 s``; a dash for None."""
    if seconds is None:
        return NOTHING
    left = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if left < 0:
        return "0 s"
    if left < 10:
        return f"{left:.1f} s"
    parts: list[str] = []
    whole = int(left)
    for name, length in _STEPS:
        count, rest = divmod(whole, length)
        if count:
            parts.append(f"{count} {name}")
            whole = rest
        elif parts:
            break  # "3 d 5 s" would pretend to an exactness that nobody needs
        if len(parts) == 2:
            break
    return " ".join(parts)


def rate_text(size: float | None, seconds: float | None) -> str:
    """Bytes per second, or an en dash where one of both is unknown or zero."""
    return f"{size_text(size / seconds)}/s" if size and seconds else NOTHING
