"""What is wrong with rows of a call that is accepted as a whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Errors that one answer lists; all are counted.
MAX_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one field of one row; ``index`` counts from 0."""

    index: int
    field: str
    code: str
    message: str
    extra: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As it stands in a problem document."""
        return {
            "index": self.index,
            "field": self.field,
            "code": self.code,
            "message": self.message,
            **(self.extra or {}),
        }


def in_words(errors: Sequence[RowError], row: str) -> str:
    """The first error, and how many more there are; ``row`` is what a row is called."""
    first = errors[0]
    more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
    return f"{row} {first.index}, {first.field}: {first.message}{more}"


def listed(errors: Sequence[RowError]) -> dict[str, Any]:
    """The first errors and the number of all."""
    return {"error_count": len(errors), "errors": [error.as_json() for error in errors[:MAX_LISTED]]}
