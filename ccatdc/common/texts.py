"""What texts the database can hold."""

from __future__ import annotations


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, no lone surrogate."""
    if "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def has_control_characters(text: str, *, but: str = "") -> bool:
    """Whether a text has characters that move a terminal or begin another line, besides those in ``but``."""
    return any(
        (ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029") and char not in but for char in text
    )
