"""Parts of an ADQL tree: each is refused with all that is not known of it, and becomes a name or a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from sqlglot import exp

from transfer.tap.parsing import QueryError
from transfer.tap.tables import Column, bare

_DIGITS: Final = frozenset("0123456789.eE+-")
_LONGEST_NUMBER: Final = 40


def only(node: Any, *parts: str) -> None:
    """Nothing else is said of it: a part that is not listed changes the meaning."""
    more = [name for name, value in node.args.items() if name not in parts and value not in (None, False, [], "")]
    if more:
        raise QueryError(f"{said(node)} cannot have {more[0].strip('_').replace('_', ' ').upper()} here.")


def part_of(node: Any) -> Any:
    only(node, "this")
    return node.this


def single(node: Any) -> Any:
    if len(node.expressions) != 1:
        raise QueryError(f"{str(node.this).upper()} has one argument.")
    return node.expressions[0]


def refused(node: Any) -> QueryError:
    return QueryError(f"{said(node)} is no part of the ADQL that is understood here.")


def said(node: Any) -> str:
    return type(node).__name__.upper()


def name_of(node: Any) -> str:
    """Of a table or column: without quotes capitals do not matter."""
    if not isinstance(node, exp.Identifier):
        raise refused(node)
    name = str(node.this)
    return name if node.args.get("quoted") else name.lower()


def quoted(name: str) -> str:
    # A percent sign would begin a parameter.
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def alias_of(node: Any) -> str | None:
    alias = node.args.get("alias")
    if alias is None:
        return None
    only(alias, "this")
    return name_of(alias.this)


def number_of(node: Any) -> str:
    """The digits of a number, as they may stand in SQL. Raises QueryError for what PostgreSQL could not hold."""
    text = str(node.this)
    if not text or not set(text) <= _DIGITS:
        raise QueryError(f"{text[:40]} is no number.")
    try:
        is_usual = math.isfinite(float(text)) and len(text) <= _LONGEST_NUMBER
    except ValueError as error:
        raise QueryError(f"{text[:40]} is no number.") from error
    if not is_usual:
        raise QueryError(f"The number {text[:40]} is too long or too large.")
    return text


def whole(node: Any) -> int:
    """Of rows: TOP and OFFSET, and the place of a column."""
    text = str(node.this) if isinstance(node, exp.Literal) and not node.is_string else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise QueryError("TOP and OFFSET are whole numbers.")
    return int(text)


def constant(node: Any) -> float | None:
    """The value of a number that is written as such."""
    if isinstance(node, exp.Paren):
        return constant(node.this)
    if isinstance(node, exp.Neg):
        value = constant(node.this)
        return None if value is None else -value
    return float(number_of(node)) if isinstance(node, exp.Literal) and not node.is_string else None


def name_of_call(node: Any) -> str:
    return str(node.this).lower() if isinstance(node, exp.Anonymous) else "value"


def names_of(columns: Sequence[Column]) -> list[str]:
    """Of the answer, each once: what is there already gets a number."""
    found: list[str] = []
    for column in columns:
        name, number = bare(column.name), 2
        while name in found:
            name, number = f"{bare(column.name)}_{number}", number + 1
        found.append(name)
    return found
