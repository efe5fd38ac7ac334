"""How wide a text is, without a font: by the widths of Helvetica, which Arial and others share.

Each text in a picture is told its width as well (``textLength``), so that it fits its box in any font.
"""

from __future__ import annotations

#: Thousandths of the size of the letters.
_NARROW = dict.fromkeys("ijl", 222) | dict.fromkeys("ft .,:;I→", 278) | {"r": 333, "→": 1000}
_WIDE = dict.fromkeys("CDHNRU", 722) | dict.fromkeys("GOQ", 778) | {"m": 833, "M": 833, "W": 944}
_WIDTHS = (
    dict.fromkeys("ckvxyszJ", 500)
    | dict.fromkeys("ABEKPSVXY", 667)
    | dict.fromkeys("FTZ", 611)
    | {"w": 722, "*": 389, "-": 333, "(": 333, ")": 333}
    | _NARROW
    | _WIDE
)
_OTHERS = 556
_BOLD = 1.07


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Pixels, to a tenth."""
    units = sum(_WIDTHS.get(letter, _OTHERS) for letter in text)
    return round(units / 1000 * size * (_BOLD if bold else 1), 1)
