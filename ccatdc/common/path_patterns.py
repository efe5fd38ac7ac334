"""Patterns of paths that operators write in a text field, one on a line: ``*.tmp``, ``scratch/*``."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from django.core.exceptions import ValidationError

#: Few and short: each is tried on every file that an inventory lists.
MOST_PATTERNS, LONGEST_PATTERN = 50, 200


def path_patterns(text: str) -> None:
    """A validator: at most so many patterns, none of them longer."""
    lines = text.split("\n")
    if len(lines) > MOST_PATTERNS or any(len(line) > LONGEST_PATTERN for line in lines):
        raise ValidationError(f"At most {MOST_PATTERNS} patterns, each of at most {LONGEST_PATTERN} characters.")


def matcher(text: str) -> Callable[[str], bool]:
    """Whether a path matches one of the patterns of a text. A ``*`` stands for any characters, also ``/``."""
    patterns = [line.strip() for line in text.split("\n") if line.strip()]
    if not patterns:
        return lambda _path: False
    matches = re.compile("|".join(map(fnmatch.translate, patterns))).match
    return lambda path: matches(path) is not None
