"""What a request asks for: the parameters of TAP 1.1, whose names are read in any case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from transfer.observations.exports import printable
from transfer.tap.answers import format_named
from transfer.tap.parsing import MOST_CHARACTERS, QueryError

LANGUAGES: Final = frozenset({"ADQL", "ADQL-2.0", "ADQL-2.1"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, in which format its answer is, and how many rows at most.

    Whether the query is one says :meth:`require_adql`: a job is made all the same, and ends as an error.
    """

    query: str
    language: str = "ADQL"
    response_format: str = "votable"
    max_rows: int | None = None
    run_id: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Asked:
        """Raises QueryError for what makes no sense."""
        names = {name.upper(): value for name, value in given.items()}
        if names.get("REQUEST", "doQuery") not in ("doQuery", ""):
            raise QueryError("REQUEST is doQuery.")
        if names.get("UPLOAD"):
            raise QueryError("Tables cannot be uploaded here.", code="tap.no_upload")
        query = names.get("QUERY", "").strip()
        if printable(query) != query:
            raise QueryError("A query has no control characters.")
        if len(query) > MOST_CHARACTERS:
            raise QueryError(f"A query has {MOST_CHARACTERS} characters at most.", code="tap.too_large")
        wanted = names.get("RESPONSEFORMAT") or names.get("FORMAT") or ""
        chosen = format_named(wanted[:100])
        if chosen is None:
            raise QueryError("RESPONSEFORMAT is votable, csv or tsv.")
        language = printable(names.get("LANG", ""))[:16]
        return cls(query, language, chosen, _rows(names.get("MAXREC", "")), printable(names.get("RUNID", ""))[:64])

    def require_adql(self) -> None:
        """Raises QueryError for another language, and for nothing."""
        if self.language.upper() not in LANGUAGES:
            raise QueryError("LANG is ADQL.")
        if not self.query:
            raise QueryError("QUERY is missing.")


def _rows(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise QueryError("MAXREC is a number of rows.")
    return min(int(text), 2_000_000_000)
