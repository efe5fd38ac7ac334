"""Times, on every Python from 3.10 on: ``datetime.UTC`` and reading ``Z`` came with 3.11."""

from __future__ import annotations

from datetime import datetime, timezone

UTC = timezone.utc


def time_of(text: str) -> datetime:
    """A time in ISO 8601. ValueError for anything else."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
