"""The one table of error codes (error_codes.yaml): who is to blame, who tries again, what a person does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml

TABLE: Final = Path(__file__).with_name("error_codes.yaml")

Again = Literal["itself", "waits", "resent", "you", "no", ""]
Breaker = Literal["location", "writes", "link", ""]


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One line of the table. ``again`` is empty for what is no error (a reason to keep a copy)."""

    code: str
    meaning: str
    remedy: str = ""
    again: Again = ""
    breaker: Breaker = ""
    opens_after: int = 0

    @property
    def retryable(self) -> bool:
        """Whether the same again, by a machine, can succeed."""
        return self.again in ("itself", "waits")

    @property
    def consumes_attempt(self) -> bool:
        """False for what waits: a place is at fault, or something else has to change first."""
        return self.again != "waits"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the page, what stands below it, and its codes in order."""

    title: str
    intro: tuple[str, ...]
    kinds: tuple[ErrorKind, ...]


@cache
def sections() -> tuple[Section, ...]:
    """The table as it is written down."""
    read: list[dict[str, Any]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return tuple(
        Section(
            each["title"],
            tuple(each["intro"]),
            tuple(ErrorKind(code, **fields) for code, fields in each["codes"].items()),
        )
        for each in read
    )


@cache
def _by_code() -> dict[str, ErrorKind]:
    return {kind.code: kind for section in sections() for kind in section.kinds}


def kind_of(code: str) -> ErrorKind | None:
    """The line of a code; None for one that the table does not have."""
    return _by_code().get(code)
