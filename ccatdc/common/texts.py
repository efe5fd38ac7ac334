"""What texts the database can hold."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError


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


def one_line(text: str) -> None:
    """For fields of forms. ValidationError for control characters: no forged lines of logs or headers of mails."""
    if has_control_characters(text):
        raise ValidationError("Give one line of text, without control characters.", code="control_character")


def require_time_of_day(text: object) -> None:
    """ValueError for a text that is a date only, where a moment is meant: midnight would be a guess."""
    if isinstance(text, str) and re.search(r"\d[Tt ]\d", text) is None:
        raise ValueError("Give a date and a time.")
